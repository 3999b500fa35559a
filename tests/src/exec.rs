//! `sidecar exec` as black-box tests run it: the built program, a report, and a deadline for all.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::{agent, kernel::program::share};

/// When a run is given up: longer than any run on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(120);
/// How often something is looked at that nobody announces.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// One call of `sidecar exec`, in a folder of its own.
pub struct Exec {
    folder: TempDir,
    flags: Vec<OsString>,
    before: Vec<OsString>,
    report: Option<PathBuf>,
}

impl Exec {
    /// A call with a report in its folder.
    ///
    /// # Errors
    /// When there can't be a folder.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        share(folder.path())?;
        let report = folder.path().join("report.jsonl");
        Ok(Self { folder, flags: Vec::new(), before: Vec::new(), report: Some(report) })
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// With these flags.
    #[must_use]
    pub fn flags<S: AsRef<OsStr>>(mut self, flags: &[S]) -> Self {
        self.flags.extend(flags.iter().map(|flag| flag.as_ref().to_owned()));
        self
    }

    /// Started by this command, which executes its last arguments.
    #[must_use]
    pub fn beneath<S: AsRef<OsStr>>(mut self, before: &[S]) -> Self {
        self.before = before.iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }

    /// With another file as its report, or none.
    #[must_use]
    pub fn report(mut self, report: Option<PathBuf>) -> Self {
        self.report = report;
        self
    }

    /// With this configuration.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn config(self, yaml: &str) -> Result<Self> {
        let path = self.folder().join("sidecar.yml");
        std::fs::write(&path, yaml)?;
        Ok(self.flags(&[OsStr::new("--config"), path.as_os_str()]))
    }

    /// The call as a command.
    ///
    /// # Errors
    /// When there is no agent.
    pub fn command<S: AsRef<OsStr>>(&self, argv: &[S]) -> Result<Command> {
        let mut words = self.before.clone();
        words.push(agent::path()?.into());
        words.push("exec".into());
        words.extend(agent::object_arguments());
        if let Some(report) = &self.report {
            words.extend(["--report".into(), report.into()]);
        }
        words.extend(self.flags.iter().cloned());
        words.push("--".into());
        words.extend(argv.iter().map(|word| word.as_ref().to_owned()));
        let (program, args) = words.split_first().context("no words")?;
        let mut command = Command::new(program);
        command.args(args).stdin(Stdio::null());
        Ok(command)
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// When it does not start or does not end.
    pub fn run<S: AsRef<OsStr>>(&self, argv: &[S]) -> Result<Ran> {
        let output = finish(&mut self.command(argv)?)?;
        self.ran(output)
    }

    /// What a run has left behind.
    ///
    /// # Errors
    /// When a line of the report is not JSON.
    pub fn ran(&self, output: Output) -> Result<Ran> {
        Ok(Ran { events: self.events()?, output })
    }

    /// The events in the report.
    ///
    /// # Errors
    /// When a line is not a JSON object.
    pub fn events(&self) -> Result<Vec<Value>> {
        let Some(report) = self.report.as_deref().filter(|path| path.is_file()) else {
            return Ok(Vec::new());
        };
        events(&std::fs::read(report)?)
    }
}

/// A report's events.
///
/// # Errors
/// When a line is not a JSON object in UTF-8.
pub fn events(report: &[u8]) -> Result<Vec<Value>> {
    let text = std::str::from_utf8(report).context("the report is not UTF-8")?;
    let parse = |line: &str| {
        let event: Value = serde_json::from_str(line).with_context(|| format!("not JSON: {line}"))?;
        ensure!(event.is_object(), "no object: {line}");
        Ok(event)
    };
    text.lines().map(parse).collect()
}

/// A run that has ended.
#[derive(Debug)]
pub struct Ran {
    /// Status, standard output and standard error.
    pub output: Output,
    /// The report.
    pub events: Vec<Value>,
}

impl Ran {
    /// What it ended with.
    #[must_use]
    pub fn status(&self) -> ExitStatus {
        self.output.status
    }

    /// Its standard output.
    #[must_use]
    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// Its standard error.
    #[must_use]
    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// The lines of its standard error that are sidecar's own.
    #[must_use]
    pub fn said(&self) -> Vec<String> {
        self.err().lines().filter(|line| line.starts_with("sidecar: ")).map(str::to_owned).collect()
    }

    /// The events of this type.
    #[must_use]
    pub fn of_type(&self, event_type: &str) -> Vec<&Value> {
        self.events.iter().filter(|event| event["event_type"] == event_type).collect()
    }

    /// The ends of tests.
    #[must_use]
    pub fn ends(&self) -> Vec<&Value> {
        self.events.iter().filter(|event| event.get("status").is_some()).collect()
    }

    /// Fails unless it ended with this exit code.
    ///
    /// # Errors
    /// When it did not; with what it said.
    pub fn expect_code(&self, code: i32) -> Result<()> {
        let mut said = String::new();
        if self.status().code() != Some(code) {
            let _ = write!(said, "{}\nout: {}\nerr: {}", self.status(), self.out(), self.err());
            bail!("exit code {code} was expected, and it was {said}");
        }
        Ok(())
    }
}

/// Runs a command to its end with its output kept.
///
/// # Errors
/// When it does not start, or does not end within [`DEADLINE`].
pub fn finish(command: &mut Command) -> Result<Output> {
    Started::new(command)?.finish()
}

/// A running command whose output is read all the time.
pub struct Started {
    child: Child,
    out: Option<JoinHandle<Vec<u8>>>,
    err: Option<JoinHandle<Vec<u8>>>,
}

impl Started {
    /// Starts it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn new(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{command:?}"))?;
        let out = child.stdout.take().map(read_all);
        let err = child.stderr.take().map(read_all);
        Ok(Self { child, out, err })
    }

    /// Its process.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Waits for its end and the end of its output, which whoever it has started may hold open.
    ///
    /// # Errors
    /// When it does not end within [`DEADLINE`].
    pub fn finish(mut self) -> Result<Output> {
        let status = until("the command to end", || Ok(self.child.try_wait()?))?;
        let collect = |what: &str, reader: Option<JoinHandle<Vec<u8>>>| {
            let reader = reader.context("its output was taken before")?;
            until(&format!("the end of its {what}"), || Ok(reader.is_finished().then_some(())))?;
            reader.join().ok().context("a reading thread panicked")
        };
        let stdout = collect("standard output", self.out.take())?;
        let stderr = collect("standard error", self.err.take())?;
        Ok(Output { status, stdout, stderr })
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // A test that failed leaves nobody behind; both fail where the command has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read_all(mut from: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What was read before an error is told all the same.
        let _ = from.read_to_end(&mut bytes);
        bytes
    })
}

/// Looks until there is something to see.
///
/// # Errors
/// When there is nothing within [`DEADLINE`].
pub fn until<T>(what: &str, mut look: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(seen) = look()? {
            return Ok(seen);
        }
        ensure!(started.elapsed() < DEADLINE, "waited {} s for {what}", DEADLINE.as_secs());
        thread::sleep(LOOK_EVERY);
    }
}
