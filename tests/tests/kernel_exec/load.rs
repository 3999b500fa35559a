//! Many tests, a small ring, and a share: counts stay exact, memory bounded, and what is lost is said.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sidecar_tests::exec::{Exec, Ran, Started, until};
use sidecar_tests::kernel::built;
use sidecar_tests::process::{children, figure, name};

/// The number before a word of the line `events`: kept, sampled out, lost, dropped, hits.
fn counted(ran: &Ran, word: &str) -> Result<u64> {
    let err = ran.err();
    let line =
        err.lines().find(|line| line.trim_start().starts_with("events ")).with_context(|| err.clone())?;
    number_before(line, word)
}

fn number_before(line: &str, word: &str) -> Result<u64> {
    let before =
        line.split(word).next().filter(|before| before.len() < line.len()).context("no such word")?;
    let digits = before.trim_end().rsplit(' ').next().context("no number")?;
    Ok(digits.replace(',', "").parse()?)
}

/// Starts that were sampled out and came after all.
fn recalled(ran: &Ran) -> Result<u64> {
    let err = ran.err();
    match err.lines().find(|line| line.contains("came after all")) {
        Some(line) => number_before(line, " start"),
        None => Ok(0),
    }
}

/// The counts balance, and the report has what was kept, and the starts that came after all.
fn balance(ran: &Ran, hits: u64) -> Result<[u64; 3]> {
    let [kept, sampled_out, lost, dropped, of] = [
        counted(ran, " kept")?,
        counted(ran, " sampled")?,
        counted(ran, " lost")?,
        counted(ran, " dropped")?,
        counted(ran, " hit")?,
    ];
    ensure!(of == hits && kept + sampled_out + lost == hits, "{}", ran.err());
    let expected = kept + recalled(ran)?;
    ensure!(dropped == 0 && ran.events.len() as u64 == expected, "{} lines: {}", ran.events.len(), ran.err());
    Ok([kept, sampled_out, lost])
}

fn target(step: &str) -> Result<[std::ffi::OsString; 2]> {
    Ok([built("target_tests")?.into(), step.into()])
}

pub(crate) fn test_ids() -> Result<()> {
    const TESTS: u64 = 100_000;
    // A ring that holds them all, so that the figures do not depend on who gets the processor.
    let exec = Exec::new()?.config("discovery: {ring_bytes: 134217728}\n")?;
    let [program, step] = target(&format!("tests {TESTS}"))?;
    let mut command = exec.command(&[program, step, "say done".into(), "sleep 600000".into()])?;
    let run = Started::new(&mut command)?;
    let report = exec.folder().join("report.jsonl");
    until("all lines", || {
        let lines =
            std::fs::read(&report).map_or(0, |text| text.iter().filter(|&&byte| byte == b'\n').count());
        Ok((lines as u64 >= 2 * TESTS).then_some(()))
    })?;
    // Anonymous memory: the ring is mapped, and shared with the kernel.
    let [anonymous, peak] = [figure(run.pid(), "RssAnon")?, figure(run.pid(), "VmHWM")?];
    let watched = children(run.pid()).into_iter().find(|&pid| name(pid).as_deref() == Some("target_tests"));
    crate::signals::send(watched.context("the command")?, libc::SIGKILL);
    let ran = exec.ran(run.finish()?)?;
    ensure!(balance(&ran, 2 * TESTS)? == [2 * TESTS, 0, 0]);
    ensure!(ran.err().contains("100,000 tests") && ran.err().contains("100,000 passed"), "{}", ran.err());
    println!("anonymous memory {anonymous} KiB, peak with the ring {peak} KiB");
    ensure!(anonymous < 32 * 1024, "{anonymous} KiB");
    Ok(())
}

pub(crate) fn tiny_ring() -> Result<()> {
    const TESTS: u64 = 50_000;
    let exec = Exec::new()?.config("discovery: {ring_bytes: 4096}\nresources: {max_queue_size: 100}\n")?;
    let ran = exec.run(&target(&format!("tests {TESTS}"))?)?;
    ran.expect_code(0)?;
    let [_, _, lost] = balance(&ran, 2 * TESTS)?;
    ensure!(lost > 0, "{}", ran.err());
    ensure!(ran.err().contains("a larger discovery.ring_bytes helps"), "{}", ran.err());
    Ok(())
}

pub(crate) fn rate() -> Result<()> {
    const TESTS: u64 = 2_000;
    let exec = Exec::new()?.flags(&["--rate", "0.1"]);
    let ran = exec.run(&target(&format!("mixed {TESTS}"))?)?;
    ran.expect_code(0)?;
    let [kept, sampled_out, lost] = balance(&ran, 2 * TESTS)?;
    ensure!(lost == 0 && sampled_out > kept, "{}", ran.err());
    let passed = whole_tests(&ran, TESTS / 10)?;
    ensure!((50..500).contains(&passed), "{passed} of 1,800 at a tenth");
    // Of the failures a tenth of the starts was kept anyhow.
    ensure!(kept == 2 * passed + TESTS / 10 + (TESTS / 10 - recalled(&ran)?), "{}", ran.err());
    let rate = |event: &Value| event["sample_rate"].as_f64().unwrap_or_default();
    for event in ran.of_type("test_end") {
        ensure!((rate(event) - 0.1).abs() < 1e-6, "{event}");
    }
    let first: Vec<_> = ran.err().lines().take(3).map(str::to_owned).collect();
    ensure!(first[0].starts_with("sidecar: 2,000 attempts in "), "all are counted: {first:?}");
    ensure!(first[1] == "  all   1,800 passed, 200 failed", "{first:?}");
    ensure!(first[2] == format!("  kept  {passed} passed, 200 failed"), "{first:?}");

    // At a rate of 0 nothing but failures, whole.
    let ran = Exec::new()?.flags(&["--rate", "0"]).run(&target("mixed 300")?)?;
    ensure!(balance(&ran, 600)? == [30, 570, 0] && recalled(&ran)? == 30, "{}", ran.err());
    ensure!(whole_tests(&ran, 30)? == 0 && ran.err().contains("  kept  30 failed"), "{}", ran.err());
    let none = Exec::new()?.flags(&["--rate", "0"]).run(&target("tests 50")?)?;
    ensure!(
        none.events.is_empty() && none.err().contains("  all   50 passed\n  kept  none"),
        "{}",
        none.err()
    );
    Ok(())
}

/// Each test of the report has a start and an end, in this order, or nothing; all failures are there. Gives the number of
/// those that passed.
fn whole_tests(ran: &Ran, failures: u64) -> Result<u64> {
    let mut tests: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for event in &ran.events {
        let [id, event_type] = ["test_id", "event_type"].map(|key| event[key].as_str().unwrap_or_default());
        tests.entry(id).or_default().push(event_type);
    }
    let count = |whole: [&str; 2]| tests.values().filter(|events| **events == whole).count();
    let (passed, failed) = (count(["test_start", "test_end"]), count(["test_start", "test_failure"]));
    ensure!(failed as u64 == failures && passed + failed == tests.len(), "{failed} of {failures}: {tests:?}");
    for number in 0..failures {
        ensure!(tests.contains_key(format!("mixed::{}", number * 10).as_str()), "mixed::{}", number * 10);
    }
    Ok(passed as u64)
}

/// Custom events are told with how far off the number may be, and exactly where all are kept.
pub(crate) fn estimates() -> Result<()> {
    let config = "discovery: {ring_bytes: 33554432}\n";
    for (rate, wanted) in
        [("0.1", " kept)  order_placed\n"), ("1", "\nEvents\n  1,500  order_placed\n    500  page_seen\n")]
    {
        let ran = Exec::new()?.config(config)?.flags(&["--rate", rate]).run(&target("typed 500")?)?;
        ensure!(ran.err().contains(wanted), "{rate}: {}", ran.err());
        balance(&ran, 2000)?;
    }
    Ok(())
}
