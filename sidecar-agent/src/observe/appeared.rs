//! Looks at files as they appear in watched folders. On a thread of its own, because it sleeps on what the kernel tells
//! of folders.

use std::{
    os::fd::AsFd,
    sync::Arc,
    thread::{self, JoinHandle},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::eventfd::{EfdFlags, EventFd},
};

use super::{folders::Folders, look::consider_libraries, remote::Remote, shared::Shared};
use crate::elf::open;

/// How often it is checked that the watched folders are still those that the globs name, in milliseconds.
const CHECK_MS: u16 = 10_000;

/// The running thread; none where no folder is watched.
pub(super) struct Appeared {
    stop: Option<Arc<EventFd>>,
    thread: Option<JoinHandle<()>>,
}

impl Appeared {
    /// Starts it, if any folder is watched. Where that can't be, files are looked at as they start.
    pub(super) fn start(folders: Folders, shared: &Arc<Shared>) -> Self {
        let mut appeared = Self { stop: None, thread: None };
        if folders.descriptor().is_none() {
            return appeared;
        }
        match EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK) {
            Ok(stop) => {
                let (stop, shared) = (Arc::new(stop), Arc::clone(shared));
                appeared.stop = Some(Arc::clone(&stop));
                let body = move || serve(folders, &shared, &stop);
                match thread::Builder::new().name("sidecar-folders".to_owned()).spawn(body) {
                    Ok(thread) => appeared.thread = Some(thread),
                    Err(error) => cannot(&error),
                }
            }
            Err(error) => cannot(&error.into()),
        }
        appeared
    }
}

fn cannot(error: &std::io::Error) {
    tracing::warn!(
        "the folders of discovery.files are not watched: {error}; programs are looked at as they start"
    );
}

impl Drop for Appeared {
    fn drop(&mut self) {
        if let Some(stop) = &self.stop {
            // A counter that is full has been written to already.
            let _ = stop.write(1);
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that looks at watched folders panicked");
        }
    }
}

fn serve(mut folders: Folders, shared: &Shared, stop: &EventFd) {
    loop {
        let Some(happened) = wait(&folders, stop) else { return };
        let remote = Remote::now();
        let files = if happened { folders.take(&remote) } else { folders.check(&remote) };
        for path in files {
            if is_stopped(stop) {
                return;
            }
            // Gone again, or no file: nothing to look at, and anybody may bring that about.
            let Ok(file) = remote.resolve(&path).and_then(|real| open(&real)) else { continue };
            shared.consider(&file, &path);
            consider_libraries(shared, &file, &path);
        }
    }
}

fn is_stopped(stop: &EventFd) -> bool {
    let mut waits = [PollFd::new(stop.as_fd(), PollFlags::POLLIN)];
    poll(&mut waits, PollTimeout::ZERO).is_ok() && waits[0].any() != Some(false)
}

/// Sleeps until something happened (true) or a check is due; None: the thread ends.
fn wait(folders: &Folders, stop: &EventFd) -> Option<bool> {
    let mut waits =
        [PollFd::new(stop.as_fd(), PollFlags::POLLIN), PollFd::new(folders.descriptor()?, PollFlags::POLLIN)];
    match poll(&mut waits, CHECK_MS) {
        Ok(ready) => (waits[0].any() == Some(false)).then_some(ready > 0),
        Err(Errno::EINTR) => Some(false),
        // Nothing can be waited for: to go on would be to spin.
        Err(_) => None,
    }
}
