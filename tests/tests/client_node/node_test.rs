//! node:test beside its own JUnit report.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use roxmltree::{Document, Node};
use sidecar_tests::client::{Fate, Reported, expect_same, expect_same_in_every_fate};
use sidecar_tests::exec::finish;
use sidecar_tests::node::scratch::Scratch;

use crate::setup;

/// Where the report, which names no file, has its tests from.
const FILE: &str = "outcomes.test.mjs";
/// A test with subtests, which the report shows as a suite.
const PARENT: &str = "has subtests";

fn arguments(report: &Path) -> Vec<String> {
    ["--test", "--test-reporter=junit", &format!("--test-reporter-destination={}", report.display())]
        .into_iter()
        .chain(["--test-reporter=sidecar-node/node-test", "--test-reporter-destination=stderr", "."])
        .map(str::to_owned)
        .collect()
}

/// The same tests, outcomes and durations.
pub(crate) fn same() -> Result<()> {
    let exec = setup::exec()?;
    let report = exec.folder().join("junit.xml");
    let argv: Vec<String> = std::iter::once("node".to_owned()).chain(arguments(&report)).collect();
    let ran = exec.ran(finish(&mut setup::within(exec.command(&argv)?, "node-test")?)?)?;
    ran.expect_code(1)?;
    expect_same(&read(&report)?, &ran.events).with_context(|| ran.err())
}

/// The same status and report, whatever becomes of the agent.
pub(crate) fn fates() -> Result<()> {
    let scratch = Scratch::new()?;
    let report = |fate: Fate| scratch.path(&format!("{fate:?}.xml"));
    let suite = |fate| {
        let mut node = Command::new("node");
        node.args(arguments(&report(fate)));
        setup::within(node, "node-test")
    };
    expect_same_in_every_fate(suite, |fate, output| {
        let outcomes = read(&report(fate))?.into_iter().map(|one| (one.test_id, one.status));
        Ok((outcomes.collect::<Vec<_>>(), output.stdout.clone(), output.stderr.clone()))
    })
}

/// The report's tests.
fn read(path: &Path) -> Result<Vec<Reported>> {
    let xml = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let document = Document::parse(&xml).context("node's report is not XML")?;
    let mut tests = Vec::new();
    collect(document.root_element(), FILE, &mut BTreeMap::new(), &mut tests)?;
    Ok(tests)
}

fn collect(
    parent: Node<'_, '_>,
    before: &str,
    seen: &mut BTreeMap<String, u32>,
    tests: &mut Vec<Reported>,
) -> Result<()> {
    for node in parent.children().filter(Node::is_element) {
        let tag = node.tag_name().name();
        if !matches!(tag, "testcase" | "testsuite") {
            continue;
        }
        let name = node.attribute("name").context("a test without a name")?;
        let id = format!("{before}::{name}");
        if tag == "testsuite" {
            collect(node, &id, seen, tests)?;
            if name != PARENT {
                continue;
            }
        }
        let (id, status) = if Path::new(name).is_absolute() {
            (Path::new(name).file_name().context("a file")?.to_string_lossy().into_owned(), "error")
        } else {
            (id, if tag == "testsuite" { "failed" } else { status(node) })
        };
        let count = seen.entry(id.clone()).or_default();
        *count += 1;
        let test_id = if *count == 1 { id } else { format!("{id} #{count}") };
        let seconds = node.attribute("time").map(str::parse).transpose()?;
        tests.push(Reported { test_id, attempt: 1, status: status.to_owned(), seconds });
    }
    Ok(())
}

fn status(case: Node<'_, '_>) -> &'static str {
    let child = |tag: &str| case.children().find(|node| node.has_tag_name(tag));
    match (child("skipped"), child("failure")) {
        (Some(_), Some(_)) => "xfail",
        (Some(_), None) => "skipped",
        (None, Some(failure)) if failure.attribute("type") == Some("testTimeoutFailure") => "timeout",
        (None, Some(_)) => "failed",
        (None, None) => "passed",
    }
}
