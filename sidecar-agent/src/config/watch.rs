//! Tells when the configuration file changes, however it is replaced. It sleeps until the kernel wakes it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};

use super::chain::{Chain, Identity};

/// How long a file has to be left alone before its change is told, so that one that is written in pieces is told
/// once.
const QUIET: Duration = Duration::from_millis(100);

/// After so many times [`QUIET`] a change is told even if there are more.
const MOST_QUIET: u32 = 10;

/// What happened to the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// It was written or replaced, or is there again.
    Changed,
    /// It is no longer there.
    Gone,
    /// It can't be watched any more, and why. Changes may go unseen until the next one that is seen.
    Unseen(String),
}

/// Why a file can't be watched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The kernel has no more watches to give, or no memory.
    #[error(
        "changes of {} can't be noticed: {error} (the limits are in /proc/sys/fs/inotify)", path.display()
    )]
    Refused {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The thread can't be started.
    #[error("starting the thread that watches the configuration: {0}")]
    Thread(#[source] io::Error),
}

/// A file that is watched until this is dropped.
#[derive(Debug)]
pub struct Watch {
    stop: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches a file, which need not be there yet. `tell` is called on a thread of the watch's own whenever the
    /// file has changed since this call, so start to watch before reading it. `tell` must not wait for long:
    /// dropping the watch waits for it.
    ///
    /// # Errors
    /// The kernel has no watch or no thread to give.
    pub fn start(path: &Path, tell: impl FnMut(FileState) + Send + 'static) -> Result<Self, WatchError> {
        let refused = |error| WatchError::Refused { path: path.to_owned(), error };
        let absolute = std::path::absolute(path).map_err(refused)?;
        let no = |error: Errno| refused(error.into());
        let mut chain = Chain::new(absolute).map_err(no)?;
        let last = chain.arm().map_err(no)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let stop = Arc::new(EventFd::from_flags(flags).map_err(no)?);
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("sidecar-config".to_owned())
            .spawn(move || watch(chain, &stopped, last, tell))
            .map_err(WatchError::Thread)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // A counter that is full has been written to already.
        let _ = self.stop.write(1);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that watched the configuration had panicked");
        }
    }
}

fn watch(mut chain: Chain, stop: &EventFd, mut last: Option<Identity>, mut tell: impl FnMut(FileState)) {
    while sleep(stop, Some(chain.inotify.as_fd()), PollTimeout::NONE) {
        let mut on_the_way = chain.drain();
        // What happens elsewhere in the same directory costs no more than one look in this time either.
        for _ in 0..MOST_QUIET {
            if !sleep(stop, None, PollTimeout::try_from(QUIET).unwrap_or(PollTimeout::ZERO)) {
                return;
            }
            let more = chain.drain();
            on_the_way |= more;
            if !more {
                break;
            }
        }
        if !on_the_way {
            continue;
        }
        match chain.arm() {
            Ok(found) if found == last => {}
            Ok(found) => {
                last = found;
                tell(if found.is_some() { FileState::Changed } else { FileState::Gone });
            }
            Err(error) => tell(FileState::Unseen(error.desc().to_owned())),
        }
    }
}

/// Sleeps until something happened or the time is over; false: the watch ends.
fn sleep(stop: &EventFd, inotify: Option<BorrowedFd<'_>>, time: PollTimeout) -> bool {
    let mut waits = vec![PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
    waits.extend(inotify.map(|inotify| PollFd::new(inotify, PollFlags::POLLIN)));
    match poll(&mut waits, time) {
        Ok(_) => waits[0].any() == Some(false),
        Err(Errno::EINTR) => true,
        // Nothing can be waited for: to go on would be to spin.
        Err(_) => false,
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
