//! The kernel programs on this machine's kernel, against `sidecar_agent::bpf` directly.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.
//! `SIDECAR_BPF_OBJECT` names an object to test in place of the embedded one.

mod adaptive;
mod cases;
mod cost;
mod counting;
mod forms;
mod held;
mod links;
mod outcomes;
mod sampling;
mod strings;
mod tree;
mod wake;

use std::sync::{OnceLock, RwLock};

use anyhow::Result;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use sidecar_agent::bpf::Kernel;
use sidecar_tests::kernel::session;

use cases::{Case, Run};

/// Tests hold it shared; those that ask for all processes of this one hold it alone.
static TURNS: RwLock<()> = RwLock::new(());

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

fn run(case: &Case) -> Result<Completion, Failed> {
    if let Some(reason) = obstacle() {
        if std::env::var_os("CI").is_some_and(|value| value == "true") {
            return Err(format!("it can't run here: {reason}").into());
        }
        println!("SKIPPED {}: {reason}", case.name);
        return Ok(Completion::ignored_with(reason));
    }
    // A test that panicked has left nothing in it that could be half done.
    let result = match case.run {
        Run::Shared(test) => {
            let _turn = TURNS.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            test()
        }
        Run::Alone(test) => {
            let _turn = TURNS.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            test()
        }
    };
    result.map(|()| Completion::Completed).map_err(|error| format!("{error:?}").into())
}

fn main() {
    let arguments = Arguments::from_args();
    let trials =
        cases::all().into_iter().map(|case| Trial::ignorable_test(case.name, move || run(&case))).collect();
    libtest_mimic::run(&arguments, trials).exit();
}
