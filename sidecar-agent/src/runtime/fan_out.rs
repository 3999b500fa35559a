//! Hands each event to everybody: sinks, handlers, streams, and the list of tests. Serialised once, and never waited for.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::seen::Seen;
use crate::{
    event::{Event, write_line},
    handlers::{Handlers, Message},
    mapping::EventKind,
    observe::Consumer,
    sinks::Queue,
    stream::Hub,
};

/// Lines handed over under one lock.
const BATCH: usize = 256;
/// Bytes handed over at the latest.
const BATCH_BYTES: usize = 256 << 10;
/// Events in a row after which the list of tests is left alone until there is time again.
const BUSY: u32 = 2048;

/// One event as JSON, without its newline.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) text: Bytes,
    /// Others make room for it.
    pub(super) precious: bool,
}

impl Line {
    /// Bytes that it takes while it waits.
    pub(super) fn weight(&self) -> usize {
        self.text.len() + size_of::<Self>()
    }
}

/// The consumer of a runtime.
pub(super) struct FanOut {
    queues: Vec<Arc<Queue<Line>>>,
    /// The lines of a batch, one after the other: they share one allocation.
    text: Vec<u8>,
    /// Where each line ends in it, and whether it is precious.
    ends: Vec<(usize, bool)>,
    handlers: Arc<Handlers>,
    hub: Arc<Hub>,
    seen: Arc<Mutex<Seen>>,
    /// Events since there was time.
    busy: u32,
}

impl FanOut {
    pub(super) fn new(
        queues: Vec<Arc<Queue<Line>>>,
        handlers: Arc<Handlers>,
        hub: Arc<Hub>,
        seen: Arc<Mutex<Seen>>,
    ) -> Self {
        let ends = Vec::with_capacity(BATCH);
        Self { queues, text: Vec::new(), ends, handlers, hub, seen, busy: 0 }
    }

    /// Writes the event behind the batch's text, without a newline; gives where it begins.
    fn write(&mut self, event: &Event) -> Option<usize> {
        let start = self.text.len();
        match write_line(event, &mut self.text) {
            Ok(()) => {
                self.text.pop();
                Some(start)
            }
            Err(error) => {
                self.text.truncate(start);
                tracing::error!("an event has no form in JSON: {error}");
                None
            }
        }
    }

    fn hand_on(&mut self) {
        // The next batch is likely to be about as long.
        let next = Vec::with_capacity(self.text.len());
        let text = Bytes::from(std::mem::replace(&mut self.text, next));
        let mut start = 0;
        let mut lines: Vec<Line> = Vec::with_capacity(self.ends.len());
        for (end, precious) in self.ends.drain(..) {
            lines.push(Line { text: text.slice(start..end), precious });
            start = end;
        }
        if let Some((last, others)) = self.queues.split_last() {
            for queue in others {
                queue.push_all(&mut lines.clone());
            }
            last.push_all(&mut lines);
        }
    }

    fn remember(&mut self, event: &Event) {
        match event.kind {
            EventKind::TestStart | EventKind::TestEnd => self.busy = self.busy.saturating_add(1),
            EventKind::Generic => {}
            EventKind::Anomaly => return,
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if event.kind == EventKind::Generic {
            return seen.count(event);
        }
        if self.busy < BUSY {
            seen.take(event);
        } else {
            seen.omit();
        }
    }
}

impl Consumer for FanOut {
    fn take(&mut self, event: Event) {
        self.remember(&event);
        let streams = self.hub.wanted();
        if !self.queues.is_empty() || streams {
            if let Some(start) = self.write(&event) {
                if streams {
                    self.hub.publish(&event, &Bytes::copy_from_slice(&self.text[start..]));
                }
                if self.queues.is_empty() {
                    self.text.truncate(start);
                } else {
                    self.ends.push((self.text.len(), event.precious));
                }
            }
            if self.ends.len() >= BATCH || self.text.len() >= BATCH_BYTES {
                self.hand_on();
            }
        }
        if !self.handlers.is_empty() {
            self.handlers.dispatch(&Message::new(event));
        }
    }

    fn idle(&mut self) {
        self.busy = 0;
        if !self.ends.is_empty() {
            self.hand_on();
        }
    }
}
