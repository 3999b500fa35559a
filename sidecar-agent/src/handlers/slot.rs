//! One handler at work: its filter, its queue, its counters, and its end.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{oneshot, watch};

use super::engine::{Engine, Work};
use super::filter::Filter;
use super::inlet::{Inlet, Intake};
use super::message::Message;
use super::stats::{HandlerStats, Kind};
use super::tally::{Tally, Worker};
use crate::config::HandlerConfig;

/// A handler.
pub(super) struct Slot {
    pub(super) name: String,
    /// What it was made of; none for a function.
    pub(super) config: Option<HandlerConfig>,
    filter: Filter,
    pub(super) intake: Intake,
    pub(super) tally: Arc<Tally>,
    pub(super) stop: watch::Sender<bool>,
    /// True once it has ended and all is counted.
    pub(super) ended: watch::Sender<bool>,
    /// One for each worker: resolved when it has ended.
    workers: Mutex<Vec<oneshot::Receiver<()>>>,
}

impl Slot {
    /// A handler without workers.
    pub(super) fn new(
        name: &str,
        kind: Kind,
        config: Option<HandlerConfig>,
        filter: Filter,
        intake: Intake,
    ) -> Self {
        Self {
            name: name.to_owned(),
            config,
            filter,
            intake,
            tally: Arc::new(Tally::new(name, kind)),
            stop: watch::Sender::new(false),
            ended: watch::Sender::new(false),
            workers: Mutex::default(),
        }
    }

    /// Offers it an event, if it wants it.
    pub(super) fn offer(&self, message: &Message) {
        if self.filter.matches(message.event()) {
            self.intake.offer(message, &self.tally);
        }
    }

    pub(super) fn inlet(&self) -> Inlet {
        Inlet {
            queue: Arc::clone(&self.intake.queue),
            tally: Arc::clone(&self.tally),
            stop: self.stop.subscribe(),
        }
    }

    /// Sets a worker to work.
    pub(super) fn start(&self, engine: &Engine, work: Work) -> std::io::Result<()> {
        let done = engine.start(work, Worker::new(&self.tally))?;
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).push(done);
        Ok(())
    }

    /// What resolves when the workers end; can be had once.
    pub(super) fn take_workers(&self) -> Vec<oneshot::Receiver<()>> {
        std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends it without a grace: what waits is dropped, and everything is counted.
    pub(super) fn abandon(&self) {
        self.intake.queue.discard();
        self.stop.send_replace(true);
    }

    pub(super) fn stats(&self) -> HandlerStats {
        self.tally.stats(&self.intake)
    }
}
