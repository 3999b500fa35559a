//! doctest.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use roxmltree::{Document, Node};
use sidecar_tests::client::{Reported, expect_same};
use sidecar_tests::exec::Exec;

use crate::program::{Suite, attribute, details, for_each_case, holds, in_every_fate, lacks, message};
use crate::{Case, Named};

/// Every outcome.
const EXAMPLE: Suite = Suite {
    name: "doctest-example",
    source: "doctest.cpp",
    listener: Some("doctest.cpp"),
    flags: &["-std=c++11"],
    libraries: &[],
    shared: false,
};

/// This file's tests.
pub(crate) fn tests() -> Vec<Case> {
    let needs = || lacks("doctest/doctest.h");
    let cases: [Named; 5] = [
        ("doctest_what_it_reports_was_seen", reports),
        ("doctest_its_junit_report_was_seen", junit_report),
        ("doctest_details_are_what_it_knows", knows),
        ("doctest_a_crash_ends_its_test", crash),
        ("doctest_no_fate_of_the_agent_is_noticed", fates),
    ];
    cases.into_iter().map(|(name, body)| Case { name, needs, body }).collect()
}

/// Its own XML, which knows suites, verdicts and durations.
fn xml(report: &Path) -> Vec<String> {
    vec!["-r=xml".to_owned(), "-d".to_owned(), format!("-o={}", report.display())]
}

fn junit(report: &Path) -> Vec<String> {
    vec!["-r=junit".to_owned(), format!("-o={}", report.display())]
}

/// What its XML tells.
fn reported(xml: &str) -> Result<Vec<Reported>> {
    let document = Document::parse(xml).with_context(|| format!("the report is not XML: {xml}"))?;
    let mut all = Vec::new();
    for case in document.descendants().filter(|node| node.has_tag_name("TestCase")) {
        let suite = case.parent().and_then(|suite| suite.attribute("name"));
        let name = attribute(case, "name")?;
        let test_id = suite.map_or_else(|| name.to_owned(), |suite| format!("{suite}/{name}"));
        let results = case.children().find(|child| child.has_tag_name("OverallResultsAsserts"));
        let seconds = results.and_then(|results| results.attribute("duration"));
        let status = results.map_or(Ok("skipped"), |results| status(case, results))?.to_owned();
        let seconds = seconds.map(str::parse).transpose()?;
        all.push(Reported { test_id, attempt: 1, status, seconds });
    }
    Ok(all)
}

/// What the verdict on a test means, by what it was marked with and by what failed in it.
fn status(case: Node<'_, '_>, results: Node<'_, '_>) -> Result<&'static str> {
    let success = attribute(results, "test_case_success")? == "true";
    let marked = |name| case.attribute(name).is_some();
    let failures =
        attribute(results, "failures")? != "0" || case.descendants().any(|node| node.has_tag_name("Message"));
    let exception = holds(case, "Exception");
    Ok(match success {
        true if marked("should_fail") || results.attribute("expected_failures").is_some() => "xfail",
        true if marked("may_fail") && failures => "xfail",
        true => "passed",
        false if marked("should_fail") => "xpass",
        false if marked("timeout") && !failures && !exception => "timeout",
        false if exception && !failures => "error",
        false => "failed",
    })
}

fn reports() -> Result<()> {
    let (xml, ran) = EXAMPLE.observed(&[], xml)?;
    ran.expect_code(1)?;
    let reported = reported(&xml)?;
    ensure!(reported.len() == 25, "{} tests were run", reported.len());
    expect_same(&reported, &ran.events)
}

/// The same tests are in its JUnit report, and what failed there has failed. What `FAIL` says is missing there.
fn junit_report() -> Result<()> {
    let (xml, ran) = EXAMPLE.observed(&[], junit)?;
    ran.expect_code(1)?;
    let ends = ran.ends();
    let mut names = BTreeSet::new();
    for_each_case(&xml, |case| {
        let name = attribute(case, "name")?.split('/').next().unwrap_or_default().to_owned();
        let named = |id: &str| id == name || id.ends_with(&format!("/{name}"));
        let end = ends.iter().find(|end| end["test_id"].as_str().is_some_and(named));
        let end = end.with_context(|| format!("{name} was not seen"))?;
        let failed = ["failed", "error", "xfail"].iter().any(|status| end["status"] == *status);
        ensure!(!(holds(case, "failure") || holds(case, "error")) || failed, "{name}: {end}");
        names.insert(name);
        Ok(())
    })?;
    // Two have one name in two suites, and skipped ones are left out.
    let run = ends.iter().filter(|end| end["status"] != "skipped").count();
    ensure!(names.len() + 1 == run, "{} names of {run} tests", names.len());
    Ok(())
}

fn knows() -> Result<()> {
    let (_, ran) = EXAMPLE.observed(&[], xml)?;
    let wrong = message(&ran, "is wrong")?;
    for part in ["example/doctest.cpp:22: CHECK( sum == 4 ) values: 3 == 4", "the sum is off"] {
        ensure!(wrong.contains(part), "`{part}` is missing: {wrong}");
    }
    ensure!(!wrong.contains("sum == 5"), "a warning is no failure: {wrong}");
    ensure!(message(&ran, "says so")?.ends_with("no paper"), "{:?}", ran.ends());
    ensure!(message(&ran, "throws")?.contains("out of paper"), "{:?}", ran.ends());
    ensure!(message(&ran, "messages of a megabyte")?.contains("mmmm"), "{:?}", ran.ends());
    let told = details(&ran, "cart/has subcases")?;
    ensure!(told["description"] == "of a cart" && told["line"].is_u64(), "{told}");
    let entered: Vec<_> =
        ran.of_type("subcase").iter().map(|event| event["data"]["subcase"].clone()).collect();
    assert_eq!(entered, ["one", "inner a", "one", "inner b", "two"]);
    Ok(())
}

fn crash() -> Result<()> {
    let exec = Exec::new()?;
    let ran = exec.run(&[EXAMPLE.program()?.as_os_str(), "-ns".as_ref(), "-tc=crashes".as_ref()])?;
    let [end] = ran.ends()[..] else { anyhow::bail!("{:?}", ran.events) };
    ensure!(end["status"] == "aborted" && end["message"].to_string().contains("SIGSEGV"), "{end}");
    Ok(())
}

fn fates() -> Result<()> {
    in_every_fate(EXAMPLE, xml, reported)
}
