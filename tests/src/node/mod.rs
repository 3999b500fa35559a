//! `sidecar run` as a user starts it: the built program, a config file, a free port.

pub mod accounts;
pub mod answer;
pub mod control;
pub mod program;
pub mod scratch;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{agent, kernel::session::OBJECT_VARIABLE};
use answer::Answer;

/// How long anything may take before a test gives up. No test is about being this fast.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `what` gives something.
///
/// # Errors
/// After [`PATIENCE`], with `wanted` and what was seen last.
pub fn until<T>(wanted: &str, mut what: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let start = Instant::now();
    loop {
        match what() {
            Ok(Some(found)) => return Ok(found),
            Ok(None) if start.elapsed() > PATIENCE => bail!("waited {PATIENCE:?} in vain: {wanted}"),
            Err(error) if start.elapsed() > PATIENCE => {
                return Err(error.context(format!("waited for: {wanted}")));
            }
            Ok(None) | Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// `sidecar run` with no configuration but this one: nothing of the caller's environment.
///
/// # Errors
/// When the program was not built.
pub fn command(config: Option<&Path>) -> Result<Command> {
    let mut command = Command::new(agent::path()?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SIDECAR_") {
            command.env_remove(name);
        }
    }
    if let Some(object) = std::env::var_os(OBJECT_VARIABLE) {
        command.arg("--bpf-object").arg(object);
    }
    command.args(["run", "--listen", "127.0.0.1:0"]);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    Ok(command)
}

/// A running agent. Dropping it kills it.
pub struct Agent {
    child: Child,
    log: Arc<Mutex<String>>,
    port: u16,
}

impl Agent {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// With its log, when it does not get there.
    pub fn start(config: &Path) -> Result<Self> {
        Self::spawn(&mut command(Some(config))?)?.ready()
    }

    /// Starts it and waits until it listens.
    ///
    /// # Errors
    /// With its log, when it ends before.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let mut child = command.spawn()?;
        let errors = child.stderr.take().context("its standard error")?;
        let log = Arc::new(Mutex::new(String::new()));
        let copy = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(errors).lines() {
                let Ok(line) = line else { return };
                let mut log = copy.lock().unwrap_or_else(PoisonError::into_inner);
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut agent = Self { child, log, port: 0 };
        agent.port = until("the agent says where it listens", || {
            let log = agent.log();
            let port = log.split("http://127.0.0.1:").nth(1).and_then(|rest| rest.split('/').next());
            if let Some(port) = port {
                return Ok(Some(port.parse()?));
            }
            if let Some(status) = agent.child.try_wait()? {
                bail!("the agent ended with {status}:\n{log}");
            }
            Ok(None)
        })?;
        Ok(agent)
    }

    /// Waits until it is ready.
    ///
    /// # Errors
    /// With its log, when it does not get there.
    pub fn ready(self) -> Result<Self> {
        let ready = until("the agent is ready", || Ok((self.get("/readyz")?.status == 200).then_some(())));
        ready.with_context(|| self.log())?;
        Ok(self)
    }

    /// What it has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until its log has a text.
    ///
    /// # Errors
    /// With the log, when it does not.
    pub fn wait_for_log(&self, text: &str) -> Result<()> {
        until(&format!("the log says `{text}`"), || Ok(self.log().contains(text).then_some(())))
            .with_context(|| self.log())
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its resident memory in bytes.
    ///
    /// # Errors
    /// When it has ended.
    pub fn rss(&self) -> Result<u64> {
        Ok(self.metrics()?.value("process_resident_memory_bytes", &[]) as u64)
    }

    /// Asks it by GET.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn get(&self, path: &str) -> Result<Answer> {
        answer::ask(self.port, "GET", path)
    }

    /// Its metrics.
    ///
    /// # Errors
    /// When there are none.
    pub fn metrics(&self) -> Result<answer::Metrics> {
        let answer = self.get("/metrics")?;
        ensure!(answer.status == 200, "{answer:?}");
        Ok(answer::Metrics(answer.body))
    }

    /// Its health.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn health(&self) -> Result<serde_json::Value> {
        Ok(serde_json::from_str(&self.get("/health")?.body)?)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(self.child.id().try_into()?), signal)?)
    }

    /// Sends it a signal and waits for its end. Gives its exit status and its whole log.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(mut self, signal: Signal) -> Result<(ExitStatus, String)> {
        self.signal(signal)?;
        let status = until("the agent ends", || Ok(self.child.try_wait()?)).with_context(|| self.log())?;
        Ok((status, self.log()))
    }

    /// Ends it by SIGTERM and checks that it did so in good order.
    ///
    /// # Errors
    /// When it did not.
    pub fn finish(self) -> Result<String> {
        let (status, log) = self.stop(Signal::SIGTERM)?;
        ensure!(status.success(), "{status}:\n{log}");
        Ok(log)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // A test that failed leaves nobody behind; of one that went well the agent has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The events of a file of JSON lines.
///
/// # Errors
/// When a line is not JSON.
pub fn events(path: &Path) -> Result<Vec<serde_json::Value>> {
    let file = BufReader::new(File::open(path)?);
    file.lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}
