//! The signals that sidecar receives while its command runs, and which of them the command must be sent.

use super::start_state::StartState;
use crate::gate::Ancestry;
use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, raise};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::os::fd::{AsFd, BorrowedFd};

/// What would end or stop sidecar without its command, and what a command may want to hear. Real-time signals are not
/// among them.
const TAKEN: [Signal; 16] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
    Signal::SIGALRM,
    Signal::SIGVTALRM,
    Signal::SIGPROF,
    Signal::SIGIO,
    Signal::SIGPWR,
    Signal::SIGSTKFLT,
    Signal::SIGXCPU,
    Signal::SIGWINCH,
    Signal::SIGTSTP,
    Signal::SIGCONT,
];

/// Who sent a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// The kernel; the terminal's keys come so. It sends to the whole process group, the command included.
    Kernel,
    /// The process of this id (0 if it is in a pid namespace that this process can't see).
    Process(u32),
}

/// A signal that sidecar received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// The signal.
    pub signal: Signal,
    /// Who sent it.
    pub sender: Sender,
}

/// Keeps signals from ending sidecar, and tells them one by one.
#[derive(Debug)]
pub struct Signals {
    fd: SignalFd,
    original: SigSet,
}

impl Signals {
    /// Takes the signals over. Call it in the main thread before any other thread starts: a thread that does
    /// not block a signal would let it end the process. Every child but the command has to be given the
    /// [original mask](Signals::original) back.
    ///
    /// # Errors
    /// No descriptor is free.
    pub fn take() -> Result<Self, Errno> {
        StartState::get().shield()?;
        let taken: SigSet = TAKEN.into_iter().collect();
        let fd = SignalFd::with_flags(&taken, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
        let original = taken.thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
        Ok(Self { fd, original })
    }

    /// The signal mask that this process was started with.
    #[must_use]
    pub fn original(&self) -> &SigSet {
        &self.original
    }

    /// The next signal, or None if there is none at the moment.
    ///
    /// # Errors
    /// Reading failed.
    pub fn read(&self) -> Result<Option<Received>, Errno> {
        while let Some(info) = self.fd.read_signal()? {
            let number = i32::try_from(info.ssi_signo).map_err(|_| Errno::EINVAL)?;
            // Codes above 0 are the kernel's own (sigaction(2), si_code).
            let sender = if info.ssi_code > 0 { Sender::Kernel } else { Sender::Process(info.ssi_pid) };
            if let Ok(signal) = Signal::try_from(number) {
                return Ok(Some(Received { signal, sender }));
            }
        }
        Ok(None)
    }
}

/// Stops this process as SIGTSTP does: not where it is ignored, nor where no shell could continue it. Goes on with
/// SIGCONT.
pub(super) fn stop() {
    let stop = SigSet::from(Signal::SIGTSTP);
    // None of these fails with a signal that is one.
    let _ = raise(Signal::SIGTSTP);
    let _ = stop.thread_unblock();
    let _ = stop.thread_block();
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether the command has to be sent what was sent to sidecar by `sender`. Not what the terminal sent, which
/// the command has too, and not what the command's own processes sent.
///
/// A signal that a process sent to the whole process group can't be told from one that was sent to sidecar
/// alone, so the command gets that one twice.
pub(super) fn is_for_command(sender: Sender, command: &mut Ancestry) -> bool {
    match sender {
        Sender::Kernel => false,
        Sender::Process(pid) => !command.contains(pid),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn only_what_comes_from_outside_is_forwarded() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let mut command = Ancestry::new(child.id());
        assert!(!is_for_command(Sender::Kernel, &mut command));
        assert!(!is_for_command(Sender::Process(child.id()), &mut command));
        assert!(is_for_command(Sender::Process(std::process::id()), &mut command));
        assert!(is_for_command(Sender::Process(1), &mut command));
        assert!(is_for_command(Sender::Process(0), &mut command), "from outside the pid namespace");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn taken_signals_are_told_with_their_sender_and_do_no_harm() {
        let signals = Signals::take().unwrap();
        assert_eq!(signals.read(), Ok(None));
        // Sent to this thread alone, the only one that blocks them.
        raise(Signal::SIGTERM).unwrap();
        raise(Signal::SIGUSR1).unwrap();
        let mut told = [signals.read().unwrap().unwrap(), signals.read().unwrap().unwrap()];
        told.sort_by_key(|received| received.signal);
        let sender = Sender::Process(std::process::id());
        assert_eq!(told, [Signal::SIGUSR1, Signal::SIGTERM].map(|signal| Received { signal, sender }));
        assert_eq!(signals.read(), Ok(None));
        signals.original().thread_set_mask().unwrap();
    }
}
