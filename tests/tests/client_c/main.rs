//! libsidecar, as `cargo xtask libsidecar` installs it: what the files hold, who can compile and link with it, and that its
//! markers arrive from wherever a C program fires them.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.

mod compilers;
mod files;
mod programs;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use sidecar_tests::{agent, kernel::trial};

/// A test: its name, what it needs and this machine lacks, and its body.
struct Case {
    name: String,
    missing: Option<String>,
    body: Box<dyn Fn() -> Result<()> + Send>,
}

impl Case {
    fn new(name: &str, missing: Option<String>, body: impl Fn() -> Result<()> + Send + 'static) -> Self {
        Self { name: name.to_owned(), missing, body: Box::new(body) }
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let cases = files::tests().into_iter().chain(compilers::tests()).chain(programs::tests());
    let trials = cases.map(|case| {
        let name = case.name.clone();
        Trial::ignorable_test(case.name, move || trial::run(&name, case.missing.as_deref(), &case.body))
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    agent::clean_up();
    conclusion.exit();
}
