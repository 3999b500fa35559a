//! Makes the gate process independent of where it was started.

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{chdir, close, setsid};
use std::fs;

/// Most events that one read of the fanotify descriptor returns (nix reads 4,096 bytes; an event has 24).
const MAX_READ: u64 = 171;
/// Descriptors kept free for everything but events.
const SPARE_FILES: u64 = 32;

/// As `nice` has it.
const NICENESS: i32 = -10;

/// Leaves the terminal, the directory, and the inherited descriptors, and asks to be the last to be killed.
pub(super) fn detach() -> Result<(), Errno> {
    let terminal = [Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT, Signal::SIGTSTP, Signal::SIGTTIN];
    terminal.into_iter().chain([Signal::SIGTTOU]).collect::<SigSet>().thread_set_mask()?;
    setsid()?;
    chdir("/")?;
    let inherited: Vec<i32> = fs::read_dir("/proc/self/fd")
        .map(|entries| {
            entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
        })
        .unwrap_or_default();
    for fd in inherited.into_iter().filter(|&fd| fd > 2) {
        // The descriptor of the listing itself is in the list and closed already.
        let _ = close(fd);
    }
    // Only names and preferences: nothing depends on them. Execs wait for this process to get the processor, so it comes
    // before ordinary ones where that is permitted.
    let _ = rustix::process::setpriority_process(None, NICENESS);
    let _ = fs::write("/proc/self/comm", "sidecar-gate");
    let _ = fs::write("/proc/self/oom_score_adj", "-500");
    Ok(())
}

/// Raises the limit of open files and returns how many events may be held. Each event is an open file, and
/// the kernel refuses an exec whose event finds no room.
pub(super) fn room_for_events(wanted: u32) -> Result<usize, Errno> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    let room = hard.saturating_sub(MAX_READ + SPARE_FILES);
    if room == 0 {
        return Err(Errno::EMFILE);
    }
    Ok(usize::try_from(u64::from(wanted).min(room)).unwrap_or(usize::MAX))
}
