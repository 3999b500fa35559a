//! sidecar-markers under `sidecar exec`: what C, C++ and Rust programs say arrives, however hostile the way they say it,
//! and nothing happens to them.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.
//! `SIDECAR_BPF_OBJECT` names an object to test in place of the embedded one.

mod c_programs;
mod guards;

use anyhow::{Result, ensure};
use libtest_mimic::{Arguments, Trial};
use sidecar_tests::exec::Ran;
use sidecar_tests::{agent, kernel::trial};

/// A test's body.
type Body = Box<dyn Fn() -> Result<()> + Send>;

/// A name, what the program is told to do, and what has to be in the report of that.
type Checked = (&'static str, &'static str, fn(&Ran) -> Result<()>);

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
        Trial::ignorable_test(name, move || trial::run(&label, trial::obstacle(), body))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    agent::clean_up();
    conclusion.exit();
}
