//! The thread that answers the gate: it attaches to what is about to be executed, and lets it go.

use std::{
    io,
    os::fd::AsFd as _,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::{
    attach::{Outcome, Reason},
    gate::{Gate, GateError, GateStats, Request},
    observe::Images,
};

/// How long the thread sleeps at most: bounds how late it sees that it is to end.
const PATIENCE: Duration = Duration::from_millis(500);

/// A gate with somebody to answer it.
pub(super) struct Holding {
    gate: Arc<Gate>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Holding {
    /// Starts the gate process and the thread.
    pub(super) fn start(options: crate::gate::Options, images: Images) -> Result<Self, GateError> {
        let gate = Arc::new(Gate::start(options)?);
        let stop = Arc::new(AtomicBool::new(false));
        let body = {
            let (gate, stop) = (Arc::clone(&gate), Arc::clone(&stop));
            move || {
                while !stop.load(Ordering::Acquire) {
                    if let Err(error) = serve(&gate, &images) {
                        if !stop.load(Ordering::Acquire) {
                            tracing::warn!("{error}");
                        }
                        return;
                    }
                }
            }
        };
        let thread =
            thread::Builder::new().name("sidecar-gate".to_owned()).spawn(body).map_err(GateError::Spawn)?;
        for mount in gate.unmarked() {
            tracing::debug!("programs are not held on {mount}");
        }
        Ok(Self { gate, stop, thread: Some(thread) })
    }

    /// Lets everyone go and ends the gate process. Gives the last counts.
    pub(super) fn finish(mut self) -> GateStats {
        self.stop.store(true, Ordering::Release);
        self.gate.shutdown();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that answers the gate panicked");
        }
        // Only now: the thread may have been the one who heard the last counts.
        self.gate.stats()
    }
}

/// Waits for questions for a while and answers those that come.
fn serve(gate: &Gate, images: &Images) -> Result<(), GateError> {
    let timeout = PollTimeout::try_from(PATIENCE).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(gate.as_fd(), PollFlags::POLLIN)], timeout) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => {}
        Err(error) => return Err(GateError::Receive(io::Error::from(error))),
    }
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
    let outcome = images.consider_with_libraries(&request.file, &path);
    !matches!(outcome, Outcome::Refused { reason: Reason::Changed | Reason::Unreadable | Reason::Full, .. })
}
