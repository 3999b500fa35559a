//! The items of a queue, in order, of which the ordinary ones make room before the precious ones do.

use std::collections::VecDeque;

/// Places that a buffer may have beyond twice its items: a batch comes and goes without another buffer.
pub(super) const SPARE_PLACES: usize = 1024;

/// A waiting item.
pub(super) struct Entry<T> {
    item: T,
    weight: usize,
    /// Its place in the order of all.
    number: u64,
}

/// Waiting items and their weight.
pub(super) struct Lanes<T> {
    ordinary: VecDeque<Entry<T>>,
    precious: VecDeque<Entry<T>>,
    next: u64,
    bytes: usize,
}

impl<T> Default for Lanes<T> {
    fn default() -> Self {
        Self { ordinary: VecDeque::new(), precious: VecDeque::new(), next: 0, bytes: 0 }
    }
}

impl<T> Lanes<T> {
    pub(super) fn len(&self) -> usize {
        self.ordinary.len() + self.precious.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Weight of all.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether there is an ordinary item.
    pub(super) fn has_ordinary(&self) -> bool {
        !self.ordinary.is_empty()
    }

    pub(super) fn push(&mut self, item: T, weight: usize, precious: bool) {
        let entry = Entry { item, weight, number: self.next };
        self.next += 1;
        self.bytes += weight;
        if precious { &mut self.precious } else { &mut self.ordinary }.push_back(entry);
    }

    /// Takes the item out that came first.
    pub(super) fn next(&mut self) -> Option<T> {
        let number = |lane: &VecDeque<Entry<T>>| lane.front().map_or(u64::MAX, |entry| entry.number);
        let precious = number(&self.precious) < number(&self.ordinary);
        self.take(precious, true)
    }

    /// Takes the oldest item out, or the newest: a precious one only if there is no other.
    pub(super) fn give_up(&mut self, oldest: bool) -> Option<T> {
        self.take(!self.has_ordinary(), oldest)
    }

    fn take(&mut self, precious: bool, oldest: bool) -> Option<T> {
        let lane = if precious { &mut self.precious } else { &mut self.ordinary };
        let entry = if oldest { lane.pop_front() } else { lane.pop_back() }?;
        self.bytes -= entry.weight;
        Some(entry.item)
    }

    /// Gives back most of the buffers where they were for many more items than there are, so that light items of earlier
    /// leave no room behind that heavy ones don't count.
    pub(super) fn tighten(&mut self) {
        for lane in [&mut self.ordinary, &mut self.precious] {
            let len = lane.len();
            if lane.capacity() > 2 * len + SPARE_PLACES {
                lane.shrink_to(len + len / 2);
            }
        }
    }

    /// Places of both buffers.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.ordinary.capacity() + self.precious.capacity()
    }
}
