//! What stands in front of a handler: a queue that is bounded in events and in bytes, and never blocks who offers.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::sync::watch;

use super::message::Message;
use super::tally::Tally;
use crate::sinks::Queue;

/// The queue in front of a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueOptions {
    /// Events that wait at most.
    pub size: usize,
    /// Memory of the events that wait or are worked on, about, at most. What handlers share counts for each.
    pub bytes: usize,
    /// A full queue drops its oldest event (true) or refuses the new one (false).
    pub drop_on_full: bool,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self { size: 1000, bytes: 4 << 20, drop_on_full: true }
    }
}

/// A message in a handler's hands, for as long as its memory counts there.
pub(super) struct Held {
    message: Message,
    weight: usize,
    total: Arc<AtomicUsize>,
}

impl Deref for Held {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.total.fetch_sub(self.weight, Relaxed);
    }
}

/// The queue's end where events are put in.
pub(super) struct Intake {
    pub(super) queue: Arc<Queue<Held>>,
    bytes: Arc<AtomicUsize>,
    options: QueueOptions,
}

impl Intake {
    pub(super) fn new(options: QueueOptions) -> Self {
        let queue = Queue::new(options.size, options.drop_on_full);
        let queue = Arc::new(queue.preferring(|held: &Held| held.event().precious));
        Self { queue, bytes: Arc::default(), options }
    }

    /// Memory of the events that wait or are worked on.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Offers a message. What has no room, this one or older ones, is counted.
    pub(super) fn offer(&self, message: &Message, tally: &Tally) {
        let weight = message.weight();
        let before = self.bytes.fetch_add(weight, Relaxed);
        let held = Held { message: message.clone(), weight, total: Arc::clone(&self.bytes) };
        if !self.options.drop_on_full && before + weight > self.options.bytes {
            return tally.refused();
        }
        self.queue.push(held);
        while self.bytes() > self.options.bytes && self.queue.shed_one() {}
    }
}

/// What a worker of a handler takes its events from, and where it says what became of them.
#[derive(Clone)]
pub(super) struct Inlet {
    pub(super) queue: Arc<Queue<Held>>,
    pub(super) tally: Arc<Tally>,
    /// True: end now, whatever is going on.
    pub(super) stop: watch::Receiver<bool>,
}
