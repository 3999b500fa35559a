//! `cargo xtask bench`: measurements as ratios between things that run in turn on one machine.
//!
//! A benchmark is a baseline, or none, and cases. A case is a command that prints one JSON value as its last
//! line, in one of the forms of [`figures`]. Each round runs the baseline and then each case (A B A B ...),
//! so that a machine whose speed drifts slows both sides. What counts is the median of the rounds' ratios;
//! absolute figures are shown for scale only. To add one: a line in [`programs::PROGRAMS`], or a file here that
//! implements [`Benchmark`] and a line in [`all`].

mod figures;
mod machine;
mod marker_off;
mod plot;
mod programs;
mod report;

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::process;
use figures::Sample;
use report::Report;

/// Measure, as ratios between things run in turn on this machine
///
/// Prints a table and writes target/bench/NAME.json. Quote medians and ratios: absolute times change from
/// machine to machine and from run to run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Names of the benchmarks to run; none means all
    names: Vec<String>,
    /// List the benchmarks and what they show
    #[arg(long)]
    list: bool,
    /// How often each side runs, in place of the benchmark's own number
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: Option<u32>,
    /// Draw docs/NAME.svg of what the last round did over time, for those that tell
    #[arg(long)]
    plot: bool,
}

/// One benchmark.
pub(crate) trait Benchmark {
    /// The name on the command line and of the JSON file.
    fn name(&self) -> &'static str;
    /// What it shows, in one line.
    fn about(&self) -> &'static str;
    /// How often each side runs unless the command line says otherwise.
    fn rounds(&self) -> u32 {
        7
    }
    /// What is built before anything is measured.
    fn prepare(&self) -> Vec<Command>;
    /// The side that the others are compared with, when it is a command of its own.
    fn baseline(&self) -> Option<Case>;
    /// The sides that are measured.
    fn cases(&self) -> Vec<Case>;
    /// What the project promises of its figures, by their names; a pair has its case's name.
    fn limits(&self) -> Vec<(&'static str, Limit)>;
}

/// One side of a benchmark.
pub(crate) struct Case {
    /// Its name in the table.
    pub(crate) name: &'static str,
    /// The command that measures it and prints JSON.
    pub(crate) command: Command,
    /// Reads what the command printed: [`figures::parse`] unless the program has a form of its own.
    pub(crate) parse: fn(&str) -> Result<Vec<Sample>>,
}

/// A promise that a benchmark keeps or breaks.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Limit {
    /// The median of the ratios case / baseline is at most this.
    Ratio(f64),
    /// The median of the differences case - baseline is at most this, in the figures' unit.
    Difference(f64),
    /// The median figure is at most this.
    Value(f64),
    /// Every single figure is at most this.
    Each(f64),
    /// The median figure is at least this: less would make the other figures no proof.
    AtLeast(f64),
}

/// Every benchmark.
fn all() -> Vec<Box<dyn Benchmark>> {
    let mut all: Vec<Box<dyn Benchmark>> = vec![Box::new(marker_off::MarkerOff)];
    for program in programs::PROGRAMS {
        all.push(Box::new(program));
    }
    all
}

/// Runs the verb.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let benchmarks = all();
    if args.list {
        for benchmark in &benchmarks {
            println!("{:<16} {}", benchmark.name(), benchmark.about());
        }
        return Ok(ExitCode::SUCCESS);
    }
    for name in &args.names {
        if !benchmarks.iter().any(|benchmark| benchmark.name() == name) {
            bail!("there is no benchmark `{name}`; `cargo xtask bench --list` names them");
        }
    }
    let machine = machine::describe();
    println!("{machine}");
    let mut kept = true;
    for benchmark in &benchmarks {
        if args.names.is_empty() || args.names.iter().any(|name| name == benchmark.name()) {
            let report =
                measure(benchmark.as_ref(), args.rounds.unwrap_or_else(|| benchmark.rounds()), &machine)
                    .with_context(|| format!("benchmark {}", benchmark.name()))?;
            print!("\n{report}");
            let file = report.write(&process::root().join("target/bench"))?;
            println!("  written to {file}");
            kept &= report.kept();
            if args.plot && plot::write(&process::root(), benchmark.name())? {
                println!("  drawn to docs/{}.svg", benchmark.name());
            }
        }
    }
    Ok(if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(benchmark: &dyn Benchmark, rounds: u32, machine: &str) -> Result<Report> {
    for mut command in benchmark.prepare() {
        process::success(&mut command)?;
    }
    let mut baseline = benchmark.baseline();
    let mut cases = benchmark.cases();
    let mut report = Report::new(benchmark, rounds, machine);
    for _ in 0..rounds {
        let base = match &mut baseline {
            Some(case) => Some(single(case)?),
            None => None,
        };
        for case in &mut cases {
            for sample in samples(case)? {
                report.take(case.name, base.as_ref(), sample)?;
            }
        }
    }
    Ok(report)
}

fn samples(case: &mut Case) -> Result<Vec<Sample>> {
    let printed = process::output(&mut case.command)?;
    (case.parse)(&printed).with_context(|| format!("what `{}` printed", process::shown(&case.command)))
}

/// The one figure of a baseline that is a command of its own.
fn single(case: &mut Case) -> Result<figures::Figure> {
    match samples(case)?.pop() {
        Some(Sample::Figure(figure)) => Ok(figure),
        Some(Sample::Pair { .. }) | None => {
            bail!("`{}` is a baseline and has to print one figure", process::shown(&case.command))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A benchmark whose commands are the shell's.
    struct Shell {
        baseline: Option<&'static str>,
        case: &'static str,
        limits: Vec<(&'static str, Limit)>,
    }

    fn shell(name: &'static str, script: &str) -> Case {
        Case { name, command: process::command(["sh", "-c", script]), parse: figures::parse }
    }

    impl Benchmark for Shell {
        fn name(&self) -> &'static str {
            "shell"
        }
        fn about(&self) -> &'static str {
            "a test"
        }
        fn prepare(&self) -> Vec<Command> {
            vec![process::command(["true"])]
        }
        fn baseline(&self) -> Option<Case> {
            self.baseline.map(|script| shell("base", script))
        }
        fn cases(&self) -> Vec<Case> {
            vec![shell("case", self.case)]
        }
        fn limits(&self) -> Vec<(&'static str, Limit)> {
            self.limits.clone()
        }
    }

    #[test]
    fn a_case_is_compared_with_the_baseline_of_its_own_round() {
        let shell = Shell {
            baseline: Some(r#"echo '{"name": "a", "value": 2, "unit": "ns"}'"#),
            case: r#"echo noise; echo '{"name": "b", "value": 3, "unit": "ns"}'"#,
            limits: vec![("b", Limit::Ratio(1.4))],
        };
        let report = measure(&shell, 3, "a machine").unwrap();
        let text = report.to_string();
        assert!(text.contains("1.500"), "{text}");
        assert!(text.contains("BROKEN"), "{text}");
        assert!(!report.kept());
    }

    #[test]
    fn a_program_that_makes_its_own_pairs_needs_no_baseline() {
        let case =
            r#"echo '{"rounds": [{"baseline_ns": 1.0, "case_ns": 1.5}, {"baseline_ns": 2, "case_ns": 3}]}'"#;
        let shell = Shell { baseline: None, case, limits: vec![("case", Limit::Difference(1.0))] };
        let report = measure(&shell, 2, "a machine").unwrap();
        assert!(report.kept(), "{report}");
    }

    #[test]
    fn a_promise_about_a_figure_that_never_came_is_broken() {
        let case = r#"echo '{"name": "b", "value": 3, "unit": "MB"}'"#;
        let limits = vec![
            ("b", Limit::Value(3.0)),
            ("b", Limit::AtLeast(3.0)),
            ("b", Limit::Each(3.0)),
            ("c", Limit::Value(1.0)),
        ];
        let mut shell = Shell { baseline: None, case, limits };
        assert!(!measure(&shell, 1, "").unwrap().kept());
        shell.limits.pop();
        assert!(measure(&shell, 1, "").unwrap().kept());
        shell.limits.push(("b", Limit::AtLeast(3.5)));
        assert!(!measure(&shell, 1, "").unwrap().kept());
    }

    #[test]
    fn output_that_is_no_figure_names_the_command() {
        let shell = Shell { baseline: None, case: "echo hello", limits: Vec::new() };
        let error = format!("{:#}", measure(&shell, 1, "a machine").unwrap_err());
        assert!(error.contains("echo hello"), "{error}");
    }

    #[test]
    fn a_command_that_fails_fails_the_benchmark() {
        let shell = Shell { baseline: Some("exit 4"), case: "true", limits: Vec::new() };
        assert!(format!("{:#}", measure(&shell, 1, "").unwrap_err()).contains("exit status: 4"));
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = all().iter().map(|benchmark| benchmark.name()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
