//! Jest beside its own JSON report.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;
use sidecar_tests::client::{Fate, Reported, expect_same, expect_same_in_every_fate};
use sidecar_tests::exec::finish;
use sidecar_tests::node::scratch::Scratch;

use crate::setup;

fn argv(report: &Path) -> Result<Vec<String>> {
    let program = setup::folder()?.join("node_modules/jest/bin/jest.js").display().to_string();
    let output = format!("--outputFile={}", report.display());
    Ok(vec!["node".to_owned(), program, "--maxWorkers=2".to_owned(), "--json".to_owned(), output])
}

/// The same tests, attempts, outcomes and durations.
pub(crate) fn same() -> Result<()> {
    let exec = setup::exec()?;
    let report = exec.folder().join("jest.json");
    let ran = exec.ran(finish(&mut setup::within(exec.command(&argv(&report)?)?, "jest")?)?)?;
    ran.expect_code(1)?;
    expect_same(&read(&report)?, &ran.events).with_context(|| ran.err())
}

/// The same status and report, whatever becomes of the agent.
pub(crate) fn fates() -> Result<()> {
    let scratch = Scratch::new()?;
    let report = |fate: Fate| scratch.path(&format!("{fate:?}.json"));
    let suite = |fate| {
        let words = argv(&report(fate))?;
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]);
        setup::within(command, "jest")
    };
    expect_same_in_every_fate(suite, |fate, _| {
        let mut outcomes: Vec<_> =
            read(&report(fate))?.into_iter().map(|one| (one.test_id, one.attempt, one.status)).collect();
        // Two workers: the order of the files is by chance.
        outcomes.sort();
        Ok(outcomes)
    })
}

/// The report's attempts. It tells the last one of each test, and how many there were.
pub(crate) fn read(path: &Path) -> Result<Vec<Reported>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let report: Value = serde_json::from_str(&text)?;
    let mut attempts = Vec::new();
    for file in report["testResults"].as_array().context("no testResults")? {
        let path = Path::new(file["name"].as_str().context("a file without a name")?);
        let name = path.file_name().context("a file")?.to_string_lossy().into_owned();
        let tests = file["assertionResults"].as_array().context("no assertionResults")?;
        if tests.is_empty() {
            attempts.push(Reported { test_id: name, attempt: 1, status: "error".into(), seconds: None });
            continue;
        }
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for test in tests {
            let titles = test["ancestorTitles"].as_array().context("no ancestorTitles")?;
            let parts: Vec<&str> = titles.iter().chain([&test["title"]]).filter_map(Value::as_str).collect();
            let id = format!("{name}::{}", parts.join("::"));
            let count = seen.entry(id.clone()).or_default();
            *count += 1;
            let test_id = if *count == 1 { id } else { format!("{id} #{count}") };
            let (last, status) = (test["invocations"].as_u64().unwrap_or(1), status(test));
            for attempt in 1..=u32::try_from(last)? {
                let is_last = u64::from(attempt) == last;
                let early = if status == "timeout" { "timeout" } else { "failed" };
                attempts.push(Reported {
                    test_id: test_id.clone(),
                    attempt,
                    status: if is_last { status } else { early }.to_owned(),
                    seconds: test["duration"].as_f64().filter(|_| is_last).map(|ms| ms / 1e3),
                });
            }
        }
    }
    Ok(attempts)
}

fn status(test: &Value) -> &'static str {
    let expected_to_fail = test["failing"] == true;
    match test["status"].as_str() {
        Some("passed") => {
            if expected_to_fail {
                "xfail"
            } else {
                "passed"
            }
        }
        Some("failed") if expected_to_fail => "xpass",
        Some("failed")
            if test["failureMessages"][0].as_str().is_some_and(|text| text.contains("Exceeded timeout")) =>
        {
            "timeout"
        }
        Some("failed") => "failed",
        _ => "skipped",
    }
}
