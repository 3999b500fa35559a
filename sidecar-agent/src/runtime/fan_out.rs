//! Hands each event to everybody: sinks, handlers, streams, and the list of tests. Serialised once, and never waited for.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::seen::Seen;
use crate::{
    event::Event,
    handlers::{Handlers, Message},
    observe::Consumer,
    sinks::Queue,
    stream::Hub,
};

/// Lines handed over under one lock.
const BATCH: usize = 256;
/// Bytes handed over at the latest.
const BATCH_BYTES: usize = 256 << 10;

/// One event as JSON, without its newline.
#[derive(Clone, Debug)]
pub(super) struct Line(pub(super) Bytes);

impl Line {
    /// Bytes that it takes while it waits.
    pub(super) fn weight(&self) -> usize {
        self.0.len() + size_of::<Self>()
    }
}

/// The consumer of a runtime.
pub(super) struct FanOut {
    queues: Vec<Arc<Queue<Line>>>,
    batch: Vec<Line>,
    weight: usize,
    handlers: Arc<Handlers>,
    hub: Arc<Hub>,
    seen: Arc<Mutex<Seen>>,
}

impl FanOut {
    pub(super) fn new(
        queues: Vec<Arc<Queue<Line>>>,
        handlers: Arc<Handlers>,
        hub: Arc<Hub>,
        seen: Arc<Mutex<Seen>>,
    ) -> Self {
        Self { queues, batch: Vec::with_capacity(BATCH), weight: 0, handlers, hub, seen }
    }

    fn hand_on(&mut self) {
        if let Some((last, others)) = self.queues.split_last() {
            for queue in others {
                queue.push_all(&mut self.batch.clone());
            }
            last.push_all(&mut self.batch);
        }
        self.batch.clear();
        self.weight = 0;
    }
}

impl Consumer for FanOut {
    fn take(&mut self, event: Event) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).take(&event);
        let message = Message::new(event);
        let wanted = !self.queues.is_empty() || self.hub.wanted();
        if wanted && let Some(line) = message.line() {
            self.hub.publish(message.event(), &line);
            if !self.queues.is_empty() {
                self.weight += line.len();
                self.batch.push(Line(line));
            }
        }
        if self.batch.len() >= BATCH || self.weight >= BATCH_BYTES {
            self.hand_on();
        }
        if !self.handlers.is_empty() {
            self.handlers.dispatch(&message);
        }
    }

    fn idle(&mut self) {
        if !self.batch.is_empty() {
            self.hand_on();
        }
    }
}
