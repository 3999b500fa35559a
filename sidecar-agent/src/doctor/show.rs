//! The answer as a table for people and as JSON.

use std::fmt::Write;

use serde_json::json;

use super::check::{Report, State};

/// A line for each check; what is not there has two more: what is lost, and what mends it.
pub(super) fn table(report: &Report) -> String {
    let width = report.checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    let mut line = |line: std::fmt::Arguments<'_>| {
        // Writing to a String does not fail.
        let _ = text.write_fmt(line);
        text.push('\n');
    };
    for check in &report.checks {
        line(format_args!(
            "{:<9}  {:<7}  {:width$}  {}",
            check.kind.word(),
            check.state.word(),
            check.name,
            check.found
        ));
        if check.state != State::Ok {
            line(format_args!("{:20}without it: {}", "", check.lost));
            line(format_args!("{:20}to mend it: {}", "", check.mend));
        }
    }
    let (limited, missing, unknown) =
        (report.count(State::Limited), report.count(State::Missing), report.count(State::Unknown));
    line(format_args!(
        "\n{}: {} ok, {limited} limited, {missing} missing, {unknown} unknown",
        if report.able() { "sidecar can watch here" } else { "sidecar can't watch here" },
        report.count(State::Ok)
    ));
    text
}

/// The same as one JSON object.
pub(super) fn json(report: &Report) -> String {
    let checks: Vec<_> = report
        .checks
        .iter()
        .map(|check| {
            let mended = check.state == State::Ok;
            json!({
                "kind": check.kind.word(),
                "name": check.name,
                "state": check.state.word(),
                "needed": check.needed,
                "found": check.found,
                "lost": if mended { None } else { Some(check.lost) },
                "mend": if mended { None } else { Some(check.mend) },
            })
        })
        .collect();
    json!({ "able": report.able(), "checks": checks }).to_string() + "\n"
}
