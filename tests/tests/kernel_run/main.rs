//! `sidecar run` as a user has it: the built program on this machine's kernel, seen from outside.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.
//! `SIDECAR_BPF_OBJECT` names an object to test in place of the embedded one.

mod accounts;
mod api;
mod basics;
mod boost;
mod broken;
mod cases;
mod churn;
mod clock;
mod containers;
mod death;
mod discovery;
mod dlopen;
mod dying;
mod elsewhere;
mod estimates;
mod exits;
mod files;
mod first_event;
mod folders;
mod foreign;
mod functions;
mod giving_up;
mod googletest;
mod handlers;
mod health;
mod hidepid;
mod identity;
mod kept;
mod many;
mod memory;
mod presets;
mod refusals;
mod reload;
mod sinks;
mod switch;
mod verbs;

use libtest_mimic::{Arguments, Trial};
use sidecar_tests::{agent, kernel::trial};

fn main() {
    let arguments = Arguments::from_args();
    let trials = cases::ALL.iter().map(|case| {
        Trial::ignorable_test(case.name, || {
            let obstacle = trial::obstacle_on_x86_64().or_else(|| case.obstacle());
            trial::run(case.name, obstacle, case.test)
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    agent::clean_up();
    conclusion.exit();
}
