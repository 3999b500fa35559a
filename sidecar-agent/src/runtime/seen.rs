//! The tests that run now and those that ended last, for the API: a bounded list.

use std::collections::{HashMap, VecDeque};

use crate::{
    control::{EventCount, EventType, EventTypes, Test, Tests},
    event::{Event, rfc3339},
    mapping::EventKind,
    sampling::{ByType, Estimate},
};

/// Tests that run and are remembered, at most; then the oldest give way.
const MOST_RUNNING: usize = 1000;
/// Tests that ended and are remembered.
const MOST_ENDED: usize = 200;
/// Tests in an answer.
const MOST_TOLD: usize = 1000;
/// Longest name that is remembered, in characters.
const LONGEST: usize = 512;

/// Process, hash of the test (by the marker's key where there is one: a long id may be cut), and attempt.
type Key = (u32, Option<u64>, Option<u32>);

struct Running {
    test: Test,
    started_ns: Option<i64>,
    number: u64,
}

/// What was seen of tests that were kept.
#[derive(Default)]
pub(super) struct Seen {
    running: HashMap<Key, Running>,
    ended: VecDeque<Test>,
    number: u64,
    omitted: u64,
    types: ByType,
}

impl Seen {
    /// Counts an event that is neither a test's start nor its end.
    pub(super) fn count(&mut self, event: &Event) {
        self.types.observe(&event.event_type, event.sampled_with(), event.sample_rate);
    }

    /// How many there were of each type.
    pub(super) fn event_types(&self) -> EventTypes {
        let count = |estimate: Estimate| EventCount {
            kept: estimate.kept(),
            estimate: estimate.count(),
            standard_error: estimate.count_error(),
        };
        let of_type = |(name, estimate): (&str, Estimate)| EventType {
            event_type: name.to_owned(),
            count: count(estimate),
        };
        EventTypes {
            types: self.types.types().into_iter().map(of_type).collect(),
            others: count(self.types.others()),
        }
    }

    /// Takes a test's start or end in.
    pub(super) fn take(&mut self, event: &Event) {
        if event.test_id.is_none() {
            return;
        }
        let key = (event.pid, event.sampled_with(), event.attempt);
        match event.kind {
            EventKind::TestStart => {
                self.number += 1;
                if self.running.len() >= MOST_RUNNING && !self.running.contains_key(&key) {
                    self.forget_oldest();
                }
                let test = Test { running: true, started: Some(rfc3339(event.time_ns)), ..of(event) };
                let running = Running { test, started_ns: Some(event.time_ns), number: self.number };
                self.running.insert(key, running);
            }
            EventKind::TestEnd => {
                let started = self.running.remove(&key);
                let took = event.duration_ns.map(|ns| ns as f64 / 1e9).or_else(|| {
                    let start = started.as_ref()?.started_ns?;
                    Some((event.time_ns - start) as f64 / 1e9)
                });
                let mut test = of(event);
                test.run_id = test.run_id.or_else(|| started.as_ref()?.test.run_id.clone());
                test.suite = test.suite.or_else(|| started.as_ref()?.test.suite.clone());
                test.started = started.and_then(|started| started.test.started);
                test.duration_seconds = took;
                if self.ended.len() >= MOST_ENDED {
                    self.ended.pop_front();
                    self.omitted += 1;
                }
                self.ended.push_back(test);
            }
            EventKind::Generic | EventKind::Anomaly => {}
        }
    }

    /// Passes over a test's start or end, for want of time.
    pub(super) fn omit(&mut self) {
        self.omitted += 1;
    }

    fn forget_oldest(&mut self) {
        let oldest = self.running.iter().min_by_key(|(_, running)| running.number).map(|(key, _)| *key);
        if let Some(oldest) = oldest {
            self.running.remove(&oldest);
            self.omitted += 1;
        }
    }

    /// The list at `now_ns` UTC: those that run, the latest first, then those that ended, the latest first.
    pub(super) fn tell(&self, now_ns: i64) -> Tests {
        let mut running: Vec<&Running> = self.running.values().collect();
        running.sort_by_key(|running| std::cmp::Reverse(running.number));
        let running = running.into_iter().map(|running| Test {
            duration_seconds: running.started_ns.map(|start| (now_ns - start).max(0) as f64 / 1e9),
            ..running.test.clone()
        });
        let mut tests: Vec<Test> = running.chain(self.ended.iter().rev().cloned()).collect();
        let beyond = tests.len().saturating_sub(MOST_TOLD);
        tests.truncate(MOST_TOLD);
        Tests { tests, omitted: self.omitted + beyond as u64 }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

fn of(event: &Event) -> Test {
    Test {
        test_id: event.test_id.as_deref().map(cut).unwrap_or_default(),
        run_id: event.run_id.as_deref().map(cut),
        suite: event.suite.as_deref().map(cut),
        attempt: event.attempt,
        pid: event.pid,
        running: false,
        status: event.status.map(|status| status.name().to_owned()),
        started: None,
        duration_seconds: None,
    }
}
