//! Programs that are watched: each in a folder of its own, so that no other test's probes sit on its file.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::built;
use super::notes::Notes;

/// Lets other users into a folder: they run what is in it.
///
/// # Errors
/// When it is not this user's.
pub fn share(folder: &Path) -> Result<()> {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))
        .with_context(|| folder.display().to_string())
}

/// A copy of a program.
pub struct Program {
    folder: TempDir,
    path: PathBuf,
    notes: Notes,
}

impl Program {
    /// Copies a program of this crate.
    ///
    /// # Errors
    /// When it is missing or can't be copied.
    pub fn copy(name: &str) -> Result<Self> {
        Self::copy_of(&built(name)?)
    }

    /// Copies a program.
    ///
    /// # Errors
    /// When it can't be copied.
    pub fn copy_of(original: &Path) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        share(folder.path())?;
        let path = folder.path().join(original.file_name().context("a program's name")?);
        std::fs::copy(original, &path).with_context(|| original.display().to_string())?;
        let notes = Notes::read(&path)?;
        Ok(Self { folder, path, notes })
    }

    /// The copy.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The copy's folder, which goes with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its markers and symbols.
    #[must_use]
    pub fn notes(&self) -> &Notes {
        &self.notes
    }

    /// Starts it and waits until it says `ready`.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(&self, args: &[&str]) -> Result<Running> {
        Running::start(Command::new(&self.path).args(args))
    }
}

/// A running program that is told what to do by its standard input.
pub struct Running {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Running {
    /// Starts a command and waits until it says `ready`.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().context("its standard output")?);
        let mut running = Self { child, input, output };
        let line = running.line()?;
        ensure!(line == "ready", "it said `{line}` and not `ready`");
        Ok(running)
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a line.
    ///
    /// # Errors
    /// When it no longer listens.
    pub fn send(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().context("its input is closed")?;
        Ok(writeln!(input, "{line}")?)
    }

    /// Sends lines and waits until it has done what they say.
    ///
    /// # Errors
    /// When it does not.
    pub fn run<S: AsRef<str>>(&mut self, lines: &[S]) -> Result<()> {
        let mut text: String = lines.iter().map(|line| line.as_ref().to_owned() + "\n").collect();
        text.push_str("sync");
        let answer = self.ask(&text)?;
        ensure!(answer == "ok", "it said `{answer}`");
        Ok(())
    }

    /// Sends a line and reads the answer.
    ///
    /// # Errors
    /// When there is none.
    pub fn ask(&mut self, line: &str) -> Result<String> {
        self.send(line)?;
        self.line()
    }

    /// Reads a line.
    ///
    /// # Errors
    /// When it has ended.
    pub fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        ensure!(self.output.read_line(&mut line)? > 0, "the program ended early");
        Ok(line.trim_end().to_owned())
    }

    /// Kills it as `kill -9` does and waits for its end.
    ///
    /// # Errors
    /// When that fails.
    pub fn kill(mut self) -> Result<ExitStatus> {
        self.child.kill()?;
        Ok(self.child.wait()?)
    }

    /// Waits until it has ended by itself or by somebody else.
    ///
    /// # Errors
    /// When that fails.
    pub fn wait(mut self) -> Result<ExitStatus> {
        Ok(self.child.wait()?)
    }

    /// Closes its input and waits for its end.
    ///
    /// # Errors
    /// When it fails.
    pub fn finish(mut self) -> Result<()> {
        drop(self.input.take());
        let status = self.child.wait()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed leaves nobody behind; one that went well has waited already, and then both fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
