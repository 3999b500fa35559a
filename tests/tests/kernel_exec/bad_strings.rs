//! Strings that are none, end to end: each becomes a line of valid JSON in UTF-8.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sidecar_tests::exec::{Exec, Ran};
use sidecar_tests::kernel::built;

/// What the markers of the provider `raw` mean here.
const CONFIG: &str = "
probes:
  - provider: raw
    marker: end
    event: test_end
    args: [test_id, status, duration, message, suite, run_id]
  - provider: raw
    marker: hit
    args: [event_type, 'plain:string', {role: data, type: bytes, length: 3}, ignore]
";

/// Runs the scripted program with these lines.
fn fire(lines: &[&str]) -> Result<Ran> {
    let exec = Exec::new()?.config(CONFIG)?;
    let program = built("target_script")?.display().to_string();
    let argv: Vec<&str> = std::iter::once(program.as_str()).chain(lines.iter().copied()).collect();
    let ran = exec.run(&argv)?;
    ran.expect_code(0)?;
    ensure!(ran.events.len() == lines.len(), "{} events: {}", ran.events.len(), ran.err());
    Ok(ran)
}

fn string<'a>(event: &'a Value, key: &str) -> Result<&'a str> {
    event[key].as_str().with_context(|| format!("{key}: {event}"))
}

pub(crate) fn each() -> Result<()> {
    let ran = fire(&[
        "end null 1 1000 null null null",
        "end empty 1 1000 empty empty empty",
        "end 0xdead 2 1000 0xffffffffffffff00 text:suite text:run",
        "end long:1048576 2 1000 long:1048576 text:suite text:run",
        "end open:100 2 1000 open:3000 text:suite text:run",
        "end hex:fffe41c328c3 2 1000 hex:eda080 text:run",
        "end cold:cold-id 2 1000 cold:cold-message cold:cold-suite cold:cold-run",
        "end hex:22275c0a0d091b7f 2 1000 hex:7b22613a text:suite text:run",
        "hit null null null 77",
        "hit hex:80 hex:c0af open:50 5000",
        "hit text:x text:y text:z 18446744073709551615",
    ])?;
    let events = &ran.events;
    for key in ["test_id", "message", "suite", "run_id"] {
        ensure!(events[0].get(key).is_none(), "NULL is no value: {}", events[0]);
    }
    ensure!(events[0]["status"] == "passed" && events[0]["duration_ms"] == 0.001, "{}", events[0]);
    ensure!(events[2].get("test_id").is_none() && events[2]["suite"] == "suite", "{}", events[2]);
    ensure!(events[2]["event_type"] == "test_failure", "{}", events[2]);
    for key in ["test_id", "message"] {
        let text = string(&events[3], key)?;
        ensure!(
            (1_000..=1_100).contains(&text.len()) && text.starts_with("xxx"),
            "{key}: {} bytes",
            text.len()
        );
    }
    ensure!(events[4]["suite"] == "suite", "{}", events[4]);
    ensure!(string(&events[5], "test_id")?.contains('A'), "{}", events[5]);
    for (key, text) in
        [("test_id", "cold-id"), ("message", "cold-message"), ("suite", "cold-suite"), ("run_id", "cold-run")]
    {
        ensure!(events[6][key] == text, "{key}: {}", events[6]);
    }
    ensure!(string(&events[7], "test_id")? == "\"'\\\n\r\t\u{1b}\u{7f}", "{}", events[7]);
    ensure!(events[10]["event_type"] == "x", "{}", events[10]);
    Ok(())
}

pub(crate) fn control() -> Result<()> {
    // "\x1b[2J" and a bell, a carriage return, and the one-byte CSI as UTF-8.
    let ran = fire(&[
        "end hex:1b5b324a07610d62 2 1000 hex:1b5d303b7469746c6507c29b324a text:s text:r",
        "end hex:6e616d65e280ae6576696c 2 1000 text:m text:s text:r",
    ])?;
    let summary = ran.err();
    ensure!(summary.contains("2 failed"), "{summary}");
    let bad = summary
        .chars()
        .find(|char| (char.is_control() && *char != '\n') || ('\u{202a}'..='\u{202e}').contains(char));
    ensure!(bad.is_none(), "{bad:?} in {summary:?}");
    Ok(())
}
