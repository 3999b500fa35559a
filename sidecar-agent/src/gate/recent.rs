//! A bounded map that forgets what was not used lately.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;

/// Two generations: when the young one is full it becomes the old one, and the old one is forgotten. An entry
/// that is looked up moves to the young one. Holds at most twice `half` entries, at constant cost an access.
pub(super) struct Recent<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    half: usize,
}

impl<K: Eq + Hash, V: Copy> Recent<K, V> {
    pub(super) fn new(half: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), half: half.max(1) }
    }

    pub(super) fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.young.get(key) {
            return Some(*value);
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.insert(key, value);
        Some(value)
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.half && !self.young.contains_key(&key) {
            self.old = mem::take(&mut self.young);
        }
        self.old.remove(&key);
        self.young.insert(key, value);
    }

    pub(super) fn clear(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_bounded_and_keeps_what_is_used() {
        let mut recent = Recent::new(10);
        for i in 0..1_000 {
            recent.insert(i, i);
            assert_eq!(recent.get(&0), Some(0), "used at each step, so never forgotten");
            assert!(recent.young.len() + recent.old.len() <= 20);
        }
        assert_eq!(recent.get(&999), Some(999));
        assert_eq!(recent.get(&500), None);
    }

    #[test]
    fn a_new_value_hides_the_old_one() {
        let mut recent = Recent::new(1);
        recent.insert("a", 1);
        recent.insert("b", 2);
        recent.insert("a", 3);
        assert_eq!(recent.get(&"a"), Some(3));
        recent.clear();
        assert_eq!(recent.get(&"a"), None);
    }
}
