//! How the command ended, and how sidecar ends the same way.

use nix::sys::prctl::set_dumpable;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, Signal, raise, signal};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, exit};

/// How the command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With an exit code.
    Exited(i32),
    /// By a signal of this number.
    Killed(i32),
}

impl From<ExitStatus> for Outcome {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Exited(code),
            (None, Some(number)) => Self::Killed(number),
            // Neither exited nor killed: wait(2) reports such only if it was asked for stopped children.
            (None, None) => Self::Exited(1),
        }
    }
}

impl Outcome {
    /// The exit code, or what a shell shows for death by a signal: 128 and its number.
    #[must_use]
    pub fn code(self) -> i32 {
        match self {
            Self::Exited(code) => code,
            Self::Killed(number) => 128 + number,
        }
    }

    /// Ends this process the same way, so that whoever waits for it sees what it would see of the command.
    /// Two differences remain: no core is dumped a second time, and death by a real-time signal becomes the
    /// exit code that a shell shows.
    pub fn exit_like(self) -> ! {
        if let Self::Killed(number) = self
            && let Ok(number) = Signal::try_from(number)
        {
            let _ = io::stdout().flush();
            die_by(number);
        }
        exit(self.code())
    }
}

/// Dies by a signal; returns only if that is impossible.
fn die_by(number: Signal) {
    // The limit keeps a core file away, and the flag a core handler that is a program.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = set_dumpable(false);
    // It fails for SIGKILL alone, which needs no disposition.
    // SAFETY: the default disposition runs no code of ours.
    let _ = unsafe { signal(number, SigHandler::SigDfl) };
    let _ = SigSet::from(number).thread_unblock();
    let _ = raise(number);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_wait_statuses() {
        assert_eq!(Outcome::from(ExitStatus::from_raw(7 << 8)), Outcome::Exited(7));
        assert_eq!(Outcome::from(ExitStatus::from_raw(9)), Outcome::Killed(9));
        assert_eq!(Outcome::from(ExitStatus::from_raw(6 | 0x80)), Outcome::Killed(6), "with a core");
        assert_eq!(Outcome::Exited(7).code(), 7);
        assert_eq!(Outcome::Killed(9).code(), 137);
    }
}
