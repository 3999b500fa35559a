//! Hands each event to every sink and to the stream, as one line that all of them share.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    event::{Event, write_line},
    observe::Consumer,
    sinks::Queue,
    stream::Hub,
};

/// Lines handed over under one lock.
const BATCH: usize = 256;

/// One event as JSON, without its newline.
#[derive(Clone, Debug)]
pub(super) struct Line(pub(super) Bytes);

/// The consumer of `sidecar run`.
pub(super) struct FanOut {
    queues: Vec<Arc<Queue<Line>>>,
    events: Arc<Hub>,
    batch: Vec<Line>,
}

impl FanOut {
    pub(super) fn new(queues: Vec<Arc<Queue<Line>>>, events: Arc<Hub>) -> Self {
        Self { queues, events, batch: Vec::with_capacity(BATCH) }
    }

    fn hand_on(&mut self) {
        for queue in &self.queues {
            queue.push_all(&mut self.batch.clone());
        }
        self.batch.clear();
    }
}

impl Consumer for FanOut {
    fn take(&mut self, event: Event) {
        if self.queues.is_empty() && !self.events.wanted() {
            return;
        }
        let mut line = Vec::with_capacity(512);
        match write_line(&event, &mut line) {
            Ok(()) => {
                line.pop();
                let line = Bytes::from(line);
                self.events.publish(&event, &line);
                if !self.queues.is_empty() {
                    self.batch.push(Line(line));
                }
            }
            Err(error) => tracing::error!("an event has no form in JSON: {error}"),
        }
        if self.batch.len() >= BATCH {
            self.hand_on();
        }
    }

    fn idle(&mut self) {
        if !self.batch.is_empty() {
            self.hand_on();
        }
    }
}
