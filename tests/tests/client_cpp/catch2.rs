//! Catch2.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sidecar_tests::client::{Reported, expect_same};
use sidecar_tests::exec::Exec;
use sidecar_tests::junit::agrees;
use sidecar_tests::libsidecar::{compile, folder, root};

use crate::program::{Suite, attribute, details, for_each_case, holds, in_every_fate, lacks, message};
use crate::{Case, Named};

/// Every outcome. Catch2 2 is a header alone, so its program has a file with its main.
const EXAMPLE: Suite = Suite {
    name: "catch2-example",
    source: "catch2.cpp",
    listener: Some("catch2.cpp"),
    flags: &["-std=c++14"],
    libraries: &[],
    shared: false,
};

/// This file's tests.
pub(crate) fn tests() -> Vec<Case> {
    let needs = || lacks("catch2/catch.hpp");
    let cases: [Named; 4] = [
        ("catch2_what_it_reports_was_seen", reports),
        ("catch2_details_are_what_it_knows", knows),
        ("catch2_a_crash_ends_its_test", crash),
        ("catch2_no_fate_of_the_agent_is_noticed", fates),
    ];
    cases.into_iter().map(|(name, body)| Case { name, needs, body }).collect()
}

/// The suite with its main, which takes a while to compile and is never another.
fn suite() -> Result<Suite> {
    let object = folder("cpp")?.join("catch2-main.o");
    let mut compiler = Command::new("g++");
    compiler.args(["-std=c++14", "-c"]).arg(root().join("clients/cpp/example/catch2_main.cpp"));
    compile(&object, &mut compiler)?;
    let object: &'static str = Box::leak(object.display().to_string().into_boxed_str());
    Ok(Suite { libraries: Box::leak(Box::new([object])), ..EXAMPLE })
}

fn junit(report: &Path) -> Vec<String> {
    vec!["-r".to_owned(), "junit".to_owned(), "-o".to_owned(), report.display().to_string()]
}

/// What its JUnit report tells. Each section has a case of its own there; a test has failed where one of its has.
fn reported(xml: &str) -> Result<Vec<Reported>> {
    let mut all: Vec<Reported> = Vec::new();
    for_each_case(xml, |case| {
        let name = attribute(case, "name")?;
        let (test_id, section) = name.split_once('/').map_or((name, false), |(test, _)| (test, true));
        let status = if holds(case, "skipped") {
            "xfail"
        } else if holds(case, "failure") {
            "failed"
        } else if holds(case, "error") {
            "error"
        } else if test_id == "should fail and does not" {
            // The report does not say what Catch2's exit status counts as a failure.
            "xpass"
        } else {
            "passed"
        };
        if let Some(test) = all.iter_mut().find(|test| test.test_id == test_id) {
            test.seconds = None;
            if status != "passed" {
                status.clone_into(&mut test.status);
            }
            return Ok(());
        }
        ensure!(!section, "{name} comes before its test");
        // Of a test that an exception ended, the report knows no duration.
        let seconds: f64 = attribute(case, "time")?.parse()?;
        let known = seconds > 0.0 || status == "passed";
        all.push(Reported {
            test_id: test_id.to_owned(),
            attempt: 1,
            status: status.to_owned(),
            seconds: known.then_some(seconds),
        });
        Ok(())
    })?;
    Ok(all)
}

fn reports() -> Result<()> {
    let (xml, ran) = suite()?.observed(&[], junit)?;
    ensure!(ran.status().code().is_some_and(|code| code > 0), "{}", ran.status());
    let reported = reported(&xml)?;
    ensure!(reported.len() == 19, "{} tests were run", reported.len());
    expect_same(&reported, &ran.events)?;

    // Its sections, by the way to each: the report has the last time through it.
    let sections = ran.of_type("section");
    let mut compared = 0;
    for_each_case(&xml, |case| {
        let Some((test, path)) = attribute(case, "name")?.split_once('/') else { return Ok(()) };
        let of_it = |event: &&&Value| event["test_id"] == test && event["data"]["section"] == path;
        let event = sections.iter().rev().find(of_it).with_context(|| format!("{path} was not seen"))?;
        let data = &event["data"];
        let took = data["seconds"].as_f64().with_context(|| data.to_string())?;
        ensure!(agrees(attribute(case, "time")?.parse()?, took * 1e3), "{path}: {data}");
        ensure!(!holds(case, "failure") || data["failed"] == 1, "{path}: {data}");
        compared += 1;
        Ok(())
    })?;
    ensure!(compared == 4, "{compared} sections were compared");
    Ok(())
}

fn knows() -> Result<()> {
    let (_, ran) = suite()?.observed(&[], junit)?;
    let wrong = message(&ran, "is wrong")?;
    for part in ["example/catch2.cpp:22: ", "CHECK( sum == 4 ) with expansion: 3 == 4"] {
        ensure!(wrong.contains(part), "`{part}` is missing: {wrong}");
    }
    ensure!(message(&ran, "throws")?.contains("out of paper"), "{:?}", ran.ends());
    ensure!(message(&ran, "messages of a megabyte")?.contains("mmmm"), "{:?}", ran.ends());
    let told = details(&ran, "takes its time")?;
    ensure!(told["line"] == 15 && told["tags"] == json!(["cart", "slow"]), "{told}");
    // An assertion that stops the test leaves Catch2 2 without a duration of its own.
    let stops = ran.ends().into_iter().find(|end| end["test_id"] == "stops").context("no end")?;
    ensure!(stops["duration_ms"].as_f64().is_some_and(|took| took >= 20.0), "{stops}");
    Ok(())
}

fn crash() -> Result<()> {
    let exec = Exec::new()?;
    let ran = exec.run(&[suite()?.program()?.as_os_str(), "crashes".as_ref()])?;
    let [end] = ran.ends()[..] else { anyhow::bail!("{:?}", ran.events) };
    ensure!(end["status"] == "aborted" && end["message"].to_string().contains("SIGSEGV"), "{end}");
    Ok(())
}

fn fates() -> Result<()> {
    in_every_fate(suite()?, junit, reported)
}
