//! Playwright Test, without a browser, beside its own JSON report.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;
use sidecar_tests::client::{Fate, Reported, expect_same, expect_same_in_every_fate};
use sidecar_tests::exec::finish;
use sidecar_tests::node::scratch::Scratch;

use crate::setup;

fn argv() -> Result<Vec<String>> {
    let program = setup::folder()?.join("node_modules/@playwright/test/cli.js").display().to_string();
    Ok(["node", &program, "test", "--reporter=json,sidecar-node/playwright"].map(str::to_owned).into())
}

/// In the example's folder, with files of its own.
fn within(command: Command, report: &Path) -> Result<Command> {
    let mut command = setup::within(command, "playwright")?;
    command.env("PLAYWRIGHT_JSON_OUTPUT_NAME", report).arg("--output").arg(report.with_extension("results"));
    Ok(command)
}

/// The same tests, attempts, outcomes and durations.
pub(crate) fn same() -> Result<()> {
    let exec = setup::exec()?;
    let report = exec.folder().join("playwright.json");
    let ran = exec.ran(finish(&mut within(exec.command(&argv()?)?, &report)?)?)?;
    ran.expect_code(1)?;
    expect_same(&read(&report)?, &ran.events).with_context(|| ran.err())
}

/// The same status and report, whatever becomes of the agent.
pub(crate) fn fates() -> Result<()> {
    let scratch = Scratch::new()?;
    let report = |fate: Fate| scratch.path(&format!("{fate:?}.json"));
    let suite = |fate| {
        let words = argv()?;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        within(command, &report(fate))
    };
    expect_same_in_every_fate(suite, |fate, _| {
        let attempts = read(&report(fate))?.into_iter();
        Ok(attempts.map(|one| (one.test_id, one.attempt, one.status)).collect::<Vec<_>>())
    })
}

fn read(path: &Path) -> Result<Vec<Reported>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let report: Value = serde_json::from_str(&text)?;
    let mut attempts = Vec::new();
    for suite in list(&report, "suites") {
        collect(suite, "", &mut attempts)?;
    }
    Ok(attempts)
}

fn list<'a>(of: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    of[name].as_array().into_iter().flatten()
}

fn collect(suite: &Value, before: &str, attempts: &mut Vec<Reported>) -> Result<()> {
    let title = suite["title"].as_str().context("a suite without a title")?;
    let here = if before.is_empty() { title.to_owned() } else { format!("{before}::{title}") };
    for inner in list(suite, "suites") {
        collect(inner, &here, attempts)?;
    }
    for spec in list(suite, "specs") {
        let title = spec["title"].as_str().context("a test without a title")?;
        for test in list(spec, "tests") {
            for result in list(test, "results") {
                attempts.push(Reported {
                    test_id: format!("{here}::{title}"),
                    attempt: u32::try_from(result["retry"].as_u64().context("no retry")? + 1)?,
                    status: status(test, result)?.to_owned(),
                    seconds: result["duration"].as_f64().map(|ms| ms / 1e3),
                });
            }
        }
    }
    Ok(())
}

fn status<'a>(test: &Value, result: &'a Value) -> Result<&'a str> {
    Ok(match result["status"].as_str().context("no status")? {
        "failed" if test["expectedStatus"] == "failed" => "xfail",
        "timedOut" => "timeout",
        status => status,
    })
}
