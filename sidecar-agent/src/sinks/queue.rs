//! A queue bounded by number, and by bytes if its items are weighed. It never blocks its producer, and its counters
//! balance to the unit: `received = processed + dropped + len`.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;

use super::lanes::{Entry, Lanes};

/// Weight after which a consumer gets no more items in one go: what it holds is in no queue's figures.
const MOST_AT_ONCE: usize = 256 * 1024;

/// What a queue has counted since it was made. All of it is read under one lock, so it balances.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QueueStats {
    /// Most items that wait at once.
    pub capacity: u64,
    /// Items that wait now.
    pub len: u64,
    /// Most items that ever waited.
    pub high_water: u64,
    /// Items offered.
    pub received: u64,
    /// Items handed to the consumer.
    pub processed: u64,
    /// Waiting items that made room for newer ones.
    pub dropped_oldest: u64,
    /// Items refused because the queue was full.
    pub dropped_newest: u64,
    /// Items offered after the end, or still waiting when the queue was discarded.
    pub dropped_shutdown: u64,
    /// Items dropped because of the bound in bytes, or given up for their memory.
    pub dropped_memory: u64,
    /// Most bytes that wait at once; 0 where items are not weighed.
    pub max_bytes: u64,
    /// Bytes that wait now.
    pub bytes: u64,
}

impl QueueStats {
    /// Drops by reason, as in metrics and the API.
    #[must_use]
    pub const fn drops(&self) -> [(&'static str, u64); 4] {
        [
            ("queue_full_oldest", self.dropped_oldest),
            ("queue_full_newest", self.dropped_newest),
            ("shutdown", self.dropped_shutdown),
            ("memory", self.dropped_memory),
        ]
    }

    /// Drops for any reason.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped_oldest + self.dropped_newest + self.dropped_shutdown + self.dropped_memory
    }
}

/// Up to where a queue takes items.
#[derive(Clone, Copy)]
struct Limits {
    items: usize,
    bytes: usize,
    drop_oldest: bool,
}

impl Limits {
    /// 0 items count as 1, without which the queue would be of no use.
    fn new(max_items: usize, max_bytes: usize, drop_on_full: bool) -> Self {
        Self { items: max_items.max(1), bytes: max_bytes, drop_oldest: drop_on_full }
    }
}

/// Waiting items, each with its weight.
struct Inner<T> {
    items: Lanes<T>,
    limits: Limits,
    closed: bool,
    stats: QueueStats,
}

/// A bounded queue: producers call [`Queue::push`] or [`Queue::push_all`] from anywhere, consumers await
/// [`Queue::pop`] or [`Queue::pop_many`]. The lock is held for moving items only, never while one is weighed or
/// dropped.
pub struct Queue<T> {
    inner: Mutex<Inner<T>>,
    filled: Notify,
    weigh: Option<fn(&T) -> usize>,
    is_precious: fn(&T) -> bool,
}

impl<T> Queue<T> {
    /// What an item takes besides its weight: the buffer can have twice the places that are used, and the weight has
    /// one of them already.
    const PLACE: usize = size_of::<Entry<T>>();

    /// A queue for at most `max_queue_size` items (0 counts as 1). When it is full, `drop_on_full` true drops
    /// the oldest waiting item and false refuses the new one.
    #[must_use]
    pub fn new(max_queue_size: usize, drop_on_full: bool) -> Self {
        Self::with(Limits::new(max_queue_size, usize::MAX, drop_on_full), None)
    }

    /// The same for at most `max_bytes` besides. `weigh` gives what an item takes, itself included. An item that is
    /// heavier than `max_bytes` alone is never taken.
    #[must_use]
    pub fn bounded(max_items: usize, max_bytes: usize, weigh: fn(&T) -> usize, drop_on_full: bool) -> Self {
        Self::with(Limits::new(max_items, max_bytes, drop_on_full), Some(weigh))
    }

    fn with(limits: Limits, weigh: Option<fn(&T) -> usize>) -> Self {
        let inner = Inner { items: Lanes::default(), limits, closed: false, stats: QueueStats::default() };
        Self { inner: Mutex::new(inner), filled: Notify::new(), weigh, is_precious: |_| false }
    }

    /// The same queue, in which an item for which `is_precious` is true is dropped only when nothing but such items waits:
    /// the others make room for it, whatever the rule is. The order of items stays.
    #[must_use]
    pub fn preferring(self, is_precious: fn(&T) -> bool) -> Self {
        Self { is_precious, ..self }
    }

    /// Sets other bounds while it works; `max_bytes` is without effect where items are not weighed. What no longer fits
    /// is dropped by the rule that is set with them, and counted.
    pub fn set_limits(&self, max_items: usize, max_bytes: usize, drop_on_full: bool) {
        let mut displaced = Vec::new();
        let mut inner = self.lock();
        inner.limits = Limits::new(max_items, max_bytes, drop_on_full);
        while inner.items.len() > inner.limits.items {
            if drop_on_full {
                inner.stats.dropped_oldest += 1;
            } else {
                inner.stats.dropped_newest += 1;
            }
            displaced.extend(inner.items.give_up(drop_on_full));
        }
        while inner.items.bytes() > inner.limits.bytes {
            inner.stats.dropped_memory += 1;
            displaced.extend(inner.items.give_up(drop_on_full));
        }
        inner.items.tighten();
        drop(inner);
    }

    /// Drops the older half of what waits, the precious last, for its memory; returns how many.
    pub fn shed_half(&self) -> usize {
        let mut inner = self.lock();
        let count = inner.items.len().div_ceil(2);
        let shed: Vec<T> = std::iter::from_fn(|| inner.items.give_up(true)).take(count).collect();
        inner.stats.dropped_memory += count as u64;
        inner.items.tighten();
        drop(inner);
        drop(shed);
        count
    }

    /// Drops the oldest item, a precious one only if there is no other, for its memory. False if there is none.
    pub fn shed_one(&self) -> bool {
        let mut inner = self.lock();
        let shed = inner.items.give_up(true);
        inner.stats.dropped_memory += u64::from(shed.is_some());
        inner.items.tighten();
        drop(inner);
        shed.is_some()
    }

    /// How many items fit for certain if each weighs at most `heaviest`. An empty queue has room for one.
    #[must_use]
    pub fn room(&self, heaviest: usize) -> usize {
        let inner = self.lock();
        let places = inner.limits.items.saturating_sub(inner.items.len());
        if self.weigh.is_none() {
            return places;
        }
        let fit =
            inner.limits.bytes.saturating_sub(inner.items.bytes()) / heaviest.saturating_add(Self::PLACE);
        places.min(fit.max(usize::from(inner.items.is_empty())))
    }

    /// Offers one item. False if an item (this one or older ones) was dropped for it.
    pub fn push(&self, item: T) -> bool {
        let (weight, precious) = (self.weight(&item), (self.is_precious)(&item));
        let mut displaced = Vec::new();
        let mut inner = self.lock();
        let was_empty = inner.items.is_empty();
        inner.admit(item, weight, precious, &mut displaced);
        drop(inner);
        if was_empty {
            self.filled.notify_one();
        }
        displaced.is_empty()
    }

    /// Offers all of `items` in order under one lock, and leaves the vector empty with its allocation.
    /// Returns how many items were dropped.
    pub fn push_all(&self, items: &mut Vec<T>) -> usize {
        if items.is_empty() {
            return 0;
        }
        let known: Vec<_> = items.iter().map(|item| (self.weight(item), (self.is_precious)(item))).collect();
        let mut displaced = Vec::new();
        let mut inner = self.lock();
        let was_empty = inner.items.is_empty();
        for (item, (weight, precious)) in items.drain(..).zip(known) {
            inner.admit(item, weight, precious, &mut displaced);
        }
        drop(inner);
        if was_empty {
            self.filled.notify_one();
        }
        displaced.len()
    }

    /// The next item; `None` when the queue is closed and empty. Safe to cancel.
    pub async fn pop(&self) -> Option<T> {
        loop {
            let filled = self.filled.notified();
            {
                let mut inner = self.lock();
                if let Some(item) = inner.items.next() {
                    inner.stats.processed += 1;
                    inner.items.tighten();
                    self.pass_on(&inner);
                    return Some(item);
                }
                if inner.closed {
                    return None;
                }
            }
            filled.await;
        }
    }

    /// Waits for items and appends up to `most` of them to `into`; 0 when the queue is closed and empty.
    /// Safe to cancel.
    pub async fn pop_many(&self, into: &mut Vec<T>, most: usize) -> usize {
        loop {
            let filled = self.filled.notified();
            let taken = self.try_pop_many(into, most);
            if taken > 0 || self.lock().finished() {
                return taken;
            }
            filled.await;
        }
    }

    /// Appends up to `most` (at least 1) waiting items to `into` without waiting; returns how many. Of heavy items it
    /// gives fewer, as they would be held in no queue.
    pub fn try_pop_many(&self, into: &mut Vec<T>, most: usize) -> usize {
        let mut inner = self.lock();
        let before = inner.items.bytes();
        let mut taken = 0;
        while taken < most.max(1)
            && before - inner.items.bytes() < MOST_AT_ONCE
            && let Some(item) = inner.items.next()
        {
            into.push(item);
            taken += 1;
        }
        inner.stats.processed += taken as u64;
        inner.items.tighten();
        self.pass_on(&inner);
        taken
    }

    /// Takes no more items; those that wait can still be popped. An item offered later counts as dropped.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_waiters();
    }

    /// Closes the queue and drops what waits, counted as dropped by shutdown; returns how many.
    pub fn discard(&self) -> usize {
        let mut inner = self.lock();
        inner.closed = true;
        let count = inner.items.len();
        let rest = std::mem::take(&mut inner.items);
        inner.stats.dropped_shutdown += count as u64;
        drop(inner);
        drop(rest);
        self.filled.notify_waiters();
        count
    }

    /// The counters now.
    #[must_use]
    pub fn stats(&self) -> QueueStats {
        let inner = self.lock();
        QueueStats {
            len: inner.items.len() as u64,
            capacity: inner.limits.items as u64,
            bytes: inner.items.bytes() as u64,
            max_bytes: if self.weigh.is_some() { inner.limits.bytes as u64 } else { 0 },
            ..inner.stats
        }
    }

    fn weight(&self, item: &T) -> usize {
        self.weigh.map_or(0, |weigh| weigh(item).saturating_add(Self::PLACE))
    }

    /// Producers wake one consumer when the queue stops being empty; a consumer that leaves items behind
    /// wakes the next.
    fn pass_on(&self, inner: &Inner<T>) {
        if !inner.items.is_empty() {
            self.filled.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Inner<T> {
    /// Whether a waiting item makes room for this one. No precious one does for an ordinary one; where the newest is
    /// refused, an ordinary one still does for a precious one.
    fn gives_way(&self, precious: bool) -> bool {
        let ordinary = self.items.has_ordinary();
        if precious { ordinary || self.limits.drop_oldest } else { ordinary && self.limits.drop_oldest }
    }

    /// Counts and places one item; those that have no place go to `displaced`.
    fn admit(&mut self, item: T, weight: usize, precious: bool, displaced: &mut Vec<T>) {
        self.stats.received += 1;
        if self.closed {
            self.stats.dropped_shutdown += 1;
            return displaced.push(item);
        }
        let Limits { items, bytes, drop_oldest } = self.limits;
        let fits = |now: usize| now.checked_add(weight).is_some_and(|all| all <= bytes);
        if !fits(0) {
            self.stats.dropped_memory += 1;
            return displaced.push(item);
        }
        if self.items.len() >= items {
            if !self.gives_way(precious) {
                self.stats.dropped_newest += 1;
                return displaced.push(item);
            }
            if drop_oldest {
                self.stats.dropped_oldest += 1;
            } else {
                self.stats.dropped_newest += 1;
            }
            displaced.extend(self.items.give_up(drop_oldest));
        }
        while !fits(self.items.bytes()) {
            self.stats.dropped_memory += 1;
            if !self.gives_way(precious) {
                return displaced.push(item);
            }
            displaced.extend(self.items.give_up(drop_oldest));
        }
        self.items.push(item, weight, precious);
        self.stats.high_water = self.stats.high_water.max(self.items.len() as u64);
    }

    fn finished(&self) -> bool {
        self.closed && self.items.is_empty()
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
