//! Images in which nothing is to be attached, remembered up to a number: the oldest are forgotten first.

use std::collections::{HashMap, VecDeque};

use super::Outcome;
use crate::elf::ImageId;

/// Outcomes by image.
#[derive(Debug)]
pub(super) struct Cache {
    most: usize,
    outcomes: HashMap<ImageId, Outcome>,
    order: VecDeque<ImageId>,
}

impl Cache {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), outcomes: HashMap::new(), order: VecDeque::new() }
    }

    pub(super) fn get(&self, id: &ImageId) -> Option<&Outcome> {
        self.outcomes.get(id)
    }

    pub(super) fn put(&mut self, id: ImageId, outcome: Outcome) {
        if self.outcomes.insert(id, outcome).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > self.most {
            if let Some(oldest) = self.order.pop_front() {
                self.outcomes.remove(&oldest);
            }
        }
    }

    /// Forgets every outcome, and gives their memory back.
    pub(super) fn clear(&mut self) {
        *self = Self::new(self.most);
    }

    /// Forgets those outcomes that `keep` is false for.
    pub(super) fn retain(&mut self, keep: impl Fn(&Outcome) -> bool) {
        self.outcomes.retain(|_, outcome| keep(outcome));
        self.order.retain(|id| self.outcomes.contains_key(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ino: u64) -> ImageId {
        ImageId { dev: 1, ino, size: 1, mtime_ns: 1, ctime_ns: 1 }
    }

    #[test]
    fn the_oldest_is_forgotten_first_and_the_number_is_bounded() {
        let mut cache = Cache::new(2);
        for ino in [1, 2, 2, 3] {
            cache.put(id(ino), Outcome::NothingWanted);
        }
        assert_eq!(cache.get(&id(1)), None);
        assert!(cache.get(&id(2)).is_some() && cache.get(&id(3)).is_some());
        cache.retain(|_| false);
        assert_eq!((cache.outcomes.len(), cache.order.len()), (0, 0));
        cache.put(id(4), Outcome::NothingWanted);
        cache.clear();
        assert_eq!((cache.outcomes.capacity(), cache.order.capacity(), cache.most), (0, 0, 2));
    }
}
