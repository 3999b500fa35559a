//! A test's life: a guard that fires the start marker when made and the end marker when done.

use std::any::Any;
use std::borrow::Cow;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Instant;

use sidecar_common::Status;

use crate::{Marker, TestEnd, TestStart, enabled, identity};

/// A test before its start: what [`test!`](crate::test) builds.
#[must_use = "nothing happens until `start`"]
pub struct TestBuilder {
    id: Cow<'static, str>,
    suite: Cow<'static, str>,
    run: Option<Cow<'static, str>>,
    attempt: Option<u32>,
}

impl TestBuilder {
    /// A test with this id. The suite is the crate: the first part of `module_path`.
    pub fn new(id: impl Into<Cow<'static, str>>, module_path: &'static str) -> Self {
        let suite = module_path.split_once("::").map_or(module_path, |(suite, _)| suite);
        Self { id: id.into(), suite: suite.into(), run: None, attempt: None }
    }

    /// Another id.
    pub fn id(mut self, id: impl Into<Cow<'static, str>>) -> Self {
        self.id = id.into();
        self
    }

    /// Another suite.
    pub fn suite(mut self, suite: impl Into<Cow<'static, str>>) -> Self {
        self.suite = suite.into();
        self
    }

    /// Another run than [`run_id`](crate::run_id).
    pub fn run(mut self, run: impl Into<Cow<'static, str>>) -> Self {
        self.run = Some(run.into());
        self
    }

    /// Another attempt than 1, or than cargo-nextest's `NEXTEST_ATTEMPT`.
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.attempt = Some(attempt);
        self
    }

    /// Fires `test_start` and starts the clock.
    pub fn start(self) -> TestGuard {
        let mut guard = TestGuard {
            test: self,
            xfail: AtomicBool::new(false),
            should_panic: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            born_panicking: std::thread::panicking(),
            started: Instant::now(),
        };
        if enabled(Marker::TestStart) {
            TestStart::new()
                .id(&guard.test.id)
                .run(guard.run_id())
                .suite(&guard.test.suite)
                .attempt(guard.attempt())
                .fire();
            // What firing took is not the test's time.
            guard.started = Instant::now();
        }
        guard
    }
}

/// A running test. It ends once: by one of its methods, or when dropped (failed if its thread panics, else
/// passed). It never panics, and may be shared between threads.
///
/// A guard that is only dropped can't see a panic's message or a returned error; [`TestGuard::run`] can.
#[must_use = "the test ends when the guard is dropped: bind it to a name (`let _test = ...`)"]
pub struct TestGuard {
    test: TestBuilder,
    xfail: AtomicBool,
    should_panic: AtomicBool,
    ended: AtomicBool,
    born_panicking: bool,
    started: Instant,
}

impl TestGuard {
    /// The test's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.test.id
    }

    /// The run's id.
    #[must_use]
    pub fn run_id(&self) -> &str {
        self.test.run.as_deref().unwrap_or_else(|| identity::run_id())
    }

    /// The attempt, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.test.attempt.unwrap_or_else(identity::attempt)
    }

    /// The key of the test's markers.
    #[must_use]
    pub fn key(&self) -> u64 {
        identity::key(self.run_id(), self.id())
    }

    /// From now on a failure is expected: failed becomes xfail, and passed becomes xpass.
    pub fn xfail(&self) {
        self.xfail.store(true, Relaxed);
    }

    /// From now on a panic is expected, as under `#[should_panic]`: with one the test passes, else it fails.
    pub fn should_panic(&self) {
        self.should_panic.store(true, Relaxed);
    }

    /// Ends the test as skipped.
    pub fn skip(&self, reason: &str) {
        self.end(Status::Skipped, Some(reason));
    }

    /// Ends the test as failed (xfail if that was expected).
    pub fn fail(&self, message: &str) {
        self.end(self.verdict(Ending::Failed), Some(message));
    }

    /// Ends the test with this status, whatever was expected.
    pub fn finish(&self, status: Status) {
        self.end(status, None);
    }

    /// Runs the test's body and ends the test: a panic or a returned error is a failure, and its text is the
    /// message. The panic goes on as if the guard were not there.
    pub fn run<T: Outcome>(self, body: impl FnOnce(&Self) -> T) -> T {
        match catch_unwind(AssertUnwindSafe(|| body(&self))) {
            Ok(value) => self.returned(value),
            Err(payload) => {
                self.end(self.verdict(Ending::Panicked), Some(panic_message(&*payload)));
                resume_unwind(payload)
            }
        }
    }

    /// Ends the test with what its body returned, and passes that on. For bodies that [`TestGuard::run`]
    /// can't call, such as async ones.
    pub fn returned<T: Outcome>(&self, value: T) -> T {
        if enabled(Marker::TestEnd) {
            // A user's Debug may panic; the test's outcome does not change for that.
            let error = catch_unwind(AssertUnwindSafe(|| value.error()))
                .unwrap_or_else(|_| Some("an error whose Debug panics".to_owned()));
            let ending = if error.is_some() { Ending::Failed } else { Ending::Returned };
            self.end(self.verdict(ending), error.as_deref());
        } else {
            self.ended.store(true, Relaxed);
        }
        value
    }

    fn verdict(&self, ending: Ending) -> Status {
        verdict(ending, self.xfail.load(Relaxed), self.should_panic.load(Relaxed))
    }

    fn end(&self, status: Status, message: Option<&str>) {
        let elapsed = self.started.elapsed();
        if self.ended.swap(true, Relaxed) || !enabled(Marker::TestEnd) {
            return;
        }
        TestEnd::new(status)
            .id(&self.test.id)
            .run(self.run_id())
            .duration(elapsed)
            .message(&message)
            .attempt(self.attempt())
            .fire();
    }
}

impl Drop for TestGuard {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.born_panicking {
            self.end(self.verdict(Ending::Panicked), Some("panicked"));
        } else {
            self.end(self.verdict(Ending::Returned), None);
        }
    }
}

/// How a test's body ended.
#[derive(Clone, Copy, Debug)]
enum Ending {
    /// It returned without an error.
    Returned,
    /// It returned an error, or said that it failed.
    Failed,
    /// It panicked.
    Panicked,
}

/// The status of an ending under the test's expectations.
fn verdict(ending: Ending, xfail: bool, should_panic: bool) -> Status {
    let passed = match ending {
        Ending::Returned => !should_panic,
        Ending::Failed => false,
        Ending::Panicked => should_panic,
    };
    match (passed, xfail) {
        (true, false) => Status::Passed,
        (false, false) => Status::Failed,
        (true, true) => Status::Xpass,
        (false, true) => Status::Xfail,
    }
}

/// The text of a panic, as far as it has one.
fn panic_message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "panicked with a value that is not text"
    }
}

/// What a test's body can return: nothing, or a result.
pub trait Outcome {
    /// The error's text, if it is one.
    fn error(&self) -> Option<String>;
}

impl Outcome for () {
    fn error(&self) -> Option<String> {
        None
    }
}

impl<T, E: Debug> Outcome for Result<T, E> {
    fn error(&self) -> Option<String> {
        self.as_ref().err().map(|error| format!("{error:?}"))
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
