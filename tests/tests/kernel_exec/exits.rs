//! Tests whose process dies, under `sidecar exec`: they are in the report and in the summary, with what killed them.

use std::os::unix::process::ExitStatusExt as _;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sidecar_tests::exec::{Exec, Ran};
use sidecar_tests::kernel::built;

/// Signals that a process can die of by itself.
const SIGNALS: [(i32, &str); 3] = [(9, "SIGKILL"), (11, "SIGSEGV"), (6, "SIGABRT")];

fn run(flags: &[&str], steps: &[&str]) -> Result<Ran> {
    let program = built("target_tests")?.display().to_string();
    let argv: Vec<&str> = std::iter::once(program.as_str()).chain(steps.iter().copied()).collect();
    Exec::new()?.flags(flags).run(&argv)
}

/// The start and the end of a test.
fn parts<'a>(ran: &'a Ran, id: &str) -> Result<[&'a Value; 2]> {
    let found: Vec<&Value> = ran.events.iter().filter(|event| event["test_id"] == id).collect();
    let [start, end] = found[..] else { anyhow::bail!("{found:?}\n{}", ran.err()) };
    ensure!(start["event_type"] == "test_start", "{start}");
    Ok([start, end])
}

/// By each signal, at any rate: the start is there too, and the command's end is passed on.
pub(crate) fn signals() -> Result<()> {
    for rate in ["1", "0"] {
        for (number, name) in SIGNALS {
            let die = format!("die {number}");
            let ran = run(&["--rate", rate], &["pass fine", "start crashed", &die])?;
            let [start, end] = parts(&ran, "crashed")?;
            ensure!(end["status"] == "aborted" && end["event_type"] == "test_failure", "{end}");
            ensure!(
                (&end["marker"], &end["provider"]) == (&"process_exit".into(), &"sidecar".into()),
                "{end}"
            );
            ensure!((&end["pid"], &end["run_id"]) == (&start["pid"], &start["run_id"]), "{start} {end}");
            ensure!(end["data"]["exit_signal"] == number && end["data"]["exit_signal_name"] == name, "{end}");
            ensure!(
                end["sample_rate"] == 1.0 && end["duration_ms"].as_f64().context("a duration")? > 0.0,
                "{end}"
            );
            ensure!(end["message"].as_str().context("a message")?.contains(name), "{end}");
            let summary = ran.err();
            ensure!(summary.contains("1 passed, 1 aborted"), "{summary}");
            ensure!(summary.contains("1 test ended with its process"), "{summary}");
            ensure!(!summary.contains("never ended"), "{summary}");
            ensure!(ran.status().signal() == Some(number), "{summary}");
        }
    }
    Ok(())
}

/// An exit in the middle, also a successful one; and a child's exit, which is not the parent's.
pub(crate) fn exits() -> Result<()> {
    for code in [0, 3] {
        let ran = run(&[], &["start left", &format!("exit {code}")])?;
        ran.expect_code(code)?;
        let [_, end] = parts(&ran, "left")?;
        ensure!(end["status"] == "aborted" && end["data"]["exit_status"] == code, "{end}");
        ensure!(end["message"].as_str().context("a message")?.contains(&format!("status {code}")), "{end}");
    }
    let ran = run(&[], &["start parent", "child 7", "end parent"])?;
    ran.expect_code(0)?;
    let [_, end] = parts(&ran, "parent")?;
    ensure!(end["status"] == "passed", "{end}");
    ensure!(!ran.err().contains("aborted"), "{}", ran.err());
    Ok(())
}
