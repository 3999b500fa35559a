//! `sidecar run` as a user has it: the built program on this machine's kernel, seen from outside.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.
//! `SIDECAR_BPF_OBJECT` names an object to test in place of the embedded one.

mod api;
mod basics;
mod boost;
mod cases;
mod death;
mod discovery;
mod files;
mod foreign;
mod handlers;
mod kept;
mod many;
mod memory;
mod refusals;
mod reload;
mod sinks;
mod switch;
mod verbs;

use std::sync::OnceLock;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use sidecar_agent::bpf::Kernel;
use sidecar_tests::agent;
use sidecar_tests::kernel::session;

use cases::Case;

/// Why nothing can run here.
fn obstacle() -> Option<&'static str> {
    static OBSTACLE: OnceLock<Option<String>> = OnceLock::new();
    let found = OBSTACLE.get_or_init(|| {
        if !cfg!(target_arch = "x86_64") {
            return Some("the test programs are written for x86-64".to_owned());
        }
        Kernel::load(&session::options()).err().map(|error| error.to_string())
    });
    found.as_deref()
}

fn run(case: Case) -> Result<Completion, Failed> {
    if let Some(reason) = obstacle() {
        if std::env::var_os("CI").is_some_and(|value| value == "true") {
            return Err(format!("it can't run here: {reason}").into());
        }
        println!("SKIPPED {}: {reason}", case.name);
        return Ok(Completion::ignored_with(reason));
    }
    (case.test)().map(|()| Completion::Completed).map_err(|error| format!("{error:?}").into())
}

fn main() {
    let arguments = Arguments::from_args();
    let trials = cases::ALL.iter().map(|case| Trial::ignorable_test(case.name, move || run(*case))).collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    agent::clean_up();
    conclusion.exit();
}
