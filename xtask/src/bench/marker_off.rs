//! `marker-off`: what a marker costs while nobody listens, against a call of an empty function.

use std::process::Command;

use anyhow::{Context, Result, ensure};
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
        vec![
            Case { name: "event", command: process::command(PROGRAM), parse: event },
            Case { name: "test end", command: process::command(PROGRAM), parse: test_end },
        ]
    }

    fn limits(&self) -> Vec<(&'static str, Limit)> {
        vec![("event", Limit::Difference(1.0)), ("test end", Limit::Difference(1.0))]
    }
}

/// What `off_cost` prints, among other things: nanoseconds a call, all measured in turn in one process.
#[derive(Deserialize)]
struct OffCost {
    listened_to: bool,
    empty_call: f64,
    event_off: f64,
    test_end_off: f64,
}

fn event(printed: &str) -> Result<Vec<Sample>> {
    let cost = read(printed)?;
    Ok(vec![Sample::Pair { baseline_ns: cost.empty_call, case_ns: cost.event_off }])
}

fn test_end(printed: &str) -> Result<Vec<Sample>> {
    let cost = read(printed)?;
    Ok(vec![Sample::Pair { baseline_ns: cost.empty_call, case_ns: cost.test_end_off }])
}

fn read(printed: &str) -> Result<OffCost> {
    let cost: OffCost =
        serde_json::from_str(last_line(printed)?).context("it is not what off_cost prints")?;
    ensure!(!cost.listened_to, "somebody listens to the markers: end the agent or tracer, and measure again");
    Ok(cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "{\"unit\": \"ns\", \"listened_to\": false, \"empty_call\": 1.2, \"event_off\": 1.6, \
                        \"test_end_off\": 1.5}\n";

    #[test]
    fn the_examples_line_is_a_pair_for_each_marker() {
        assert_eq!(event(LINE).unwrap(), [Sample::Pair { baseline_ns: 1.2, case_ns: 1.6 }]);
        assert_eq!(test_end(LINE).unwrap(), [Sample::Pair { baseline_ns: 1.2, case_ns: 1.5 }]);
    }

    #[test]
    fn markers_that_are_on_and_other_output_are_refused() {
        assert!(event(&LINE.replace("false", "true")).is_err());
        assert!(event("{\"empty_call\": 1.2}").is_err());
        assert!(event("").is_err());
    }
}
