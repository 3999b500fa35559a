//! What this process was started with, and what differs from it by now: Rust's runtime ignores SIGPIPE and opens
//! /dev/null for closed standard descriptors before `main`, and sidecar does not die of its own report's size. A
//! command gets the state from before.
//!
//! One trace is left: if the two signals that glibc keeps for itself (32, 33) were ignored, the command has them
//! at their default, because glibc handles them in every process with threads and lets nobody set them.

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};

const PIPE_IGNORED: u8 = 1;
const CHILD_IGNORED: u8 = 2;
const STDIN_CLOSED: u8 = 4;
const STDOUT_CLOSED: u8 = 8;
const STDERR_CLOSED: u8 = 16;
const FILE_SIZE_IGNORED: u8 = 32;

static SEEN: AtomicU8 = AtomicU8::new(0);

/// The loader calls what stands here before `main`, so before the runtime.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = look;

extern "C" fn look() {
    let mut seen = 0;
    for (number, bit) in
        [(libc::SIGPIPE, PIPE_IGNORED), (libc::SIGCHLD, CHILD_IGNORED), (libc::SIGXFSZ, FILE_SIZE_IGNORED)]
    {
        let mut action = MaybeUninit::<libc::sigaction>::uninit();
        // SAFETY: without a new action sigaction only writes the present one to a valid place.
        let known = unsafe { libc::sigaction(number, ptr::null(), action.as_mut_ptr()) } == 0;
        // SAFETY: the call has succeeded, so it has filled the structure.
        if known && unsafe { action.assume_init() }.sa_sigaction == libc::SIG_IGN {
            seen |= bit;
        }
    }
    for (fd, bit) in [(0, STDIN_CLOSED), (1, STDOUT_CLOSED), (2, STDERR_CLOSED)] {
        // SAFETY: F_GETFD takes no pointer and changes nothing, whatever the number is.
        if unsafe { libc::fcntl(fd, libc::F_GETFD) } == -1 {
            seen |= bit;
        }
    }
    SEEN.store(seen, Ordering::Relaxed);
}

/// What this process was started with.
#[derive(Clone, Copy, Debug)]
pub(super) struct StartState(u8);

impl StartState {
    pub(super) fn get() -> Self {
        Self(SEEN.load(Ordering::Relaxed))
    }

    fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// Makes children waitable, for while SIGCHLD is ignored the kernel throws their exit status away; and makes a
    /// write beyond the limit of file sizes an error like any other, where it would end this process.
    pub(super) fn shield(self) -> Result<(), Errno> {
        // SAFETY: the disposition runs no code of ours.
        unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }?;
        if self.has(CHILD_IGNORED) {
            // SAFETY: the default disposition runs no code of ours.
            unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) }?;
        }
        Ok(())
    }

    /// Gives the calling process its start state back. For the time between fork and exec: allocates nothing,
    /// takes no lock.
    pub(super) fn restore(self) -> Result<(), Errno> {
        for (number, bit) in [
            (Signal::SIGPIPE, PIPE_IGNORED),
            (Signal::SIGCHLD, CHILD_IGNORED),
            (Signal::SIGXFSZ, FILE_SIZE_IGNORED),
        ] {
            let handler = if self.has(bit) { SigHandler::SigIgn } else { SigHandler::SigDfl };
            // SAFETY: neither disposition runs code of ours.
            unsafe { signal(number, handler) }?;
        }
        for (fd, bit) in [(0, STDIN_CLOSED), (1, STDOUT_CLOSED), (2, STDERR_CLOSED)] {
            if self.has(bit) {
                nix::unistd::close::<RawFd>(fd)?;
            }
        }
        Ok(())
    }
}
