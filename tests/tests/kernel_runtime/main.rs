//! The library as a Rust program has it: `SidecarRuntime` watches this process's own markers through eBPF.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.

mod accounts;
mod cost;
mod events;
mod life;
mod rates;
mod watching;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use sidecar_tests::kernel::trial;

type Case = (&'static str, fn() -> Result<()>);

const ALL: &[Case] = &[
    ("every_event_reaches_its_handler_once", events::each_once),
    ("metrics_and_stats_hold_what_was_fired", events::counted),
    ("a_handler_that_panics_is_counted_and_called_again", events::panics),
    ("health_is_that_of_an_agent_at_work", events::health),
    ("a_rate_is_in_force_at_the_next_hit", rates::set),
    ("a_boost_raises_the_rate_and_ends_when_cleared", rates::boosted),
    ("five_anomalies_raise_the_rate", rates::anomalies),
    ("the_agent_measures_its_own_cost", cost::measured),
    ("the_account_of_the_queue_has_every_reason", accounts::of_the_queue),
    ("it_starts_once_and_again_after_a_stop", life::twice),
    ("stop_hands_on_what_waits", life::drained),
    ("what_goes_out_of_scope_stops", life::dropped),
];

fn main() {
    let mut arguments = Arguments::from_args();
    // Each runtime watches the markers of the whole process: one at a time.
    arguments.test_threads = Some(1);
    let trials = ALL
        .iter()
        .map(|&(name, test)| Trial::ignorable_test(name, move || trial::run(name, trial::obstacle(), test)));
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
