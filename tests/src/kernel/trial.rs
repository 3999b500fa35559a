//! Tests of the kernel side as trials: one that can't run here prints `SKIPPED NAME: REASON` and counts as ignored;
//! under CI=true it fails instead. Where `SIDECAR_TEST_RETRIES` allows it, one that fails is tried again, and says so.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use anyhow::Result;
use libtest_mimic::{Completion, Failed};
use sidecar_agent::bpf::Kernel;

use super::session;

/// Why nothing can be watched here, if so. The kernel is asked once.
#[must_use]
pub fn obstacle() -> Option<&'static str> {
    static OBSTACLE: OnceLock<Option<String>> = OnceLock::new();
    OBSTACLE.get_or_init(|| Kernel::load(&session::options()).err().map(|error| error.to_string())).as_deref()
}

/// The same for tests whose programs are written for one processor.
#[must_use]
pub fn obstacle_on_x86_64() -> Option<&'static str> {
    if cfg!(target_arch = "x86_64") { obstacle() } else { Some("the test programs are written for x86-64") }
}

/// Says how often a failed test is tried again. `cargo xtask test` sets it to 1: a machine that others use too can keep a
/// process from running for seconds. `cargo test` alone tries nothing twice.
const RETRIES: &str = "SIDECAR_TEST_RETRIES";

/// Runs a test that nothing hinders. One that passes only when it is tried again prints `FLAKY NAME: REASON`.
///
/// # Errors
/// What the test says; under CI=true also the obstacle.
pub fn run(name: &str, obstacle: Option<&str>, test: impl Fn() -> Result<()>) -> Result<Completion, Failed> {
    if let Some(reason) = obstacle {
        if std::env::var_os("CI").is_some_and(|value| value == "true") {
            return Err(format!("it can't run here: {reason}").into());
        }
        println!("\nSKIPPED {name}: {reason}");
        return Ok(Completion::ignored_with(reason));
    }
    let retries = std::env::var(RETRIES).ok().and_then(|value| value.parse().ok()).unwrap_or(0);
    let tried = repeatedly(retries, || attempt(&test));
    // On a line of its own: the name of the test may stand on this one.
    if let (Ok(()), Some(reason)) = (&tried.last, &tried.before) {
        println!("\nFLAKY {name}: {}", reason.lines().next().unwrap_or_default());
    }
    tried.last.map(|()| Completion::Completed).map_err(Failed::from)
}

/// How the attempts at a test ended.
struct Tried {
    last: Result<(), String>,
    /// Why the one before failed.
    before: Option<String>,
}

fn repeatedly(retries: u32, attempt: impl Fn() -> Result<(), String>) -> Tried {
    let mut tried = Tried { last: attempt(), before: None };
    for _ in 0..retries {
        match tried.last {
            Ok(()) => break,
            Err(reason) => tried = Tried { last: attempt(), before: Some(reason) },
        }
    }
    tried
}

fn attempt(test: &impl Fn() -> Result<()>) -> Result<(), String> {
    match catch_unwind(AssertUnwindSafe(test)) {
        Ok(result) => result.map_err(|error| format!("{error:?}")),
        Err(panic) => Err(format!("panicked: {}", text(&*panic))),
    }
}

/// What was said in a panic.
fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    fn failing_until(good: u32, retries: u32) -> (Tried, u32) {
        let count = Cell::new(0);
        let tried = repeatedly(retries, || {
            count.set(count.get() + 1);
            if count.get() < good { Err(format!("attempt {}", count.get())) } else { Ok(()) }
        });
        (tried, count.get())
    }

    #[test]
    fn a_failed_test_is_tried_again_as_often_as_allowed() {
        let (tried, attempts) = failing_until(1, 1);
        assert!(tried.last.is_ok() && tried.before.is_none() && attempts == 1);
        let (tried, attempts) = failing_until(2, 1);
        assert!(tried.last.is_ok() && tried.before.as_deref() == Some("attempt 1") && attempts == 2);
        let (tried, attempts) = failing_until(3, 1);
        assert!(tried.last == Err("attempt 2".to_owned()) && attempts == 2);
        let (tried, attempts) = failing_until(2, 0);
        assert!(tried.last == Err("attempt 1".to_owned()) && attempts == 1);
    }

    #[test]
    fn a_panic_is_a_failure_with_its_text() {
        assert_eq!(attempt(&|| panic!("on {}", "purpose")), Err("panicked: on purpose".to_owned()));
        assert_eq!(attempt(&|| panic!("plain")), Err("panicked: plain".to_owned()));
        assert!(attempt(&|| Err(anyhow::anyhow!("no"))).is_err());
        assert_eq!(attempt(&|| Ok(())), Ok(()));
    }
}
