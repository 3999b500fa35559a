//! Tests of the kernel side as trials: one that can't run here prints `SKIPPED NAME: REASON` and counts as ignored;
//! under CI=true it fails instead.

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

/// Runs a test that nothing hinders.
///
/// # Errors
/// What the test says; under CI=true also the obstacle.
pub fn run(
    name: &str,
    obstacle: Option<&str>,
    test: impl FnOnce() -> Result<()>,
) -> Result<Completion, Failed> {
    if let Some(reason) = obstacle {
        if std::env::var_os("CI").is_some_and(|value| value == "true") {
            return Err(format!("it can't run here: {reason}").into());
        }
        println!("SKIPPED {name}: {reason}");
        return Ok(Completion::ignored_with(reason));
    }
    test().map(|()| Completion::Completed).map_err(|error| format!("{error:?}").into())
}
