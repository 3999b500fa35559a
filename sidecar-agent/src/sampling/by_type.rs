//! How many events of each type there were, kept or not: an estimate for each, of bounded memory whatever types come.

use std::collections::HashMap;

use super::Estimate;

/// Types that have an estimate of their own. Those that come later share one.
pub const MOST_TYPES: usize = 100;
/// Longest type that is told apart, in characters; a longer one is cut.
pub const LONGEST_TYPE: usize = 128;
/// Tests whose events are remembered as theirs, in each of two halves.
const MOST_TESTS: usize = 4096;
/// Bytes that the estimates and what is remembered for them take at most: names are UTF-8, and a hash map may have room for
/// twice what is in it.
pub const BY_TYPE_BYTES: u64 = (MOST_TYPES * (4 * LONGEST_TYPE + 2 * size_of::<(String, u32, Estimate)>())
    + 2 * 2 * MOST_TESTS * 32) as u64;
/// The place of what has no estimate of its own.
const OTHERS: u32 = u32::MAX;

/// Estimates by type.
#[derive(Clone, Debug, Default)]
pub struct ByType {
    places: HashMap<String, u32>,
    types: Vec<Estimate>,
    others: Estimate,
    tests: Tests,
}

impl ByType {
    /// Takes a kept event in: its type, the key by which its test is sampled (none: it was sampled by itself), and the
    /// rate under which it was kept. A rate that is none is refused: false.
    pub fn observe(&mut self, event_type: &str, test: Option<u64>, rate: f64) -> bool {
        let place = self.place(event_type);
        // At a rate of 1 nothing is uncertain, so nothing has to be remembered.
        let before = match test {
            Some(test) if rate < 1.0 => self.tests.count(place, test),
            Some(_) | None => 0,
        };
        let estimate = self.types.get_mut(place as usize).unwrap_or(&mut self.others);
        estimate.add_again(rate, before)
    }

    fn place(&mut self, event_type: &str) -> u32 {
        let cut = event_type.char_indices().nth(LONGEST_TYPE).map_or(event_type, |(at, _)| &event_type[..at]);
        if let Some(place) = self.places.get(cut) {
            return *place;
        }
        if self.types.len() >= MOST_TYPES {
            return OTHERS;
        }
        let place = self.types.len() as u32;
        self.types.push(Estimate::default());
        self.places.insert(cut.to_owned(), place);
        place
    }

    /// Each type with its estimate, the most frequent first.
    #[must_use]
    pub fn types(&self) -> Vec<(&str, Estimate)> {
        let mut types: Vec<(&str, Estimate)> = self
            .places
            .iter()
            .filter_map(|(name, place)| Some((name.as_str(), *self.types.get(*place as usize)?)))
            .collect();
        types.sort_by(|a, b| b.1.count().total_cmp(&a.1.count()).then_with(|| a.0.cmp(b.0)));
        types
    }

    /// What came of types beyond [`MOST_TYPES`].
    #[must_use]
    pub fn others(&self) -> Estimate {
        self.others
    }
}

/// Events of a type that a test has had so far. The tests that were seen last are remembered; when one half is full
/// the other is forgotten.
#[derive(Clone, Debug, Default)]
struct Tests {
    young: HashMap<(u32, u64), u64>,
    old: HashMap<(u32, u64), u64>,
}

impl Tests {
    /// Counts one event; how many there were before.
    fn count(&mut self, place: u32, test: u64) -> u64 {
        let key = (place, test);
        if self.young.len() >= MOST_TESTS && !self.young.contains_key(&key) {
            self.old = std::mem::take(&mut self.young);
        }
        let old = &self.old;
        let count = self.young.entry(key).or_insert_with(|| old.get(&key).copied().unwrap_or(0));
        *count += 1;
        *count - 1
    }
}

#[cfg(test)]
mod tests {
    use sidecar_common::{RATE_ONE, keeps, mix};

    use super::*;

    #[test]
    fn at_a_rate_of_one_each_type_is_exact() {
        let mut by_type = ByType::default();
        for i in 0..300 {
            assert!(by_type.observe(if i % 3 == 0 { "b" } else { "a" }, Some(i), 1.0));
        }
        let types = by_type.types();
        let told: Vec<_> =
            types.iter().map(|(name, e)| (*name, e.kept(), e.count(), e.count_error())).collect();
        assert_eq!(told, [("a", 200, 200.0, 0.0), ("b", 100, 100.0, 0.0)]);
        assert_eq!(by_type.others().kept(), 0);
        assert!(!by_type.observe("a", None, 0.0) && !by_type.observe("a", None, f64::NAN));
    }

    #[test]
    fn events_of_one_test_stand_and_fall_together_and_the_error_says_so() {
        // 1,000 tests with 20 events each, of which a tenth is kept: many runs by the kernel's own decision.
        let (mut within, mut mean) = (0, 0.0);
        for run in 0..200u64 {
            let mut by_type = ByType::default();
            for event in 0..20 {
                for test in 0..1000u64 {
                    let key = mix(run * 7919 + test);
                    if keeps(key, RATE_ONE / 10) {
                        by_type.observe(if event < 15 { "step" } else { "other" }, Some(key), 0.1);
                    }
                }
            }
            let (name, steps) = by_type.types()[0];
            assert_eq!(name, "step");
            mean += steps.count() / 200.0;
            within += u32::from((steps.count() - 15_000.0).abs() <= 2.0 * steps.count_error());
        }
        assert!((mean - 15_000.0).abs() < 400.0, "{mean}");
        assert!((180..=199).contains(&within), "{within} of 200 within two standard errors");
    }

    #[test]
    fn types_and_tests_are_bounded_and_nothing_is_left_out() {
        let mut by_type = ByType::default();
        for i in 0..50_000_u64 {
            by_type.observe(&format!("type {}", i % 1000), Some(i), 0.5);
        }
        assert_eq!(by_type.types().len(), MOST_TYPES);
        assert!(by_type.tests.young.len() <= MOST_TESTS && by_type.tests.old.len() <= MOST_TESTS);
        let kept: u64 = by_type.types().iter().map(|(_, e)| e.kept()).sum();
        assert_eq!((kept, by_type.others().kept()), (5000, 45_000));
        let long = "x".repeat(1000);
        let mut by_type = ByType::default();
        by_type.observe(&long, None, 1.0);
        by_type.observe(&(long + "y"), None, 1.0);
        assert_eq!((by_type.types().len(), by_type.types()[0].0.len()), (1, LONGEST_TYPE));
    }
}
