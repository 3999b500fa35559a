//! The Node client under the real frameworks: what the agent saw beside each framework's own report, in every fate of the
//! agent, and with bad input.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.

mod input;
mod jest;
mod node_test;
mod playwright;
mod setup;
mod vitest;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use sidecar_tests::{agent, kernel::trial};

/// A name and its test.
type Case = (&'static str, fn() -> Result<()>);

const TESTS: [Case; 11] = [
    ("node_test_tells_what_it_reports", node_test::same),
    ("node_test_notices_no_agents_fate", node_test::fates),
    ("jest_tells_what_it_reports", jest::same),
    ("jest_notices_no_agents_fate", jest::fates),
    ("vitest_tells_what_it_reports", vitest::same),
    ("vitest_notices_no_agents_fate", vitest::fates),
    ("playwright_tells_what_it_reports", playwright::same),
    ("playwright_notices_no_agents_fate", playwright::fates),
    ("bad_input_arrives_as_text_and_never_throws", input::odd),
    ("threads_and_forks_have_markers_of_their_own", input::threads),
    ("without_an_addon_nothing_happens", input::no_addon),
];

fn main() {
    let arguments = Arguments::from_args();
    let trials = TESTS.map(|(name, test)| {
        let obstacle = || trial::obstacle().or_else(setup::obstacle);
        Trial::ignorable_test(name, move || trial::run(name, obstacle(), test))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.into());
    agent::clean_up();
    conclusion.exit();
}
