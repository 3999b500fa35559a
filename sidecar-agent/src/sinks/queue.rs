//! A bounded queue that never blocks its producer, and whose counters balance to the unit:
//! `received = processed + dropped + len`.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::Notify;

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
}

impl QueueStats {
    /// Drops for any reason.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.dropped_oldest + self.dropped_newest + self.dropped_shutdown
    }
}

struct Inner<T> {
    items: VecDeque<T>,
    closed: bool,
    stats: QueueStats,
}

/// A bounded queue: producers call [`Queue::push`] or [`Queue::push_all`] from anywhere, consumers await
/// [`Queue::pop`] or [`Queue::pop_many`]. The lock is held for moving items only, never while one is dropped.
pub struct Queue<T> {
    inner: Mutex<Inner<T>>,
    filled: Notify,
    capacity: usize,
    drop_oldest: bool,
}

impl<T> Queue<T> {
    /// A queue for at most `max_queue_size` items (0 counts as 1). When it is full, `drop_on_full` true drops
    /// the oldest waiting item and false refuses the new one.
    #[must_use]
    pub fn new(max_queue_size: usize, drop_on_full: bool) -> Self {
        let capacity = max_queue_size.max(1);
        let stats = QueueStats { capacity: capacity as u64, ..QueueStats::default() };
        Self {
            inner: Mutex::new(Inner { items: VecDeque::new(), closed: false, stats }),
            filled: Notify::new(),
            capacity,
            drop_oldest: drop_on_full,
        }
    }

    /// Offers one item. False if an item (this one or the oldest) was dropped for it.
    pub fn push(&self, item: T) -> bool {
        let mut inner = self.lock();
        let was_empty = inner.items.is_empty();
        let displaced = self.admit(&mut inner, item);
        drop(inner);
        if was_empty {
            self.filled.notify_one();
        }
        displaced.is_none()
    }

    /// Offers all of `items` in order under one lock, and leaves the vector empty with its allocation.
    /// Returns how many items were dropped.
    pub fn push_all(&self, items: &mut Vec<T>) -> usize {
        if items.is_empty() {
            return 0;
        }
        let mut displaced = Vec::new();
        let mut inner = self.lock();
        let was_empty = inner.items.is_empty();
        for item in items.drain(..) {
            displaced.extend(self.admit(&mut inner, item));
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
                if let Some(item) = inner.items.pop_front() {
                    inner.stats.processed += 1;
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

    /// Appends up to `most` (at least 1) waiting items to `into` without waiting; returns how many.
    pub fn try_pop_many(&self, into: &mut Vec<T>, most: usize) -> usize {
        let mut inner = self.lock();
        let taken = most.max(1).min(inner.items.len());
        into.extend(inner.items.drain(..taken));
        inner.stats.processed += taken as u64;
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
        let rest = std::mem::take(&mut inner.items);
        inner.stats.dropped_shutdown += rest.len() as u64;
        drop(inner);
        self.filled.notify_waiters();
        rest.len()
    }

    /// The counters now.
    #[must_use]
    pub fn stats(&self) -> QueueStats {
        let inner = self.lock();
        QueueStats { len: inner.items.len() as u64, ..inner.stats }
    }

    /// Counts and places one item; the one that has no place comes back.
    fn admit(&self, inner: &mut Inner<T>, item: T) -> Option<T> {
        inner.stats.received += 1;
        if inner.closed {
            inner.stats.dropped_shutdown += 1;
            return Some(item);
        }
        let mut displaced = None;
        if inner.items.len() >= self.capacity {
            if !self.drop_oldest {
                inner.stats.dropped_newest += 1;
                return Some(item);
            }
            inner.stats.dropped_oldest += 1;
            displaced = inner.items.pop_front();
        }
        inner.items.push_back(item);
        inner.stats.high_water = inner.stats.high_water.max(inner.items.len() as u64);
        displaced
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
    fn finished(&self) -> bool {
        self.closed && self.items.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    fn assert_balanced(stats: QueueStats) {
        assert_eq!(stats.received, stats.processed + stats.dropped() + stats.len, "{stats:?}");
    }

    #[test]
    fn a_full_queue_drops_the_oldest_or_refuses_the_newest() {
        for (drop_on_full, left) in [(true, [3, 4]), (false, [1, 2])] {
            let queue = Queue::new(2, drop_on_full);
            assert!(queue.push(1));
            assert_eq!(queue.push_all(&mut vec![2, 3, 4]), 2);
            let stats = queue.stats();
            assert_eq!(
                (stats.dropped_oldest, stats.dropped_newest),
                if drop_on_full { (2, 0) } else { (0, 2) }
            );
            assert_eq!((stats.len, stats.high_water, stats.capacity), (2, 2, 2));
            let mut got = Vec::new();
            assert_eq!(block_on(queue.pop_many(&mut got, 10)), 2);
            assert_eq!(got, left);
            assert_balanced(queue.stats());
        }
    }

    #[test]
    fn a_queue_of_size_zero_holds_one() {
        let queue = Queue::new(0, false);
        assert!(queue.push('a'));
        assert!(!queue.push('b'));
        assert_eq!(block_on(queue.pop()), Some('a'));
    }

    #[test]
    fn a_closed_queue_gives_what_it_has_and_refuses_more() {
        let queue = Queue::new(10, true);
        queue.push_all(&mut vec![1, 2, 3]);
        queue.close();
        assert!(!queue.push(4));
        assert_eq!(block_on(queue.pop()), Some(1));
        assert_eq!(queue.discard(), 2);
        assert_eq!(block_on(queue.pop()), None);
        assert_eq!(block_on(queue.pop_many(&mut Vec::new(), 5)), 0);
        let stats = queue.stats();
        assert_eq!((stats.received, stats.processed, stats.dropped_shutdown), (4, 1, 3));
        assert_balanced(stats);
    }

    #[test]
    fn closing_wakes_every_waiting_consumer() {
        let queue = Arc::new(Queue::<u32>::new(10, true));
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || block_on(queue.pop()))
            })
            .collect();
        queue.close();
        for consumer in waiting {
            assert_eq!(consumer.join().unwrap(), None);
        }
    }

    /// Four producers, two consumers, one reader of the counters, for both ways of dropping.
    #[test]
    fn counters_balance_to_the_unit_under_concurrency() {
        const EACH: u64 = 50_000;
        for drop_on_full in [true, false] {
            let queue = Arc::new(Queue::new(64, drop_on_full));
            let producers: Vec<_> = (0..4)
                .map(|producer| {
                    let queue = Arc::clone(&queue);
                    thread::spawn(move || {
                        for start in (0..EACH).step_by(50) {
                            if producer % 2 == 0 {
                                queue.push_all(&mut (start..start + 50).collect());
                            } else {
                                (start..start + 50).for_each(|item| {
                                    queue.push(item);
                                });
                            }
                        }
                    })
                })
                .collect();
            let consumers: Vec<_> = (0..2)
                .map(|_| {
                    let queue = Arc::clone(&queue);
                    thread::spawn(move || {
                        block_on(async {
                            let mut got = 0;
                            let mut items = Vec::new();
                            while queue.pop_many(&mut items, 7).await > 0 {
                                got += items.len() as u64;
                                items.clear();
                                got += u64::from(queue.pop().await.is_some());
                            }
                            got
                        })
                    })
                })
                .collect();
            for _ in 0..1_000 {
                assert_balanced(queue.stats());
            }
            producers.into_iter().for_each(|producer| producer.join().unwrap());
            queue.close();
            let got: u64 = consumers.into_iter().map(|consumer| consumer.join().unwrap()).sum();
            let stats = queue.stats();
            assert_eq!(stats.received, 4 * EACH);
            assert_eq!(stats.processed, got);
            assert_eq!(stats.len, 0);
            assert_balanced(stats);
        }
    }
}
