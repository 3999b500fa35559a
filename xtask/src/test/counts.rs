//! Sums what the test programs print: libtest's result lines and this project's `SKIPPED` and `FLAKY` lines.

use std::collections::BTreeSet;
use std::fmt;

/// Tests by outcome.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed.
    pub(crate) failed: u64,
    /// Tests that were ignored.
    pub(crate) ignored: u64,
    /// `NAME: REASON` of each test that could not run here.
    pub(crate) skips: BTreeSet<String>,
    /// `NAME: REASON` of each test that failed once and passed when it was tried again.
    pub(crate) flaky: BTreeSet<String>,
}

impl Counts {
    /// Takes in one line of a test program's output.
    pub(crate) fn see(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            // `ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s`
            let Some((_, numbers)) = result.split_once(". ") else { return };
            for part in numbers.split("; ") {
                match part.split_once(' ') {
                    Some((n, "passed")) => self.passed += n.parse().unwrap_or(0),
                    Some((n, "failed")) => self.failed += n.parse().unwrap_or(0),
                    Some((n, "ignored")) => self.ignored += n.parse().unwrap_or(0),
                    _ => {}
                }
            }
        } else if let Some(skip) = line.strip_prefix("SKIPPED ") {
            self.skips.insert(skip.to_owned());
        } else if let Some(flaky) = line.strip_prefix("FLAKY ") {
            self.flaky.insert(flaky.to_owned());
        }
    }

    /// Adds the counts of another step.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.skips.extend(other.skips);
        self.flaky.extend(other.flaky);
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.ignored)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_of_libtest_and_libtest_mimic_are_summed() {
        let mut counts = Counts::default();
        for line in [
            "running 6 tests",
            "test it_works ... ok",
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 4 filtered out; finished in 1.25s",
        ] {
            counts.see(line);
        }
        assert_eq!(counts.to_string(), "7 passed, 3 failed, 1 skipped");
    }

    #[test]
    fn lines_that_only_look_alike_count_nothing() {
        let mut counts = Counts::default();
        for line in [
            "  test result: ok. 5 passed; 0 failed",
            "test result: ok",
            "test result: ok. many passed",
            "skipped x: y",
        ] {
            counts.see(line);
        }
        assert_eq!(counts, Counts::default());
    }

    #[test]
    fn a_test_that_is_skipped_in_two_steps_is_named_once() {
        let (mut sum, mut other) = (Counts::default(), Counts::default());
        sum.see("SKIPPED cold_strings: not root");
        other.see("SKIPPED cold_strings: not root");
        other.see("SKIPPED counting: no BPF");
        sum.add(other);
        assert_eq!(Vec::from_iter(sum.skips), ["cold_strings: not root", "counting: no BPF"]);
    }

    #[test]
    fn a_test_that_was_tried_again_is_named() {
        let (mut sum, mut other) = (Counts::default(), Counts::default());
        other.see("FLAKY counting: 3 of 4 arrived");
        other.see("a FLAKY line of somebody else");
        sum.add(other);
        assert_eq!(Vec::from_iter(sum.flaky), ["counting: 3 of 4 arrived"]);
    }
}
