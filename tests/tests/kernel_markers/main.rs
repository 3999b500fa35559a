//! sidecar-markers under `sidecar exec`: what C, C++ and Rust programs say arrives, however hostile the way they say it,
//! and nothing happens to them.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.
//! `SIDECAR_BPF_OBJECT` names an object to test in place of the embedded one.

mod c_programs;
mod guards;

use std::sync::OnceLock;

use anyhow::{Result, ensure};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use sidecar_agent::bpf::Kernel;
use sidecar_tests::exec::Ran;
use sidecar_tests::{agent, kernel::session};

/// A test's body.
type Body = Box<dyn FnOnce() -> Result<()> + Send>;

/// A name, what the program is told to do, and what has to be in the report of that.
type Checked = (&'static str, &'static str, fn(&Ran) -> Result<()>);

/// Why nothing can be watched here.
fn obstacle() -> Option<&'static str> {
    static OBSTACLE: OnceLock<Option<String>> = OnceLock::new();
    OBSTACLE.get_or_init(|| Kernel::load(&session::options()).err().map(|error| error.to_string())).as_deref()
}

fn run(name: &str, body: Body) -> Result<Completion, Failed> {
    if let Some(reason) = obstacle() {
        if std::env::var_os("CI").is_some_and(|value| value == "true") {
            return Err(format!("it can't run here: {reason}").into());
        }
        println!("SKIPPED {name}: {reason}");
        return Ok(Completion::ignored_with(reason));
    }
    body().map(|()| Completion::Completed).map_err(|error| format!("{error:?}").into())
}

/// Checks how many events of each type there are, and that there are no others.
fn expect_counts(ran: &Ran, expected: &[(&str, usize)]) -> Result<()> {
    for (event_type, count) in expected {
        let found = ran.of_type(event_type).len();
        ensure!(found == *count, "{count} `{event_type}` were fired, {found} arrived: {}", ran.err());
    }
    let all: usize = expected.iter().map(|(_, count)| count).sum();
    ensure!(
        ran.events.len() == all,
        "{all} events were fired, {} arrived: {:?}",
        ran.events.len(),
        ran.events
    );
    Ok(())
}

fn main() {
    let arguments = Arguments::from_args();
    let trials = c_programs::tests().into_iter().chain(guards::tests()).map(|(name, body)| {
        let label = name.clone();
        Trial::ignorable_test(name, move || run(&label, body))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    agent::clean_up();
    conclusion.exit();
}
