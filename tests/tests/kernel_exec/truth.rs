//! What was observed is what happened: against cargo-nextest's own report, and against a suite whose ends are known.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sidecar_common::Status;
use sidecar_tests::exec::{Exec, Ran, finish};
use sidecar_tests::junit::{self, Outcome};
use sidecar_tests::kernel::built;
use sidecar_tests::suite::{self, SuiteOptions};

/// `sidecar exec` of what another command would run, in its folder.
fn observed(exec: &Exec, command: &Command) -> Result<Ran> {
    let argv: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
    let mut observed = exec.command(&argv)?;
    suite::without_cargo(&mut observed);
    if let Some(folder) = command.get_current_dir() {
        observed.current_dir(folder);
    }
    exec.ran(finish(&mut observed)?)
}

fn text<'a>(event: &'a Value, key: &str) -> Result<&'a str> {
    event[key].as_str().with_context(|| format!("{key} in {event}"))
}

pub(crate) fn nextest() -> Result<()> {
    let exec = Exec::new()?;
    let folder = tempfile::tempdir()?;
    let expected = suite::write_nextest_suite(folder.path(), &SuiteOptions::default())?;
    let ran = observed(&exec, &suite::nextest(folder.path()))?;
    ran.expect_code(100)?;
    ensure!(!ran.err().contains("may be missing"), "{}", ran.err());

    let report = junit::read(&std::fs::read_to_string(suite::junit_report(folder.path()))?)?;
    ensure!(report.outcomes()? == expected.outcomes, "the suite did not end as it was meant to");
    let mut durations = BTreeMap::new();
    for attempt in &report.attempts {
        let outcome = Outcome { status: junit::as_marked(attempt.outcome.status), ..attempt.outcome.clone() };
        durations.insert(outcome, attempt.seconds);
    }

    let mut seen = BTreeSet::new();
    for event in ran.ends().into_iter().filter(|event| event["provider"] == "nextest") {
        let binary_id = text(event, "suite")?.to_owned();
        let id = text(event, "test_id")?;
        let test = id.strip_prefix(&format!("{binary_id}$")).context("a test id begins with the suite")?;
        let status = text(event, "status")?;
        let outcome = Outcome {
            binary_id,
            test: test.to_owned(),
            attempt: u32::try_from(event["attempt"].as_u64().context("no attempt")?)?,
            status: *Status::ALL.iter().find(|known| known.name() == status).context("no such status")?,
        };
        let reported = durations.get(&outcome).with_context(|| format!("not in JUnit: {outcome:?}"))?;
        let observed = event["duration_ms"].as_f64().context("no duration")?;
        ensure!(junit::agrees(*reported, observed), "{outcome:?}: {reported} s, observed {observed} ms");
        ensure!(seen.insert(outcome.clone()), "twice: {outcome:?}");
    }
    let missing: Vec<_> = durations.keys().filter(|outcome| !seen.contains(outcome)).collect();
    ensure!(missing.is_empty(), "missing: {missing:?}");
    ensure!(seen.len() > 350, "{}", seen.len());
    // nextest fires nothing for a test that it does not run, so a skipped one can't be seen.
    let skipped = |event: &&Value| event["status"] == "skipped" && event["provider"] == "nextest";
    ensure!(
        !ran.events.iter().any(|event| skipped(&event)),
        "nextest announces skipped tests now: tell of them"
    );

    let starts = ran.of_type("test_start").into_iter().filter(|event| event["provider"] == "nextest").count();
    ensure!(starts == seen.len(), "{starts} starts, {} ends", seen.len());
    ensure!(ran.err().contains(" 0 lost, 0 dropped of "), "{}", ran.err());
    Ok(())
}

/// The workspace's folder.
fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The demonstration's own account of how it ends.
fn expected_demonstration() -> Result<Value> {
    Ok(serde_json::from_str(&std::fs::read_to_string(workspace().join("demo/expected.json"))?)?)
}

/// Test, attempt, status and message of each end.
type Ends = Vec<(String, u64, String, Option<String>)>;

fn ends<'a>(events: impl IntoIterator<Item = &'a Value>) -> Result<Ends> {
    let mut ends = Ends::new();
    for event in events {
        ends.push((
            text(event, "test_id")?.to_owned(),
            event["attempt"].as_u64().context("no attempt")?,
            text(event, "status")?.to_owned(),
            event["message"].as_str().map(str::to_owned),
        ));
    }
    ends.sort();
    Ok(ends)
}

/// Holds a run of the demonstration suite against what it has to be.
fn check_demonstration(ran: &Ran) -> Result<()> {
    let expected = expected_demonstration()?;
    let list = |key: &str| expected[key].as_array().cloned().with_context(|| key.to_owned());
    ran.expect_code(i32::try_from(expected["exit_status"].as_i64().context("exit_status")?)?)?;
    let (wanted, seen) = (ends(&list("tests")?)?, ends(ran.ends())?);
    let missing: Vec<_> = wanted.iter().filter(|end| !seen.contains(end)).collect();
    let too_many: Vec<_> = seen.iter().filter(|end| !wanted.contains(end)).collect();
    ensure!(wanted == seen, "missing: {missing:?}\ntoo many: {too_many:?}");
    let starts = ran.of_type("test_start").len();
    ensure!(starts == wanted.len(), "{starts} starts of {}", wanted.len());
    for event in list("events")? {
        let found = ran.events.iter().any(|seen| {
            ["event_type", "test_id"].iter().all(|key| seen[*key] == event[*key])
                && data_of(seen) == event["data"].as_str().unwrap_or_default()
        });
        ensure!(found, "not seen: {event}; seen: {:?}", ran.of_type(text(&event, "event_type")?));
    }
    ensure!(ran.of_type("anomaly").len() == list("anomalies")?.len(), "{:?}", ran.of_type("anomaly"));
    ensure!(ran.err().contains(" 0 lost, 0 dropped of "), "{}", ran.err());
    ensure!(!ran.err().contains("may be missing"), "{}", ran.err());
    Ok(())
}

/// What an event carried, as the marker had it: an object's members stand in `data` one by one.
fn data_of(event: &Value) -> String {
    match &event["data"] {
        Value::Object(members) => match members.get("data") {
            Some(Value::String(text)) => text.clone(),
            Some(_) | None => event["data"].to_string(),
        },
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn demonstration_command() -> Command {
    let mut command = Command::new("cargo");
    command.args(["test", "-q", "-p", "sidecar-demo", "--test", "suite"]).current_dir(workspace());
    command
}

pub(crate) fn demonstration() -> Result<()> {
    check_demonstration(&observed(&Exec::new()?, &demonstration_command())?)
}

/// With a target folder of its own, cargo links the test program and executes it at once.
pub(crate) fn fresh() -> Result<()> {
    let exec = Exec::new()?;
    let target = tempfile::tempdir()?;
    let mut command = demonstration_command();
    command.arg("--target-dir").arg(target.path());
    check_demonstration(&observed(&exec, &command)?)
}

/// Copies of a program, each executed as soon as it is written, four at a time.
pub(crate) fn fresh_in_parallel() -> Result<()> {
    const COPIES: usize = 40;
    let exec = Exec::new()?;
    let program = built("target_tests")?;
    let script = "n=$1; program=$2; cd $3
        copy() { cp $program p$1 && ./p$1 \"pass größe/日本語::$1\" \"fail too::$1 no\"; }
        i=0
        while [ $i -lt $n ]; do
            copy $i & copy $((i + 1)) & copy $((i + 2)) & copy $((i + 3)) & wait; i=$((i + 4))
        done";
    let folder = exec.folder().display().to_string();
    let count = COPIES.to_string();
    let ran = exec.run(&["sh", "-c", script, "sh", &count, &program.display().to_string(), &folder])?;
    ran.expect_code(0)?;
    let seen: BTreeSet<_> = ran.ends().iter().map(|event| event["test_id"].to_string()).collect();
    for i in 0..COPIES {
        for id in [format!("\"größe/日本語::{i}\""), format!("\"too::{i}\"")] {
            ensure!(seen.contains(&id), "missing: {id}; {}", ran.err());
        }
    }
    ensure!(ran.ends().len() == 2 * COPIES && ran.of_type("test_start").len() == 2 * COPIES);
    Ok(())
}
