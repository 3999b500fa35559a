//! `marker-off`: what a marker costs while nobody listens, against a call of an empty function.

use std::process::Command;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Benchmark, Case, Limit, figures::Sample, figures::last_line};
use crate::process;

/// See the module.
pub(crate) struct MarkerOff;

/// The measuring program: an example of the markers' crate.
const PROGRAM: [&str; 8] =
    ["cargo", "run", "--quiet", "--release", "-p", "sidecar-markers", "--example", "off_cost"];

impl Benchmark for MarkerOff {
    fn name(&self) -> &'static str {
        "marker-off"
    }

    fn about(&self) -> &'static str {
        "a marker that nobody listens to, against a call of an empty function"
    }

    fn prepare(&self) -> Vec<Command> {
        let mut build = process::command(["cargo", "build", "--release", "-p", "sidecar-markers"]);
        build.args(["--example", "off_cost"]);
        vec![build]
    }

    fn baseline(&self) -> Option<Case> {
        None
    }

    fn cases(&self) -> Vec<Case> {
        vec![Case { name: "marker off", command: process::command(PROGRAM), parse }]
    }

    fn limits(&self) -> Vec<(&'static str, Limit)> {
        vec![("marker off", Limit::Difference(1.0))]
    }
}

/// What `off_cost` prints: nanoseconds a call, of both sides measured in one process.
#[derive(Deserialize)]
struct OffCost {
    empty_ns: f64,
    off_ns: f64,
}

fn parse(printed: &str) -> Result<Vec<Sample>> {
    let cost: OffCost =
        serde_json::from_str(last_line(printed)?).context("it is not {\"empty_ns\": N, \"off_ns\": N}")?;
    Ok(vec![Sample::Pair { baseline_ns: cost.empty_ns, case_ns: cost.off_ns }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_line_is_a_pair() {
        let pair = Sample::Pair { baseline_ns: 1.2, case_ns: 1.6 };
        assert_eq!(parse("{\"empty_ns\": 1.2, \"off_ns\": 1.6}\n").unwrap(), [pair]);
        assert!(parse("{\"empty_ns\": 1.2}").is_err());
        assert!(parse("").is_err());
    }
}
