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

/// One event as JSON, without its newline.
#[derive(Clone, Debug)]
pub(super) struct Line(pub(super) Bytes);

/// The consumer of `sidecar run`.
pub(super) struct FanOut {
    queues: Vec<Arc<Queue<Line>>>,
    /// The lines of a batch, one after the other: they share one allocation.
    text: Vec<u8>,
    /// Where each line ends in it.
    ends: Vec<usize>,
}

impl FanOut {
    pub(super) fn new(queues: Vec<Arc<Queue<Line>>>) -> Self {
        Self { queues, text: Vec::new(), ends: Vec::with_capacity(BATCH) }
    }

    fn hand_on(&mut self) {
        // The next batch is likely to be about as long.
        let next = Vec::with_capacity(self.text.len());
        let text = Bytes::from(std::mem::replace(&mut self.text, next));
        let mut start = 0;
        let mut lines: Vec<Line> = Vec::with_capacity(self.ends.len());
        for end in self.ends.drain(..) {
            lines.push(Line(text.slice(start..end)));
            start = end;
        }
        if let Some((last, others)) = self.queues.split_last() {
            for queue in others {
                queue.push_all(&mut lines.clone());
            }
            last.push_all(&mut lines);
        }
    }
}

impl Consumer for FanOut {
    fn take(&mut self, event: Event) {
        if self.queues.is_empty() {
            return;
        }
        let start = self.text.len();
        match write_line(&event, &mut self.text) {
            Ok(()) => {
                self.text.pop();
                self.ends.push(self.text.len());
            }
            Err(error) => {
                self.text.truncate(start);
                tracing::error!("an event has no form in JSON: {error}");
            }
        }
        if self.ends.len() >= BATCH {
            self.hand_on();
        }
    }

    fn idle(&mut self) {
        if !self.ends.is_empty() {
            self.hand_on();
        }
    }
}
