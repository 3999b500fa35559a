//! Starts the command and stays with it until it ends.

use super::outcome::Outcome;
use super::signals::{self, Received, Signals, is_for_command};
use super::start_state::StartState;
use crate::gate::Ancestry;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{AccessFlags, Pid, access};
use rustix::process::{PidfdFlags, pidfd_open};
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use thiserror::Error;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// How often the command is looked at where its end can't be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why the command did not start. The exit codes are those of env(1).
#[derive(Debug, Error)]
pub enum CommandError {
    /// No command was given.
    #[error("no command was given")]
    Missing,
    /// There is no such program (or a script's interpreter is missing).
    #[error("can't run {program:?}: {}", .error.desc())]
    NotFound {
        /// The command as it was given.
        program: OsString,
        /// What the system says.
        error: Errno,
    },
    /// The program is there, but can't be executed.
    #[error("can't run {program:?}: {}", .error.desc())]
    NotExecutable {
        /// The command as it was given.
        program: OsString,
        /// What the system says.
        error: Errno,
    },
}

impl CommandError {
    /// What sidecar has to exit with.
    #[must_use]
    pub fn exit_code(&self) -> i32 {
        match self {
            Self::Missing => 125,
            Self::NotExecutable { .. } => 126,
            Self::NotFound { .. } => 127,
        }
    }
}

/// The running command.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    /// None where the kernel does not give one.
    pidfd: Option<OwnedFd>,
}

/// The file that executing `program` will execute, as execvp(3) searches for it; None if there is none.
#[must_use]
pub fn resolve(program: &OsStr) -> Option<PathBuf> {
    let executable = |path: &Path| path.is_file() && access(path, AccessFlags::X_OK).is_ok();
    if program.as_bytes().contains(&b'/') {
        return Some(PathBuf::from(program)).filter(|path| executable(path));
    }
    let path = env::var_os("PATH").unwrap_or_else(|| "/bin:/usr/bin".into());
    env::split_paths(&path).map(|dir| dir.join(program)).find(|path| executable(path))
}

/// Starts a command. It gets this process's standard streams, directory, environment and process group, and
/// the signal mask, signal dispositions and descriptors that this process was started with.
///
/// Blocks until the command's exec is done, so also while the gate holds it: call it on a thread that does not
/// have to answer the gate.
///
/// # Errors
/// The command does not exist or can't be executed.
pub fn spawn(argv: &[OsString], signals: &Signals) -> Result<Child, CommandError> {
    let (program, args) = argv.split_first().ok_or(CommandError::Missing)?;
    let mut command = Command::new(program);
    command.args(args);
    let (mask, state) = (*signals.original(), StartState::get());
    // SAFETY: between fork and exec this makes async-signal-safe system calls only: it allocates nothing and
    // takes no lock.
    unsafe {
        command.pre_exec(move || {
            state.restore()?;
            mask.thread_set_mask()?;
            Ok(())
        });
    }
    let process = command.spawn().map_err(|error| {
        let program = program.clone();
        match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
            error @ Errno::ENOENT => CommandError::NotFound { program, error },
            error => CommandError::NotExecutable { program, error },
        }
    })?;
    let pid = i32::try_from(process.id()).ok().and_then(rustix::process::Pid::from_raw);
    let pidfd = pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    Ok(Child { process, pidfd })
}

impl Child {
    /// The command's process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends the command a signal. One that may not be sent (the command has become another user) is passed
    /// over.
    pub fn forward(&self, signal: Signal) {
        // The process is not waited for yet, so its number is still its own.
        if let Ok(pid) = i32::try_from(self.process.id()) {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Stays until the command ends, and meanwhile sends it what is sent to this process alone. Processes that
    /// outlive the command are not waited for.
    ///
    /// # Errors
    /// Somebody else in this process has waited for the command, so that its status is lost.
    pub async fn run(mut self, signals: &Signals) -> io::Result<Outcome> {
        let mut tree = Ancestry::new(self.pid());
        let pidfd = self.pidfd.take();
        let register = |fd: BorrowedFd<'_>| {
            let fd = fd.try_clone_to_owned().ok()?;
            // SAFETY: an OwnedFd keeps one and the same open descriptor as long as the AsyncFd owns it.
            unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.ok()
        };
        let ends = pidfd.as_ref().and_then(|fd| register(fd.as_fd()));
        let (Some(ends), Some(arrivals)) = (ends, register(signals.as_fd())) else {
            return self.run_by_looking(signals, &mut tree).await;
        };
        loop {
            tokio::select! {
                _ = ends.readable() => return self.process.wait().map(Outcome::from),
                arrived = arrivals.readable() => {
                    self.forward_all(signals, &mut tree);
                    if let Ok(mut arrived) = arrived {
                        arrived.clear_ready();
                    }
                }
            }
        }
    }

    /// The same where descriptors can't be waited for.
    async fn run_by_looking(mut self, signals: &Signals, tree: &mut Ancestry) -> io::Result<Outcome> {
        loop {
            self.forward_all(signals, tree);
            if let Some(status) = self.process.try_wait()? {
                return Ok(Outcome::from(status));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn forward_all(&self, signals: &Signals, tree: &mut Ancestry) {
        while let Ok(Some(Received { signal, sender })) = signals.read() {
            if is_for_command(sender, tree) {
                self.forward(signal);
            }
            // Ctrl-Z, or kill(1): sidecar stops together with its command, and `fg` continues both.
            if signal == Signal::SIGTSTP {
                signals::stop();
            }
        }
    }
}
