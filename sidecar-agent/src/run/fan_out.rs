//! Hands each event to every sink, as one line that all of them share.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    event::{Event, write_line},
    observe::Consumer,
    sinks::Queue,
};

/// Lines handed over under one lock.
const BATCH: usize = 256;
/// Bytes of lines at which they are handed over, however few they are.
const BATCH_BYTES: usize = 256 * 1024;
/// What a line takes besides its text: itself, its count of holders, and what the allocator adds to both.
const LINE: usize = size_of::<Line>() + 96;

/// One event as JSON, without its newline.
#[derive(Clone, Debug)]
pub(super) struct Line(pub(super) Bytes);

impl Line {
    /// The bytes that a line takes while it waits. What sinks share counts for each.
    pub(super) fn weight(&self) -> usize {
        self.0.len() + LINE
    }
}

/// The consumer of `sidecar run`.
pub(super) struct FanOut {
    queues: Vec<Arc<Queue<Line>>>,
    batch: Vec<Line>,
    batch_bytes: usize,
    /// Where a line is written, before it is copied into as many bytes as it has.
    text: Vec<u8>,
}

impl FanOut {
    pub(super) fn new(queues: Vec<Arc<Queue<Line>>>) -> Self {
        Self { queues, batch: Vec::with_capacity(BATCH), batch_bytes: 0, text: Vec::new() }
    }

    fn hand_on(&mut self) {
        for queue in &self.queues {
            queue.push_all(&mut self.batch.clone());
        }
        self.batch.clear();
        self.batch_bytes = 0;
    }
}

impl Consumer for FanOut {
    fn take(&mut self, event: Event) {
        if self.queues.is_empty() {
            return;
        }
        self.text.clear();
        match write_line(&event, &mut self.text) {
            Ok(()) => {
                self.text.pop();
                let line = Line(Bytes::copy_from_slice(&self.text));
                self.batch_bytes += line.weight();
                self.batch.push(line);
            }
            Err(error) => tracing::error!("an event has no form in JSON: {error}"),
        }
        if self.batch.len() >= BATCH || self.batch_bytes >= BATCH_BYTES {
            self.hand_on();
        }
    }

    fn idle(&mut self) {
        if !self.batch.is_empty() {
            self.hand_on();
        }
    }
}
