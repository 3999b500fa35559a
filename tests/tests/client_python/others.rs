//! unittest and Robot Framework: what the agent saw beside what they report.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use roxmltree::Document;
use sidecar_tests::client::{Fate, Reported, expect_same, expect_same_in_every_fate};
use sidecar_tests::exec::{Exec, Ran, finish};

use crate::environment;

/// Runs a Python program of the example folder under `sidecar exec`.
fn observed(words: &[OsString], exec: &Exec) -> Result<Ran> {
    let argv: Vec<OsString> =
        std::iter::once(environment::get()?.python().into()).chain(words.iter().cloned()).collect();
    let mut command = exec.command(&argv)?;
    command.current_dir(environment::sources().join("example")).env("PYTHONDONTWRITEBYTECODE", "1");
    exec.ran(finish(&mut command)?)
}

fn exec() -> Result<Exec> {
    let extension = environment::get()?.extension()?;
    Exec::new()?
        .config(&format!("discovery: {{ring_bytes: 33554432, libraries: ['{}']}}\n", extension.display()))
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

const UNITTEST: [&str; 4] = ["-m", "sidecar_runtime.unittest", "-v", "unittest_example"];

/// What `unittest -v` says: `NAME (ID) ... WORD`; parts of a test have lines of their own, indented.
fn said(lines: &str) -> Result<Vec<Reported>> {
    let mut reported = Vec::new();
    for line in lines.lines().filter(|line| !line.starts_with("sidecar: ")) {
        let Some((test, word)) = line.split_once(" ... ") else { continue };
        let (name, id) = test.split_once(" (").with_context(|| line.to_owned())?;
        let id = id.trim_end_matches(')');
        let (id, status) = match word.trim() {
            // The part that failed has a line of its own.
            "" => (id.to_owned(), "failed"),
            _ if test.starts_with(' ') => continue,
            "ERROR" if name == "setUpClass" => (test.to_owned(), "error"),
            "ok" => (id.to_owned(), "passed"),
            "FAIL" => (id.to_owned(), "failed"),
            "ERROR" => (id.to_owned(), "error"),
            "expected failure" => (id.to_owned(), "xfail"),
            "unexpected success" => (id.to_owned(), "xpass"),
            skipped => {
                ensure!(skipped.starts_with("skipped"), "{line}");
                (id.to_owned(), "skipped")
            }
        };
        reported.push(Reported { test_id: id, attempt: 1, status: status.to_owned(), seconds: None });
    }
    Ok(reported)
}

pub(crate) fn unittest() -> Result<()> {
    let exec = exec()?;
    let ran = observed(&words(&UNITTEST), &exec)?;
    ran.expect_code(1)?;
    let reported = said(&ran.err())?;
    ensure!(reported.len() == 10, "{reported:?}");
    expect_same(&reported, &ran.events)?;
    let slow =
        ran.ends().into_iter().find(|end| end["test_id"] == "unittest_example.Cart.test_takes_its_time");
    ensure!(slow.context("the slow test")?["duration_ms"].as_f64() >= Some(50.0), "{slow:?}");

    let suite = |_| {
        let mut command = Command::new(environment::get()?.python());
        command.args(UNITTEST).current_dir(environment::sources().join("example"));
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(command)
    };
    expect_same_in_every_fate(suite, |_: Fate, output: &Output| {
        said(&String::from_utf8_lossy(&output.stderr))
    })
}

fn robot_words(folder: &Path) -> Vec<OsString> {
    let mut all = words(&["-m", "robot", "--listener", "sidecar_runtime.robot", "--outputdir"]);
    all.push(folder.into());
    all.extend(words(&["--xunit", "xunit.xml", "robot"]));
    all
}

fn xunit(folder: &Path) -> Result<Vec<Reported>> {
    let text = std::fs::read_to_string(folder.join("xunit.xml"))?;
    let document = Document::parse(&text)?;
    let cases = document.descendants().filter(|node| node.has_tag_name("testcase"));
    let read = |case: roxmltree::Node<'_, '_>| {
        let attribute = |name: &str| case.attribute(name).with_context(|| format!("no {name}"));
        let has = |name: &str| case.children().any(|child| child.has_tag_name(name));
        let status = if has("failure") {
            "failed"
        } else if has("skipped") {
            "skipped"
        } else {
            "passed"
        };
        Ok(Reported {
            test_id: format!("{}.{}", attribute("classname")?, attribute("name")?),
            attempt: 1,
            status: status.to_owned(),
            seconds: Some(attribute("time")?.parse()?),
        })
    };
    cases.map(read).collect()
}

pub(crate) fn robot() -> Result<()> {
    let exec = exec()?;
    let ran = observed(&robot_words(exec.folder()), &exec)?;
    ran.expect_code(3)?;
    let reported = xunit(exec.folder())?;
    ensure!(reported.len() == 6, "{reported:?}");
    expect_same(&reported, &ran.events)?;
    let tagged = ran.of_type("test_info").into_iter().find(|info| info["data"]["tags"][1] == "slow");
    ensure!(tagged.is_some_and(|info| info["data"]["line"] == 9), "{tagged:?}");

    let folder = tempfile::tempdir()?;
    let suite = |_| {
        let mut command = Command::new(environment::get()?.python());
        command.args(robot_words(folder.path())).current_dir(environment::sources().join("example"));
        Ok(command)
    };
    expect_same_in_every_fate(suite, |_: Fate, _: &Output| {
        let reported = xunit(folder.path())?;
        std::fs::remove_file(folder.path().join("xunit.xml"))?;
        Ok(reported.into_iter().map(|one| (one.test_id, one.status)).collect::<Vec<_>>())
    })
}
