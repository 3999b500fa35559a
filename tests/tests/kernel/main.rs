//! The kernel programs on this machine's kernel, against `sidecar_agent::bpf` directly.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.
//! `SIDECAR_BPF_OBJECT` names an object to test in place of the embedded one.

mod adaptive;
mod cases;
mod cost;
mod counting;
mod exits;
mod forms;
mod functions;
mod held;
mod known;
mod links;
mod outcomes;
mod room;
mod sampling;
mod strings;
mod tree;
mod wake;

use std::sync::{PoisonError, RwLock};

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use sidecar_tests::kernel::trial;

use cases::{Case, Run};

/// Tests hold it shared; those that ask for all processes of this one hold it alone.
static TURNS: RwLock<()> = RwLock::new(());

fn run(case: &Case) -> Result<()> {
    // A test that panicked has left nothing in it that could be half done.
    match case.run {
        Run::Shared(test) => {
            let _turn = TURNS.read().unwrap_or_else(PoisonError::into_inner);
            test()
        }
        Run::Alone(test) => {
            let _turn = TURNS.write().unwrap_or_else(PoisonError::into_inner);
            test()
        }
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let trials = cases::all().into_iter().map(|case| {
        Trial::ignorable_test(case.name, move || {
            trial::run(case.name, trial::obstacle_on_x86_64(), || run(&case))
        })
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}
