//! `sidecar exec`, the built program, on this machine's kernel, from outside.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.
//! `SIDECAR_BPF_OBJECT` names an object to test in place of the embedded one.

mod bad_strings;
mod cases;
mod exits;
mod fail_open;
mod load;
mod privilege;
mod refusals;
mod report;
mod signals;
mod summary;
mod terminal;
mod transparency;
mod truth;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use sidecar_tests::{agent, kernel::trial};

use cases::{Case, Needs};

fn run(case: &Case) -> Result<Completion, Failed> {
    let obstacle = match case.needs {
        Needs::Nothing => None,
        Needs::Watching => trial::obstacle_on_x86_64(),
    };
    trial::run(case.name, obstacle, case.test)
}

/// Sets signals of the terminal to their defaults: whoever started this in the background ignores them.
fn default_signals() {
    for signal in [libc::SIGINT, libc::SIGQUIT, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU, libc::SIGHUP] {
        // SAFETY: no handler is installed, and this program has one thread yet.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

fn main() {
    default_signals();
    let arguments = Arguments::from_args();
    let trials =
        cases::all().into_iter().map(|case| Trial::ignorable_test(case.name, move || run(&case))).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    agent::clean_up();
    conclusion.exit();
}
