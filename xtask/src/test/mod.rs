//! `cargo xtask test`: the README's second command, and all that CI does.
//!
//! A test that cannot run where it is prints a line `SKIPPED NAME: REASON` on standard output and reports
//! itself as ignored. Such lines are repeated at the end; with `CI=true` they fail the run, because CI is
//! where every test has to run. A kernel test that fails is tried once more; one that passes then is named at the end.

mod counts;
mod steps;
mod tools;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::Result;

pub(crate) use counts::Counts;
use steps::Step;

/// Run every check in the order in which CI runs them, or one part
///
/// Each step says what it does and how long it took. The last line is the sum of all tests:
/// `N passed, M failed, K skipped`. A step that fails without a failed test counts as one failed.
/// The kernel tests need root; without it they are skipped, and named at the end.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The part to run
    #[arg(value_enum, default_value_t = Part::All)]
    part: Part,
}

/// A part of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Everything
    All,
    /// Formatting, clippy, the architecture's rules, documentation, dependencies
    Lint,
    /// What needs neither root nor BPF: unit, integration and documentation tests
    Unit,
    /// The committed BPF object against its source
    Object,
    /// The tests on the real kernel, with the committed BPF object or the one in SIDECAR_BPF_OBJECT
    Kernel,
    /// The same on Debian's 6.1, in a machine that qemu emulates
    Vm,
}

/// Runs the verb.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    let begun = Instant::now();
    tools::provide(args.part)?;

    let mut sum = Counts::default();
    let mut outcomes = Vec::new();
    for step in steps::of(args.part) {
        let (counts, outcome) = one(&step, begun);
        sum.add(counts);
        outcomes.push((step.name, outcome));
    }
    close(&sum, &outcomes, ci, begun);
    let red = sum.failed > 0 || (ci && !sum.skips.is_empty());
    Ok(if red { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// How a step ended.
enum Outcome {
    Passed,
    LeftOut(String),
    Failed(String),
}

fn one(step: &Step, begun: Instant) -> (Counts, Outcome) {
    println!("\n== {} (at {}): {}", step.name, clock(begun), step.about);
    let started = Instant::now();
    let mut counts = Counts::default();
    let outcome = match (step.run)(&mut counts) {
        Ok(()) if counts.failed == 0 => Outcome::Passed,
        Ok(()) => Outcome::Failed(format!("{} tests failed", counts.failed)),
        Err(steps::Stop::LeftOut(why)) => Outcome::LeftOut(why),
        Err(steps::Stop::Failed(error)) => {
            counts.failed = counts.failed.max(1);
            Outcome::Failed(format!("{error:#}"))
        }
    };
    let (word, why) = match &outcome {
        Outcome::Passed => ("ok", String::new()),
        Outcome::LeftOut(why) => ("left out", format!(": {why}")),
        Outcome::Failed(why) => ("FAILED", format!(": {why}")),
    };
    println!("== {}: {word} in {}{why}", step.name, clock(started));
    (counts, outcome)
}

fn close(sum: &Counts, outcomes: &[(&str, Outcome)], ci: bool, begun: Instant) {
    println!("\n== {} steps in {}", outcomes.len(), clock(begun));
    for (name, outcome) in outcomes {
        match outcome {
            Outcome::Passed => {}
            Outcome::LeftOut(why) => println!("left out: {name}: {why}"),
            Outcome::Failed(why) => println!("FAILED: {name}: {why}"),
        }
    }
    for skip in &sum.skips {
        println!("skipped: {skip}");
    }
    for flaky in &sum.flaky {
        println!("flaky (failed once, then passed): {flaky}");
    }
    if ci && !sum.skips.is_empty() {
        println!("FAILED: CI=true, and {} tests could not run here", sum.skips.len());
    }
    println!("{sum}");
}

/// Time since an instant, as `1:05`.
fn clock(since: Instant) -> String {
    let seconds = since.elapsed().as_secs();
    format!("{}:{:02}", seconds / 60, seconds % 60)
}
