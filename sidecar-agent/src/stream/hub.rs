//! The hub and its subscribers' rings.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::Filter;
use crate::event::Event;
use crate::metrics::StreamEvents;

/// What the subscribers of a hub may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HubLimits {
    /// Most subscribers at a time.
    pub subscribers: usize,
    /// Most events that wait for one of them.
    pub events: usize,
    /// Most bytes of events that wait for all of them together; each has an equal part.
    pub bytes: usize,
}

impl Default for HubLimits {
    fn default() -> Self {
        Self { subscribers: 16, events: 4096, bytes: 4 << 20 }
    }
}

/// Why there is no further subscriber.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{most} clients read the stream of events, and no more may")]
pub struct TooMany {
    /// Most at a time.
    pub most: usize,
}

/// Hands events to its subscribers.
pub struct Hub {
    limits: HubLimits,
    subscribers: Mutex<Vec<Arc<Place>>>,
    /// The number of subscribers, so that nobody's event needs the lock.
    count: AtomicUsize,
    /// Numbers the events that were published.
    next: AtomicU64,
    offered: AtomicU64,
    taken: AtomicU64,
    lost: AtomicU64,
    left: AtomicU64,
    closed: AtomicBool,
}

/// What a subscriber gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// An event.
    Event {
        /// Its number, which grows from event to event.
        id: u64,
        /// Its JSON, one line without a newline.
        line: Bytes,
    },
    /// So many events found no room, at this point of the stream.
    Lost(u64),
}

/// A subscriber's ring.
struct Place {
    filter: Filter,
    ring: Mutex<Ring>,
    filled: Notify,
}

#[derive(Default)]
struct Ring {
    items: VecDeque<(u64, Bytes)>,
    bytes: usize,
    /// Lost, and not told of yet.
    lost: u64,
    /// Taken so far.
    taken: u64,
    closed: bool,
}

impl Hub {
    /// A hub without subscribers.
    #[must_use]
    pub fn new(limits: HubLimits) -> Self {
        Self {
            limits,
            subscribers: Mutex::default(),
            count: AtomicUsize::new(0),
            next: AtomicU64::new(1),
            offered: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            left: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    /// Whether anybody listens: if not, an event need not be written as JSON.
    #[must_use]
    pub fn wanted(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    /// Subscribers now.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    /// What became of the events since the start, each counted for each subscriber that was to get it.
    #[must_use]
    pub fn stats(&self) -> StreamEvents {
        // Nobody comes or goes, and nothing is offered, while this is held.
        let subscribers = self.lock();
        let (mut taken, mut waiting) = (self.taken.load(Ordering::Relaxed), 0);
        for place in subscribers.iter() {
            let ring = place.ring();
            taken += ring.taken;
            waiting += ring.items.len() as u64;
        }
        StreamEvents {
            offered: self.offered.load(Ordering::Relaxed),
            taken,
            lost: self.lost.load(Ordering::Relaxed),
            left: self.left.load(Ordering::Relaxed),
            waiting,
        }
    }

    /// Puts an event into the rings of those whose filter it passes. `line` is its JSON without a newline.
    pub fn publish(&self, event: &Event, line: &Bytes) {
        if !self.wanted() {
            return;
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let subscribers = self.lock();
        let part = HubLimits { bytes: self.limits.bytes / subscribers.len().max(1), ..self.limits };
        for place in subscribers.iter() {
            if place.filter.passes(event)
                && let Some(lost) = place.put(id, line.clone(), &part)
            {
                self.offered.fetch_add(1, Ordering::Relaxed);
                self.lost.fetch_add(lost, Ordering::Relaxed);
            }
        }
    }

    /// A new subscriber, which gets what is published from now on.
    ///
    /// # Errors
    /// There are as many as may be.
    pub fn subscribe(self: &Arc<Self>, filter: Filter) -> Result<Subscriber, TooMany> {
        let mut subscribers = self.lock();
        if subscribers.len() >= self.limits.subscribers {
            return Err(TooMany { most: self.limits.subscribers });
        }
        let closed = self.closed.load(Ordering::Relaxed);
        let ring = Mutex::new(Ring { closed, ..Ring::default() });
        let place = Arc::new(Place { filter, ring, filled: Notify::new() });
        subscribers.push(Arc::clone(&place));
        self.count.store(subscribers.len(), Ordering::Relaxed);
        Ok(Subscriber { hub: Arc::clone(self), place })
    }

    /// Ends every subscription once it has given what waits.
    pub fn close(&self) {
        let subscribers = self.lock();
        self.closed.store(true, Ordering::Relaxed);
        for place in subscribers.iter() {
            place.ring().closed = true;
            place.filled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Place>>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Puts an event into the ring; the number of events that were lost for it. None once the ring is closed.
    fn put(&self, id: u64, line: Bytes, limits: &HubLimits) -> Option<u64> {
        let mut ring = self.ring();
        if ring.closed {
            return None;
        }
        let mut lost = 0;
        ring.bytes += line.len();
        ring.items.push_back((id, line));
        while ring.items.len() > limits.events.max(1) || ring.bytes > limits.bytes {
            let Some((_, oldest)) = ring.items.pop_front() else { break };
            ring.bytes -= oldest.len();
            lost += 1;
        }
        ring.lost += lost;
        drop(ring);
        self.filled.notify_one();
        Some(lost)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads events. Its drop ends the subscription.
pub struct Subscriber {
    hub: Arc<Hub>,
    place: Arc<Place>,
}

impl Subscriber {
    /// The next item, once there is one; none at the hub's end. What was lost is told before what is left.
    pub async fn next(&mut self) -> Option<Item> {
        loop {
            {
                let mut ring = self.place.ring();
                if ring.lost > 0 {
                    return Some(Item::Lost(std::mem::take(&mut ring.lost)));
                }
                if let Some((id, line)) = ring.items.pop_front() {
                    ring.bytes -= line.len();
                    ring.taken += 1;
                    return Some(Item::Event { id, line });
                }
                if ring.closed {
                    return None;
                }
            }
            self.place.filled.notified().await;
        }
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        let mut subscribers = self.hub.lock();
        subscribers.retain(|place| !Arc::ptr_eq(place, &self.place));
        let ring = self.place.ring();
        self.hub.taken.fetch_add(ring.taken, Ordering::Relaxed);
        self.hub.left.fetch_add(ring.items.len() as u64, Ordering::Relaxed);
        self.hub.count.store(subscribers.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
