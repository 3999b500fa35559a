//! What a run's events add up to: tests by outcome, failures, flaky and slow tests, and tests that never ended.
//!
//! Pure, and of bounded memory whatever test ids come: counts are exact always; the lists have caps
//! ([`MOST_FAILED`], [`MOST_DETAILS`], [`MOST_OPEN`], [`SLOWEST`]) and count what went past them.
mod page;
mod render;
mod retries;
mod slowest;
mod text;

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use sidecar_common::Status;

use crate::event::Event;
use crate::mapping::EventKind;
use crate::sampling::{ByType, Estimate};

pub use page::Style;
pub use render::Cost;
pub use retries::{MOST_DETAILS, MOST_FAILED};
pub use slowest::SLOWEST;
pub(crate) use text::{about, safe};

use retries::Retries;
use slowest::Slowest;

/// Most tests that are remembered as started and not ended. About 1 MB.
pub const MOST_OPEN: usize = 4096;

/// The sum of a run's events.
///
/// An attempt's end is one attempt; an attempt with a higher number of a test that failed before supersedes the
/// failed one, so that each test counts once, with its last outcome. Attempts without a number, or of tests
/// without an id, are tests of their own.
#[derive(Default)]
pub struct Summary {
    hasher: RandomState,
    providers: BTreeMap<Arc<str>, Counts>,
    retries: Retries,
    slowest: Slowest,
    /// Tests started and not ended, by a hash of what tells them apart.
    open: HashMap<u64, String>,
    /// Starts that found no room in `open`.
    unfollowed: u64,
    /// Ends whose start was not in `open`.
    unmatched: u64,
    anomalies: Estimate,
    /// Events that are neither a test's start nor its end, by type.
    custom: ByType,
}

/// Outcomes of one provider's tests, by [`Status`] number.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    /// Every attempt.
    attempts: [u64; Status::COUNT],
    /// Attempts that a later attempt of the same test followed.
    superseded: [u64; Status::COUNT],
    /// Tests that failed and passed on a later attempt.
    flaky: u64,
}

impl Counts {
    /// Tests by their last outcome.
    fn tests(&self) -> [u64; Status::COUNT] {
        std::array::from_fn(|status| self.attempts[status].saturating_sub(self.superseded[status]))
    }
}

/// Totals of a [`Summary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    /// Tests by [`Status`] number, each with its last outcome.
    pub tests: [u64; Status::COUNT],
    /// Attempts that ended.
    pub attempts: u64,
    /// Tests that failed and passed on a later attempt; among those that passed.
    pub flaky: u64,
    /// Tests that are known to have started and not ended.
    pub open: u64,
}

impl Totals {
    /// All tests that ended.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.tests.iter().sum()
    }

    /// Tests whose last outcome is a failure.
    #[must_use]
    pub fn failed(&self) -> u64 {
        Status::ALL
            .into_iter()
            .zip(self.tests)
            .filter(|(status, _)| status.is_failure())
            .map(|(_, n)| n)
            .sum()
    }
}

impl Summary {
    /// An empty summary.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one event in.
    pub fn observe(&mut self, event: &Event) {
        match event.kind {
            EventKind::TestStart => self.start(event),
            EventKind::TestEnd => self.end(event),
            EventKind::Anomaly => {
                self.anomalies.add(event.sample_rate, 1.0);
            }
            EventKind::Generic => {
                self.custom.observe(&event.event_type, event.sampled_with(), event.sample_rate);
            }
        }
    }

    fn start(&mut self, event: &Event) {
        let Some(hash) = self.running(event) else { return };
        if self.open.len() < MOST_OPEN || self.open.contains_key(&hash) {
            self.open.insert(hash, text::name(event));
        } else {
            self.unfollowed += 1;
        }
    }

    fn end(&mut self, event: &Event) {
        let status = event.status.unwrap_or(Status::Unknown);
        let test = self.test(event);
        if self.running(event).is_none_or(|hash| self.open.remove(&hash).is_none()) {
            self.unmatched += 1;
        }
        self.slowest.observe(event, status);
        let counts = match self.providers.get_mut(&event.provider) {
            Some(counts) => counts,
            None => self.providers.entry(Arc::clone(&event.provider)).or_default(),
        };
        counts.attempts[status as usize] += 1;
        self.retries.observe(test, event, status, counts);
    }

    /// What tells a running attempt apart: process, test and attempt.
    fn running(&self, event: &Event) -> Option<u64> {
        event.test_id.as_ref()?;
        // By the marker's key where there is one: a long id may be cut in one of the two events.
        Some(self.hasher.hash_one((&event.provider, event.pid, event.sampled_with(), event.attempt)))
    }

    /// What tells a test apart over its attempts: the marker's key (a hash of run and test), else the ids.
    fn test(&self, event: &Event) -> Option<u64> {
        let test = event.test_id.as_ref()?;
        Some(match event.key {
            Some(key) => self.hasher.hash_one((&event.provider, key, test)),
            None => self.hasher.hash_one((&event.provider, &event.run_id, &event.suite, test)),
        })
    }

    /// The totals over all providers.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut totals =
            Totals { tests: [0; Status::COUNT], attempts: 0, flaky: 0, open: self.open.len() as u64 };
        for counts in self.providers.values() {
            for (sum, tests) in totals.tests.iter_mut().zip(counts.tests()) {
                *sum += tests;
            }
            totals.attempts += counts.attempts.iter().sum::<u64>();
            totals.flaky += counts.flaky;
        }
        totals
    }

    /// Starts beyond [`MOST_OPEN`] of which no end was seen, at most.
    fn perhaps_open(&self) -> u64 {
        self.unfollowed.saturating_sub(self.unmatched)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
