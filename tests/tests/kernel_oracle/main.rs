//! Another tracer as the oracle: `sidecar run` and Debian's bpftrace watch one workload at the same time, and count the
//! same hits to the unit.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.
//! `SIDECAR_BPF_OBJECT` names an object to test in place of the embedded one.

mod bpftrace;
mod compared;
mod functions;
mod markers;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use sidecar_tests::{agent, kernel::trial};

/// Name, body, and a file of a Debian package without which it can't run.
type Case = (&'static str, fn() -> Result<()>, &'static str);

const CASES: &[Case] = &[
    ("exceptions_of_libstdcxx", markers::libstdcxx, "/usr/bin/g++"),
    ("every_marker_of_python", markers::python, "/usr/bin/python3"),
    ("markers_of_the_jvm", markers::jvm, markers::JAVA),
    ("functions_of_libc", functions::libc, "/usr/bin/gcc"),
];

fn main() {
    let arguments = Arguments::from_args();
    let trials = CASES.iter().map(|&(name, test, needs)| {
        Trial::ignorable_test(name, move || {
            let missing =
                [bpftrace::PROGRAM, needs].into_iter().find(|file| !std::path::Path::new(file).exists());
            let missing = missing.map(|file| format!("there is no {file}"));
            trial::run(name, trial::obstacle_on_x86_64().or(missing.as_deref()), test)
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    agent::clean_up();
    conclusion.exit();
}
