//! What the macros build: one value a marker, with a method for each named argument.

use std::borrow::Cow;
use std::time::Duration;

use sidecar_common::Status;

use crate::guard::TestGuard;
use crate::{fire, identity};

/// Text that a marker can carry: strings, references and boxes of them, and options (`None` is "not given").
pub trait Text {
    /// The text, if there is one.
    fn text(&self) -> Option<&str>;
}

impl Text for str {
    fn text(&self) -> Option<&str> {
        Some(self)
    }
}

impl Text for String {
    fn text(&self) -> Option<&str> {
        Some(self)
    }
}

impl Text for Cow<'_, str> {
    fn text(&self) -> Option<&str> {
        Some(self)
    }
}

impl<T: Text + ?Sized> Text for &T {
    fn text(&self) -> Option<&str> {
        (**self).text()
    }
}

impl<T: Text + ?Sized> Text for Box<T> {
    fn text(&self) -> Option<&str> {
        (**self).text()
    }
}

impl<T: Text> Text for Option<T> {
    fn text(&self) -> Option<&str> {
        self.as_ref().and_then(Text::text)
    }
}

fn bytes<T: Text + ?Sized>(text: &T) -> Option<&[u8]> {
    text.text().map(str::as_bytes)
}

/// A run's id and a test's, as the markers name them.
#[derive(Clone, Copy)]
struct Test<'a> {
    id: Option<&'a [u8]>,
    run: Option<&'a [u8]>,
    key: Option<u64>,
}

impl Test<'_> {
    const NONE: Self = Self { id: None, run: None, key: None };

    fn run_id(&self) -> &[u8] {
        self.run.unwrap_or_else(|| identity::run_id().as_bytes())
    }

    /// The key that was given, or that of the ids; 0 without a test.
    fn key(&self) -> u64 {
        self.key.unwrap_or_else(|| {
            self.id.map_or(0, |id| identity::key_of(self.run_id().iter().copied(), id.iter().copied()))
        })
    }
}

/// Setters that the builders of tests and events share.
macro_rules! of_a_test {
    () => {
        /// The test's id.
        pub fn id<T: Text + ?Sized>(mut self, id: &'a T) -> Self {
            self.test.id = bytes(id);
            self
        }

        /// The run's id. Not given: [`run_id`](crate::run_id).
        pub fn run<T: Text + ?Sized>(mut self, run: &'a T) -> Self {
            self.test.run = bytes(run);
            self
        }

        /// The sampling key, the same for all markers of a test. Not given: [`key`](crate::key) of both ids.
        pub fn key(mut self, key: u64) -> Self {
            self.test.key = Some(key);
            self
        }
    };
}

/// A test's start: what [`test_start!`](crate::test_start) builds.
#[must_use = "nothing happens until `fire`"]
pub struct TestStart<'a> {
    test: Test<'a>,
    suite: Option<&'a [u8]>,
    attempt: u32,
}

impl<'a> TestStart<'a> {
    /// A first attempt, without names yet.
    #[expect(clippy::new_without_default, reason = "a builder that the macros make, not a value")]
    pub fn new() -> Self {
        Self { test: Test::NONE, suite: None, attempt: 1 }
    }

    of_a_test!();

    /// The suite, crate or file that the test belongs to.
    pub fn suite<T: Text + ?Sized>(mut self, suite: &'a T) -> Self {
        self.suite = bytes(suite);
        self
    }

    /// The attempt, from 1.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// Calls the marker.
    pub fn fire(self) {
        fire::test_start(&fire::Start {
            key: self.test.key(),
            test_id: self.test.id,
            run_id: Some(self.test.run_id()),
            suite: self.suite,
            attempt: self.attempt,
        });
    }
}

/// A test's end: what [`test_end!`](crate::test_end) builds.
#[must_use = "nothing happens until `fire`"]
pub struct TestEnd<'a> {
    test: Test<'a>,
    status: Status,
    duration: Duration,
    message: Option<&'a [u8]>,
    attempt: u32,
}

impl<'a> TestEnd<'a> {
    /// The end of a first attempt, without names yet.
    pub fn new(status: Status) -> Self {
        Self { test: Test::NONE, status, duration: Duration::ZERO, message: None, attempt: 1 }
    }

    of_a_test!();

    /// How long the test took.
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// Why the test failed or was skipped.
    pub fn message<T: Text + ?Sized>(mut self, message: &'a T) -> Self {
        self.message = bytes(message);
        self
    }

    /// The attempt, from 1.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = attempt;
        self
    }

    /// Calls the marker.
    pub fn fire(self) {
        fire::test_end(&fire::End {
            key: self.test.key(),
            test_id: self.test.id,
            status: self.status as u32,
            duration_ns: u64::try_from(self.duration.as_nanos()).unwrap_or(u64::MAX),
            message: self.message,
            attempt: self.attempt,
        });
    }
}

/// Something that happened: what [`event!`](crate::event) builds.
#[must_use = "nothing happens until `fire`"]
pub struct Event<'a> {
    event_type: Option<&'a [u8]>,
    test: Test<'a>,
    data: Option<&'a [u8]>,
}

impl<'a> Event<'a> {
    /// An event of this type, of no test.
    pub fn new<T: Text + ?Sized>(event_type: &'a T) -> Self {
        Self { event_type: bytes(event_type), test: Test::NONE, data: None }
    }

    of_a_test!();

    /// The running test that the event belongs to.
    pub fn test(mut self, test: &'a TestGuard) -> Self {
        self.test = Test {
            id: Some(test.id().as_bytes()),
            run: Some(test.run_id().as_bytes()),
            key: Some(test.key()),
        };
        self
    }

    /// The payload, cut at 1 KiB: text, JSON or any bytes.
    pub fn data<T: AsRef<[u8]> + ?Sized>(mut self, data: &'a T) -> Self {
        self.data = Some(data.as_ref());
        self
    }

    /// Calls the marker.
    pub fn fire(self) {
        fire::event(&fire::Happened {
            key: self.test.key(),
            event_type: self.event_type,
            test_id: self.test.id,
            run_id: Some(self.test.run_id()),
            data: self.data,
        });
    }
}

/// An anomaly: what [`anomaly!`](crate::anomaly) builds.
#[must_use = "nothing happens until `fire`"]
pub struct Anomaly<'a> {
    signal: Option<&'a [u8]>,
    kind: Option<&'a [u8]>,
}

impl<'a> Anomaly<'a> {
    /// An anomaly of this kind in this signal (`events`, `traces`, `test_events`, ... or the user's own).
    pub fn new<T: Text + ?Sized, U: Text + ?Sized>(signal: &'a T, kind: &'a U) -> Self {
        Self { signal: bytes(signal), kind: bytes(kind) }
    }

    /// Calls the marker.
    pub fn fire(self) {
        fire::anomaly(self.signal, self.kind);
    }
}

#[cfg(test)]
#[path = "builders_tests.rs"]
mod tests;
