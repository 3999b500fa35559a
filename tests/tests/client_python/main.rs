//! The Python client: pytest, unittest and Robot Framework run the example suites, and what the agent saw is compared with
//! their own reports; and `SidecarRuntime`.
//!
//! What pip brings is installed into a folder of its own under `target/clients/python`, once.

mod environment;
mod others;
mod report;
mod runtime;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Arguments, Trial};
use sidecar_tests::client::{Fate, expect_same, expect_same_in_every_fate};
use sidecar_tests::exec::{Exec, Ran};
use sidecar_tests::{agent, kernel::trial};

use environment::Environment;

/// A test's body.
type Body = fn() -> Result<()>;

const TESTS: [(&str, Body); 11] = [
    ("what_the_agent_sees_is_what_pytest_reports", plain),
    ("workers_of_xdist_tell_each_test_once", workers),
    ("pytest_notices_no_fate_of_the_agent", fates),
    ("the_plugin_can_be_turned_off", off),
    ("the_packages_own_tests", own_tests),
    ("unittest_is_told_and_notices_nothing", others::unittest),
    ("robot_framework_is_told_and_notices_nothing", others::robot),
    ("the_snippets_of_the_users_document_run", runtime::snippets),
    ("events_rates_and_handlers_of_a_runtime", runtime::events_and_rates),
    ("a_runtime_without_an_agent_is_quiet", runtime::without_an_agent),
    ("a_stopped_agent_holds_no_runtime_up", runtime::beside_a_stopped_agent),
];

/// pytest on the example suite, with a JUnit report there.
fn pytest(environment: &Environment, junit: &Path) -> Command {
    let mut command = Command::new(environment.python());
    command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "junit_family=xunit1"]);
    command.arg(format!("--junitxml={}", junit.display()));
    command.current_dir(environment::sources().join("example")).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Runs the suite under `sidecar exec`.
fn observed(flags: &[&str]) -> Result<(Ran, PathBuf, Exec)> {
    let environment = environment::get()?;
    // The extension is named, so that its probes are on before the very first test of its life.
    let exec = Exec::new()?.config(&format!(
        "discovery: {{ring_bytes: 33554432, libraries: ['{}']}}\n",
        environment.extension()?.display()
    ))?;
    let junit = exec.folder().join("junit.xml");
    let suite = pytest(environment, &junit);
    let argv: Vec<_> = std::iter::once(suite.get_program())
        .chain(suite.get_args())
        .chain(flags.iter().map(std::ffi::OsStr::new))
        .collect();
    let mut command = exec.command(&argv)?;
    command.current_dir(suite.get_current_dir().context("a folder")?).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = sidecar_tests::exec::finish(&mut command)?;
    let ran = exec.ran(output)?;
    ran.expect_code(1)?;
    Ok((ran, junit, exec))
}

fn same(flags: &[&str]) -> Result<Ran> {
    let (ran, junit, _exec) = observed(flags)?;
    let reported = report::read(&std::fs::read_to_string(junit)?)?;
    expect_same(&reported, &ran.events).with_context(|| ran.err())?;
    ensure!(reported.len() == 23, "{} attempts were reported", reported.len());
    let infos = ran.of_type("test_info");
    ensure!(infos.len() == reported.len(), "{} of {} told more", infos.len(), reported.len());
    let marked = infos.iter().find(|info| info["test_id"] == "test_example.py::test_has_markers");
    let data = &marked.context("the test with markers")?["data"];
    ensure!(data["file"] == "test_example.py" && data["line"] == 23, "{data}");
    ensure!(data["markers"] == serde_json::json!(["owner", "slow"]), "{data}");
    ensure!(data["phases"]["call"].is_f64(), "{data}");
    Ok(ran)
}

fn plain() -> Result<()> {
    let ran = same(&[])?;
    let failed = ran.of_type("test_failure");
    let message = |id: &str| {
        let event = failed.iter().find(|event| event["test_id"] == format!("test_example.py::{id}"));
        event.and_then(|event| event["message"].as_str()).map(str::to_owned).with_context(|| id.to_owned())
    };
    ensure!(message("test_fails")?.starts_with("assert 3 == 4"));
    ensure!(message("TestClass::test_raises")?.contains("lone surrogate"));
    Ok(())
}

fn workers() -> Result<()> {
    let ran = same(&["-n", "2"])?;
    let workers: std::collections::BTreeSet<&str> =
        ran.of_type("test_info").iter().filter_map(|info| info["data"]["worker"].as_str()).collect();
    ensure!(workers.len() == 2, "{workers:?}");
    Ok(())
}

fn off() -> Result<()> {
    let (ran, ..) = observed(&["-p", "no:sidecar"])?;
    ensure!(ran.events.is_empty(), "{:?}", ran.events);
    Ok(())
}

fn fates() -> Result<()> {
    let environment = environment::get()?;
    let folder = tempfile::tempdir()?;
    let junit = folder.path().join("junit.xml");
    let report = |_: Fate, _: &Output| -> Result<Vec<(String, u32, String)>> {
        let reported = report::read(&std::fs::read_to_string(&junit)?)?;
        std::fs::remove_file(&junit)?;
        Ok(reported.into_iter().map(|one| (one.test_id, one.attempt, one.status)).collect())
    };
    expect_same_in_every_fate(|_| Ok(pytest(environment, &junit)), report)
}

fn own_tests() -> Result<()> {
    let environment = environment::get()?;
    let mut command = Command::new(environment.python());
    command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:sidecar"]);
    command.arg(environment::sources().join("tests")).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = sidecar_tests::exec::finish(&mut command)?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

fn main() {
    let arguments = Arguments::from_args();
    let trials = TESTS.map(|(name, body)| {
        Trial::ignorable_test(name, move || {
            trial::run(name, environment::obstacle().or_else(trial::obstacle), body)
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.into());
    agent::clean_up();
    conclusion.exit();
}
