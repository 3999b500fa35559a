//! `sidecar exec`, the built program, on this machine's kernel, from outside.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.
//! `SIDECAR_BPF_OBJECT` names an object to test in place of the embedded one.

mod bad_strings;
mod cases;
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

use std::sync::OnceLock;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use sidecar_agent::bpf::Kernel;
use sidecar_tests::{agent, kernel::session};

use cases::{Case, Needs};

/// Why nothing can be watched here.
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
    let reason = match case.needs {
        Needs::Nothing => None,
        Needs::Watching => obstacle(),
    };
    if let Some(reason) = reason {
        if std::env::var_os("CI").is_some_and(|value| value == "true") {
            return Err(format!("it can't run here: {reason}").into());
        }
        println!("SKIPPED {}: {reason}", case.name);
        return Ok(Completion::ignored_with(reason));
    }
    (case.test)().map(|()| Completion::Completed).map_err(|error| format!("{error:?}").into())
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
