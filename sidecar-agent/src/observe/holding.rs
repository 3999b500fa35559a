//! The thread that answers the gate: it attaches to what is about to be executed, and lets it go.

use std::{
    io,
    os::fd::AsFd as _,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::{Images, priority};
use crate::{
    attach::{Outcome, Reason},
    gate::{Gate, GateError, GateStats, Request},
};

/// How long the thread sleeps at most: bounds how late it sees that it is to end.
const PATIENCE: Duration = Duration::from_millis(500);

/// A gate with somebody to answer it.
pub struct Holding {
    seen: GateHandle,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What others see of a gate.
#[derive(Clone, Debug)]
pub struct GateHandle {
    gate: Arc<Gate>,
    ended: Arc<OnceLock<String>>,
}

impl GateHandle {
    /// The counts, at most a second old.
    #[must_use]
    pub fn stats(&self) -> GateStats {
        self.gate.stats()
    }

    /// Filesystems on which programs are held, and those on which they are not.
    #[must_use]
    pub fn filesystems(&self) -> (u64, u64) {
        (self.gate.filesystems().into(), self.gate.unmarked().len() as u64)
    }

    /// Why nobody is held any more.
    #[must_use]
    pub fn ended(&self) -> Option<&str> {
        self.ended.get().map(String::as_str)
    }

    /// Has the gate ask again for every file: probes came off.
    pub(super) fn forget(&self) {
        if let Err(error) = self.gate.forget() {
            tracing::debug!("the gate was not told that probes came off: {error}");
        }
    }
}

impl Holding {
    /// Starts the gate process and the thread.
    ///
    /// # Errors
    /// See [`GateError`]; nobody is held then.
    pub fn start(options: crate::gate::Options, images: Images) -> Result<Self, GateError> {
        let seen = GateHandle { gate: Arc::new(Gate::start(options)?), ended: Arc::default() };
        // There is one.
        let _ = images.shared.gate.set(seen.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let body = {
            let (seen, stop) = (seen.clone(), Arc::clone(&stop));
            move || {
                priority::raise();
                while !stop.load(Ordering::Acquire) {
                    if let Err(error) = serve(&seen.gate, &images) {
                        if !stop.load(Ordering::Acquire) {
                            tracing::warn!("{error}");
                        }
                        // The first one stays.
                        let _ = seen.ended.set(error.to_string());
                        return;
                    }
                }
            }
        };
        let thread =
            thread::Builder::new().name("sidecar-gate".to_owned()).spawn(body).map_err(GateError::Spawn)?;
        for mount in seen.gate.unmarked() {
            tracing::debug!("programs are not held on {mount}");
        }
        Ok(Self { seen, stop, thread: Some(thread) })
    }

    /// What others may see of it.
    #[must_use]
    pub fn handle(&self) -> GateHandle {
        self.seen.clone()
    }

    /// Lets everyone go and ends the gate process. Gives the last counts.
    pub fn finish(mut self) -> GateStats {
        self.end();
        // Only now: the thread may have been the one who heard the last counts.
        self.seen.stats()
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Release);
        let Some(thread) = self.thread.take() else { return };
        self.seen.gate.shutdown();
        if thread.join().is_err() {
            tracing::error!("the thread that answers the gate panicked");
        }
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        self.end();
    }
}

/// Waits for questions for a while and answers those that come.
fn serve(gate: &Gate, images: &Images) -> Result<(), GateError> {
    let timeout = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(gate.as_fd(), PollFlags::POLLIN)], timeout) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => {}
        Err(error) => return Err(GateError::Receive(io::Error::from(error))),
    }
    gate.look_after()?;
    while let Some(request) = gate.recv()? {
        let id = request.id;
        if look_at(images, &request) {
            gate.answer(id)?;
        } else {
            gate.answer_once(id)?;
        }
    }
    Ok(())
}

/// Attaches to a file that is about to be executed. Whether the answer holds for the file as it is.
fn look_at(images: &Images, request: &Request) -> bool {
    use std::os::fd::AsRawFd as _;
    let link = PathBuf::from(format!("/proc/self/fd/{}", request.file.as_raw_fd()));
    let path = std::fs::read_link(&link).unwrap_or(link);
    let outcome = images.consider_of_process(&request.file, &path, request.pid);
    !images.is_suspended()
        && !matches!(
            outcome,
            Outcome::Refused { reason: Reason::Changed | Reason::Unreadable | Reason::Full, .. }
        )
}
