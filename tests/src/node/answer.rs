//! What an agent answers over HTTP, and its metrics.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::{Context, Result};

use super::PATIENCE;

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers as they came.
    pub head: String,
    /// The body.
    pub body: String,
}

/// Sends one request to this machine.
///
/// # Errors
/// When there is no answer.
pub fn ask(port: u16, method: &str, path: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: sidecar\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let (head, body) = text.split_once("\r\n\r\n").context("an answer with a head")?;
    let status = head.split(' ').nth(1).context("a status")?.parse()?;
    Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
}

/// The text of a scrape.
pub struct Metrics(pub String);

impl Metrics {
    /// The sum of the samples of a metric that have all of these labels. 0 if there is none.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has =
            |line: &str| labels.iter().all(|(name, value)| line.contains(&format!("{name}=\"{value}\"")));
        self.0
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
            .filter(|line| has(line))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    }

    /// The same as a whole number.
    #[must_use]
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.value(name, labels) as u64
    }

    /// Number of samples with this in a label. Samples about others come and go with the programs of this machine.
    #[must_use]
    pub fn series(&self, label: &str) -> usize {
        self.0.lines().filter(|line| !line.starts_with('#') && line.contains(label)).count()
    }
}
