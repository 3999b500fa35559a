//! The agent with no more privilege than it uses: the systemd unit's capabilities, fewer, and under a system call filter.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.

mod documents;
mod filter;
mod running;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use sidecar_tests::{agent, kernel::trial};

type Case = (&'static str, fn() -> Result<()>);

const ALL: &[Case] = &[
    ("the_unit_the_table_and_the_doctor_name_the_same_capabilities", documents::agree),
    ("the_doctor_misses_each_capability_that_is_taken_away", documents::each_taken_away),
    ("systemd_takes_the_unit", documents::systemd),
    ("the_units_capabilities_are_enough", running::unit),
    ("two_capabilities_watch_configured_files", running::two),
    ("every_thread_has_given_up_what_is_not_used", running::given_up),
    ("a_filter_does_not_hide_that_nops_are_rewritten", filter::nops),
];

/// Why these can't run: they take privileges away, which only root can.
fn obstacle() -> Option<&'static str> {
    trial::obstacle().or_else(|| (!nix::unistd::geteuid().is_root()).then_some("not root"))
}

fn main() {
    let arguments = Arguments::from_args();
    let trials = ALL
        .iter()
        .map(|&(name, test)| Trial::ignorable_test(name, move || trial::run(name, obstacle(), test)));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    agent::clean_up();
    conclusion.exit();
}
