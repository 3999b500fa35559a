//! The listeners for C++ test frameworks: each framework runs its example suite for real, and what its own report tells is
//! compared with what the agent saw, in every fate of the agent.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.

mod catch2;
mod cmake;
mod doctest;
mod gtest;
mod program;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use sidecar_tests::{agent, kernel::trial};

/// A test's name and body.
type Named = (&'static str, fn() -> Result<()>);

/// A test: its name, what it needs beside the compiler, and its body.
struct Case {
    name: &'static str,
    needs: fn() -> Option<String>,
    body: fn() -> Result<()>,
}

fn main() {
    let arguments = Arguments::from_args();
    let cases =
        gtest::tests().into_iter().chain(catch2::tests()).chain(doctest::tests()).chain(cmake::tests());
    let trials = cases.map(|case| {
        Trial::ignorable_test(case.name, move || {
            let missing = trial::obstacle().map(str::to_owned).or_else(case.needs);
            trial::run(case.name, missing.as_deref(), case.body)
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    agent::clean_up();
    conclusion.exit();
}
