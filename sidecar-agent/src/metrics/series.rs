//! The cap on series: names that come from outside can't make more than [`MAX_SERIES`]; the rest is added
//! up under [`OTHER`].

use std::collections::BTreeSet;

/// Most series with a label whose values come from configuration or from a program.
pub const MAX_SERIES: usize = 2_000;

/// The label value that stands for everything beyond the cap.
pub const OTHER: &str = "other";

/// Longest label value in characters; a longer one is cut.
const MAX_VALUE: usize = 128;

/// Which label values have series of their own. What was admitted stays, so that no counter ever moves
/// from one series to another.
#[derive(Debug, Default)]
pub(super) struct Admitted {
    known: BTreeSet<(&'static str, Vec<String>)>,
    used: usize,
}

impl Admitted {
    /// The label values to use for `values`, which take `cost` series under the heading `group`: themselves,
    /// cleaned, or [`OTHER`] in each place.
    pub(super) fn admit(&mut self, group: &'static str, cost: usize, values: &[&str]) -> Vec<String> {
        let key = (group, values.iter().map(|value| clean(value)).collect::<Vec<_>>());
        if self.known.contains(&key) {
            return key.1;
        }
        if self.used + cost > MAX_SERIES {
            return vec![OTHER.to_owned(); values.len()];
        }
        self.used += cost;
        self.known.insert(key.clone());
        key.1
    }
}

/// Without control characters, and not too long. The encoder escapes what the format needs escaped.
pub(super) fn clean(value: &str) -> String {
    value.chars().take(MAX_VALUE).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_beyond_the_cap_is_other_and_what_was_admitted_stays() {
        let mut admitted = Admitted::default();
        let names: Vec<String> = (0..MAX_SERIES).map(|i| format!("n{i}")).collect();
        for name in &names[..MAX_SERIES / 2] {
            assert_eq!(admitted.admit("a", 2, &[name, "x"]), [name.as_str(), "x"]);
        }
        assert_eq!(admitted.admit("a", 1, &["new", "x"]), [OTHER, OTHER]);
        assert_eq!(admitted.admit("b", 1, &["n0"]), [OTHER], "another group shares the cap");
        assert_eq!(admitted.admit("a", 2, &["n0", "x"]), ["n0", "x"]);
        assert_eq!(admitted.known.len(), MAX_SERIES / 2);
    }

    #[test]
    fn values_are_cleaned_and_cut() {
        let mut admitted = Admitted::default();
        assert_eq!(admitted.admit("a", 1, &["a\nb\r\0\u{85}c"]), ["a\u{fffd}b\u{fffd}\u{fffd}\u{fffd}c"]);
        assert_eq!(admitted.admit("a", 1, &[&"ä".repeat(1000)]), ["ä".repeat(MAX_VALUE)]);
    }
}
