//! Failed tests, and what became of them on later attempts.

use std::collections::HashMap;

use sidecar_common::Status;

use super::{Counts, text};
use crate::event::Event;

/// Most failed tests that are remembered, to know a later attempt. About 1 MB.
pub const MOST_FAILED: usize = 16_384;

/// Most failed tests whose name and message are kept. About 200 kB.
pub const MOST_DETAILS: usize = 100;

/// Failed tests by a hash of their identity.
#[derive(Default)]
pub(super) struct Retries {
    failed: HashMap<u64, Failed>,
    details: Vec<Detail>,
    /// Failed tests that found no room in `failed`: their later attempts count as tests of their own.
    untracked: u64,
    /// Failed tests that found no room in `details` and did not pass later.
    undetailed_failed: u64,
    /// Those that passed later.
    undetailed_flaky: u64,
}

/// A test that failed at least once.
struct Failed {
    attempt: u32,
    status: Status,
    /// Failed first and passed on its last attempt.
    flaky: bool,
    detail: Option<usize>,
}

/// What is shown of a test that failed.
#[derive(Clone, Debug)]
pub(super) struct Detail {
    pub(super) name: String,
    pub(super) status: Status,
    pub(super) duration_ns: Option<u64>,
    pub(super) message: Option<String>,
    /// Number of the last attempt, where attempts are numbered.
    pub(super) attempt: Option<u32>,
    /// The attempt that passed.
    pub(super) passed: Option<u32>,
}

impl Retries {
    /// Takes an end in. `test` is the hash of the test's identity.
    pub(super) fn observe(&mut self, test: Option<u64>, event: &Event, status: Status, counts: &mut Counts) {
        if let (Some(test), Some(attempt)) = (test, event.attempt)
            && let Some(failed) = self.failed.get_mut(&test).filter(|failed| failed.attempt < attempt)
        {
            counts.superseded[failed.status as usize] += 1;
            let (was_flaky, is_flaky, detail) = (failed.flaky, status == Status::Passed, failed.detail);
            (failed.attempt, failed.status, failed.flaky) = (attempt, status, is_flaky);
            counts.flaky = counts.flaky - u64::from(was_flaky) + u64::from(is_flaky);
            if let Some(detail) = detail.and_then(|index| self.details.get_mut(index)) {
                detail.next(event, status, attempt);
            } else {
                *self.undetailed(was_flaky) -= 1;
                *self.undetailed(is_flaky) += 1;
            }
            return;
        }
        if !status.is_failure() {
            return;
        }
        let detail = self.detail(event, status);
        let (Some(test), Some(attempt)) = (test, event.attempt) else { return };
        if self.failed.len() < MOST_FAILED || self.failed.contains_key(&test) {
            self.failed.insert(test, Failed { attempt, status, flaky: false, detail });
        } else {
            self.untracked += 1;
        }
    }

    fn detail(&mut self, event: &Event, status: Status) -> Option<usize> {
        if self.details.len() == MOST_DETAILS {
            self.undetailed_failed += 1;
            return None;
        }
        self.details.push(Detail {
            name: text::name(event),
            status,
            duration_ns: event.duration_ns,
            message: event.message.clone(),
            attempt: event.attempt,
            passed: None,
        });
        Some(self.details.len() - 1)
    }

    fn undetailed(&mut self, flaky: bool) -> &mut u64 {
        if flaky { &mut self.undetailed_flaky } else { &mut self.undetailed_failed }
    }

    /// Tests whose last outcome is no pass, and how many more there are.
    pub(super) fn failures(&self) -> (Vec<&Detail>, u64) {
        (self.details.iter().filter(|detail| detail.passed.is_none()).collect(), self.undetailed_failed)
    }

    /// Tests that failed and then passed, and how many more there are.
    pub(super) fn flaky(&self) -> (Vec<&Detail>, u64) {
        (self.details.iter().filter(|detail| detail.passed.is_some()).collect(), self.undetailed_flaky)
    }

    /// Failed tests whose later attempts can't be known.
    pub(super) fn untracked(&self) -> u64 {
        self.untracked
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.failed.len(), self.details.len())
    }
}

impl Detail {
    /// A later attempt ended.
    fn next(&mut self, event: &Event, status: Status, attempt: u32) {
        self.attempt = Some(attempt);
        if status == Status::Passed {
            self.passed = Some(attempt);
            return;
        }
        self.passed = None;
        self.status = status;
        self.duration_ns = event.duration_ns;
        self.message = event.message.clone().or_else(|| self.message.take());
    }
}
