//! The control API of an agent under test, on its Unix socket.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::PATIENCE;
use super::answer::Answer;
use super::scratch::Scratch;

/// The socket of an agent.
pub struct Control(PathBuf);

impl Control {
    /// The socket that [`section`] names.
    #[must_use]
    pub fn of(scratch: &Scratch) -> Self {
        Self(scratch.path("control.sock"))
    }

    /// A socket at a path.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Sends one request.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> Result<Answer> {
        let mut stream = UnixStream::connect(&self.0).with_context(|| self.0.display().to_string())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: sidecar\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").context("an answer with a head")?;
        let status = head.split(' ').nth(1).context("a status")?.parse()?;
        Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
    }

    /// The same, of which the answer has to be 2xx and JSON.
    ///
    /// # Errors
    /// When it is not.
    pub fn json(&self, method: &str, path: &str, body: &str) -> Result<Value> {
        let answer = self.ask(method, path, body)?;
        ensure!((200..300).contains(&answer.status), "{method} {path}: {answer:?}");
        serde_json::from_str(&answer.body).with_context(|| answer.body)
    }

    /// What is at a path of the API.
    ///
    /// # Errors
    /// When it is not there.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.json("GET", path, "")
    }

    /// A key's value in force, as text.
    ///
    /// # Errors
    /// When there is no such key.
    pub fn key(&self, key: &str) -> Result<String> {
        let config = self.get("/api/v1/config")?;
        let values = config["values"].as_array().context("values")?;
        let found = values.iter().find(|value| value["key"] == key).context("no such key")?;
        Ok(found["value"].as_str().context("a text")?.to_owned())
    }

    /// Whether the accounting balances now and nothing is under way; else an error that shows it.
    ///
    /// # Errors
    /// When it does not.
    pub fn settled(&self) -> Result<Value> {
        let balance = self.get("/api/v1/stats")?["balance"].clone();
        let idle = ["not_yet_read", "queued", "in_flight"].iter().all(|part| balance[*part] == 0);
        ensure!(balance["balanced"] == true && idle, "{balance}");
        Ok(balance)
    }
}

/// Lines of a config that put the control socket into the test's folder.
#[must_use]
pub fn section(scratch: &Scratch) -> String {
    format!("http: {{socket: {}}}\n", scratch.path("control.sock").display())
}
