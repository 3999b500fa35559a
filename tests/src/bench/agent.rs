//! The built `sidecar run`, as users start it.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::kernel::built;

/// How long the agent may take for anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is asked meanwhile.
const PAUSE: Duration = Duration::from_millis(20);

/// A running agent. Dropping it kills it.
pub struct Agent {
    child: Child,
    folder: TempDir,
    address: SocketAddr,
}

impl Agent {
    /// Starts it with the text of a configuration, and waits until it can do its work.
    ///
    /// # Errors
    /// When it can't; what it logged is in the error.
    pub fn start(config: &str) -> Result<Self> {
        let mut agent = Self::start_unready(config)?;
        agent.wait_for("to be ready", |agent| Ok(agent.get("/readyz").is_ok()))?;
        Ok(agent)
    }

    /// Starts it with the text of a configuration, and waits until it answers.
    ///
    /// # Errors
    /// When it does not; what it logged is in the error.
    pub fn start_unready(config: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("sidecar.yml");
        std::fs::write(&file, config)?;
        let mut command = Command::new(built("sidecar")?);
        command.arg("run").args(["--listen", "127.0.0.1:0"]).arg("--config").arg(file).env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(folder.path().join("log"))?);
        let child = command.spawn()?;
        let mut agent = Self { child, folder, address: ([127, 0, 0, 1], 0).into() };
        agent.wait_for("to listen", |agent| {
            ensure!(agent.child.try_wait()?.is_none(), "the agent ended");
            if let Some(address) = agent.listening()? {
                agent.address = address;
            }
            Ok(agent.address.port() != 0)
        })?;
        Ok(agent)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Writes another configuration, which it reads when it is told to.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn configure(&self, config: &str) -> Result<()> {
        Ok(std::fs::write(self.folder.path().join("sidecar.yml"), config)?)
    }

    /// Its address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has logged.
    ///
    /// # Errors
    /// When the log can't be read.
    pub fn log(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.folder.path().join("log"))?)
    }

    /// The address that it logged.
    fn listening(&self) -> Result<Option<SocketAddr>> {
        let log = self.log()?;
        let address = log.split_once("http://").and_then(|(_, rest)| rest.split_once('/'));
        address.map(|(address, _)| Ok(address.parse()?)).transpose()
    }

    /// Asks again and again until the answer is yes.
    ///
    /// # Errors
    /// What the question says, or that the time is over; with the log.
    pub fn wait_for(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let problem = match is_so(self) {
                Ok(true) => return Ok(()),
                Ok(false) if Instant::now() < deadline => None,
                Ok(false) => Some(format!("waited in vain for the agent {what}")),
                Err(error) => Some(format!("waiting for the agent {what}: {error:#}")),
            };
            if let Some(problem) = problem {
                bail!("{problem}. Its log:\n{}", self.log()?);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The body of a GET.
    ///
    /// # Errors
    /// When the answer is not 200.
    pub fn get(&self, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 200 "), "{path}: {}", answer.lines().next().unwrap_or_default());
        Ok(answer.split_once("\r\n\r\n").context("an answer without a body")?.1.to_owned())
    }

    /// Its metrics now.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn metrics(&self) -> Result<Metrics> {
        self.get("/metrics").map(Metrics)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        Ok(kill(Pid::from_raw(self.pid().cast_signed()), signal)?)
    }

    /// Sends it a signal that ends it, and waits for that.
    ///
    /// # Errors
    /// When it is gone.
    pub fn kill(&mut self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        self.child.wait()?;
        Ok(())
    }

    /// Tells it to end and waits for that.
    ///
    /// # Errors
    /// When it did not end well.
    pub fn stop(mut self) -> Result<()> {
        self.signal(Signal::SIGTERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the agent ended with {status}. Its log:\n{}", self.log()?);
        Ok(())
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // One that was stopped has been waited for, and then both fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A scrape.
pub struct Metrics(String);

impl Metrics {
    /// The sum of a metric over all its series.
    #[must_use]
    pub fn sum(&self, name: &str) -> f64 {
        self.series(name).map(|(_, value)| value).sum()
    }

    /// The sum over those series whose labels contain a text.
    #[must_use]
    pub fn sum_of(&self, name: &str, label: &str) -> f64 {
        self.series(name).filter(|(labels, _)| labels.contains(label)).map(|(_, value)| value).sum()
    }

    fn series<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        self.0.lines().filter_map(move |line| {
            let rest = line.strip_prefix(name)?;
            let (labels, value) = rest.rsplit_once(' ')?;
            (labels.is_empty() || labels.starts_with('{')).then_some((labels, value.parse().ok()?))
        })
    }
}

/// The probe of `raw:end`, in a list.
const END: &str = "  - provider: raw
    marker: end
    event: test_end
    args: [key, test_id, run_id, {role: status, type: integer}, duration, attempt]
";

/// The part of a configuration that watches the markers `raw:hit` and `raw:end` of one program, and nothing else. Nothing
/// is given up for a budget: what is measured with it is the cost of all of it.
#[must_use]
pub fn watch_raw(program: &Path) -> String {
    format!(
        "http: {{listen: \"127.0.0.1:0\"}}
sinks: [{{type: jsonl, path: /dev/null}}]
profiling: {{enabled: false}}
discovery:
  exec: false
  files: ['{}']
probes:
  - provider: raw
    marker: hit
    args: [key, test_id, run_id]
{END}",
        program.display()
    )
}

/// The part of a configuration that watches the tests of one program, by its markers `raw:start` and `raw:end`, keeps
/// all of them and writes events to a file.
#[must_use]
pub fn watch_tests(program: &Path, events: &Path) -> String {
    format!(
        "http: {{listen: \"127.0.0.1:0\"}}
sinks: [{{type: jsonl, path: '{}'}}]
sampling: {{test_events: 1}}
discovery:
  exec: false
  files: ['{}']
probes:
  - provider: raw
    marker: start
    event: test_start
    args: [key, test_id, run_id]
{END}",
        events.display(),
        program.display()
    )
}
