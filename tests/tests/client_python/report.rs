//! pytest's JUnit report (`junit_family=xunit1`) of the example suite.
//!
//! It has a `<testcase>` for each attempt of pytest-rerunfailures, all but the last without an outcome, and two of a test
//! that fails and whose teardown fails too. Of a test that passes although it was expected to fail, it says that it passed.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use roxmltree::{Document, Node};
use sidecar_tests::client::Reported;

/// Tests that the suite marks as expected to fail, and that pass.
const XPASS: [&str; 1] = ["test_example.py::test_passes_unexpectedly"];
/// Tests that are run again.
const RERUN: [&str; 1] = ["test_example.py::test_is_flaky"];

/// Reads a report.
///
/// # Errors
/// When it is none.
pub(crate) fn read(xml: &str) -> Result<Vec<Reported>> {
    let document = Document::parse(xml)?;
    let mut by_id: BTreeMap<String, Vec<Reported>> = BTreeMap::new();
    for case in document.descendants().filter(|node| node.has_tag_name("testcase")) {
        let attribute = |name: &str| case.attribute(name).with_context(|| format!("no {name}"));
        let class = attribute("classname")?.split_once('.').map(|(_, class)| format!("::{class}"));
        let (file, name) = (attribute("file")?, attribute("name")?);
        let test_id = format!("{file}{}::{name}", class.unwrap_or_default());
        let attempts = by_id.entry(test_id.clone()).or_default();
        if attempts.first().is_some_and(|first| first.status == "failed") {
            // The teardown's error of a test that has failed.
            continue;
        }
        let status = if XPASS.contains(&test_id.as_str()) { "xpass" } else { status(case) };
        let attempt = u32::try_from(attempts.len())? + 1;
        let seconds = Some(attribute("time")?.parse()?);
        attempts.push(Reported { test_id, attempt, status: status.to_owned(), seconds });
    }
    for id in RERUN {
        let attempts = by_id.get_mut(id).context("the test that is run again")?;
        let last = attempts.len().saturating_sub(1);
        attempts[..last].iter_mut().for_each(|attempt| "failed".clone_into(&mut attempt.status));
    }
    Ok(by_id.into_values().flatten().collect())
}

fn status(case: Node<'_, '_>) -> &'static str {
    let tagged = |name: &str| case.children().find(|child| child.has_tag_name(name));
    if tagged("failure").is_some() {
        "failed"
    } else if tagged("error").is_some() {
        "error"
    } else if let Some(skipped) = tagged("skipped") {
        if skipped.attribute("type") == Some("pytest.xfail") { "xfail" } else { "skipped" }
    } else {
        "passed"
    }
}
