//! docs/health.md lists exactly the components, states and figures that the code has.

use std::collections::BTreeSet;

use super::super::checks::{FULL_PERCENT, REMEMBER};
use super::super::handlers::{LEAST_TRIED, UNRELIABLE_PERCENT};
use super::super::registry::{STALLED_DEGRADED, STALLED_UNHEALTHY, UNCHECKED};
use super::super::states;
use super::reached::all;
use crate::health::{Level, Number};

const DOCS: &str = include_str!("../../../../docs/health.md");

/// A component's part of the document.
struct Part {
    name: &'static str,
    /// Status and the beginning of the message, as `degraded: nothing is observed`.
    states: BTreeSet<String>,
    figures: BTreeSet<&'static str>,
    text: &'static str,
}

/// The parts below a heading `### `NAME``; tables `| status | `message` | when | what to do |` and `| `figure` | what |`.
fn parts() -> Vec<Part> {
    let mut parts = Vec::new();
    for text in DOCS.split("\n### `").skip(1) {
        let (name, text) = text.split_once('`').unwrap();
        let text = text.split("\n## ").next().unwrap();
        let mut part = Part { name, states: BTreeSet::new(), figures: BTreeSet::new(), text };
        for line in text.lines().filter(|line| line.starts_with("| ")) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            match cells[..] {
                ["status" | "figure" | "---", ..] => {}
                [status, message, when, todo] => {
                    assert!(!when.is_empty() && (status == "healthy") == todo.is_empty(), "{line}");
                    let state = format!("{status}: {}", message.trim_matches('`'));
                    assert!(part.states.insert(state), "twice: {line}");
                }
                [figure, what] => {
                    assert!(!what.is_empty() && part.figures.insert(figure.trim_matches('`')), "{line}");
                }
                _ => panic!("neither a state nor a figure: {line}"),
            }
        }
        parts.push(part);
    }
    parts
}

fn word(level: Level) -> String {
    serde_json::to_value(level).unwrap().as_str().unwrap().to_owned()
}

fn part<'p>(parts: &'p [Part], name: &str) -> &'p Part {
    parts.iter().find(|part| part.name == name).unwrap_or_else(|| panic!("{name} is not described"))
}

#[test]
fn the_documented_states_are_those_of_the_code() {
    let parts = parts();
    let known: BTreeSet<_> = states::ALL.iter().map(|state| state.component).collect();
    assert_eq!(parts.iter().map(|part| part.name).collect::<BTreeSet<_>>(), known);
    for name in known {
        let of_code: BTreeSet<String> = states::ALL
            .iter()
            .filter(|state| state.component == name)
            .map(|state| format!("{}: {}", word(state.level), state.text))
            .collect();
        assert_eq!(part(&parts, name).states, of_code, "{name}");
    }
}

#[test]
fn the_documented_figures_are_those_of_the_code() {
    let parts = parts();
    for (name, component) in all() {
        let figures: BTreeSet<_> = component.numbers.keys().copied().collect();
        assert_eq!(part(&parts, name).figures, figures, "{name}");
        for (figure, number) in &component.numbers {
            let whole = matches!(number, Number::Count(_));
            assert!(whole || figure.ends_with("_seconds"), "{name}.{figure} has no unit in its name");
        }
    }
}

#[test]
fn the_documented_thresholds_are_those_of_the_code() {
    let parts = parts();
    let minute = format!("{} s", REMEMBER.as_secs());
    for (name, threshold) in [
        ("attachments", minute.clone()),
        ("ring", minute.clone()),
        ("queue", minute.clone()),
        ("queue", format!("{FULL_PERCENT} %")),
        ("sinks", minute.clone()),
        ("sinks", format!("{FULL_PERCENT} %")),
        ("handler_NAME", minute.clone()),
        ("handler_NAME", format!("{UNRELIABLE_PERCENT} %")),
        ("handler_NAME", format!("at least {LEAST_TRIED}")),
        ("handler_NAME", "health_checks.failure_threshold".to_owned()),
        ("http", minute.clone()),
        ("gate", minute),
        ("data_path", format!("{} s", STALLED_DEGRADED.as_secs())),
        ("data_path", format!("{} s", STALLED_UNHEALTHY.as_secs())),
    ] {
        assert!(part(&parts, name).text.contains(&threshold), "{name}: {threshold}");
    }
    for state in [&states::QUEUE_FULL, &states::SINK_FULL] {
        assert!(state.text.contains(&format!("{FULL_PERCENT} %")), "{state:?}");
    }
    assert!(states::HANDLER_UNRELIABLE.text.contains(&format!("{UNRELIABLE_PERCENT} %")));
    // What is told without checks is said to be.
    let (_, rest) = DOCS.split_once("`health_checks.enabled: false`").unwrap();
    for name in UNCHECKED.into_iter().chain([states::DATA_PATH]) {
        assert!(rest.split("\n\n").next().unwrap().contains(&format!("`{name}`")), "{name}");
    }
}
