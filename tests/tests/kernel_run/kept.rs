//! What is kept when little is: failures with their starts, whole tests, exact counts; and when the budget is exceeded.

use std::collections::{BTreeMap, HashMap};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;
use sidecar_tests::kernel::program::Program;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, events, until};

use crate::basics::{balance, hits, wait_until_found};

/// Waits until the counts of the agent stand still and balance.
fn settle(control: &Control) -> Result<Value> {
    until("the totals balance", || control.settled().map(Some))
}

/// Each test of these events by its id: number of starts, of ends that passed, and of ends that did not.
fn by_test(found: &[Value]) -> HashMap<String, [u32; 3]> {
    let mut tests: HashMap<String, [u32; 3]> = HashMap::new();
    for event in found {
        let Some(id) = event["test_id"].as_str() else { continue };
        let place = match event["status"].as_str() {
            None => 0,
            Some("passed") => 1,
            Some(_) => 2,
        };
        tests.entry(id.to_owned()).or_default()[place] += 1;
    }
    tests
}

pub(crate) fn failures() -> Result<()> {
    /// Of each 200 tests the last one fails.
    const BLOCK: u64 = 200;
    const BLOCKS: u64 = 500;
    const TESTS: u64 = BLOCKS * BLOCK;
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    // No boost, so that the share that is kept is the rate's; no governor, which would lower the rate.
    let sampling = "resources: {max_cpu_percent: 100}\n\
                    sampling: {test_events: 0.1, adaptive: {enabled: false}}\n";
    let agent =
        Agent::start(&scratch.config(&format!("{}{sampling}{}", section(&scratch), target.probes()))?)?;
    wait_until_found(&agent, &target)?;
    let mut running = target.start()?;
    for block in 0..BLOCKS {
        let first = block * BLOCK;
        running
            .run(&[format!("tests {first} {} 0", BLOCK - 1), format!("tests {} 1 1", first + BLOCK - 1)])?;
        if block % 50 == 49 {
            // Faster than any tests: what the queue has no room for is dropped and counted, which is not this test's.
            settle(&control)?;
        }
    }
    running.finish()?;
    let accounts = settle(&control)?;
    assert_eq!(accounts["lost"], 0, "{accounts}");
    for marker in ["start", "end"] {
        assert_eq!(hits(&agent, target.provider(), marker)?, TESTS, "{marker}");
    }
    let log = agent.finish()?;
    let mut found = events(&scratch.sink())?;
    found.retain(|event| event["provider"] == target.provider());
    let tests = by_test(&found);
    let odd: Vec<_> = tests.iter().filter(|(_, parts)| !matches!(parts, [1, 1, 0] | [1, 0, 1])).collect();
    assert!(odd.is_empty(), "whole tests only, each once: {odd:?}\n{log}");
    for block in 0..BLOCKS {
        let id = format!("test::{}", block * BLOCK + BLOCK - 1);
        assert_eq!(tests.get(&id), Some(&[1, 0, 1]), "the failure {id}");
    }
    let passed = tests.values().filter(|parts| parts[1] == 1).count() as f64;
    let population = (TESTS - BLOCKS) as f64;
    let deviations = (passed - 0.1 * population) / (0.09 * population).sqrt();
    println!(
        "{passed} of {population} passing tests are kept: {deviations:.2} standard deviations; {accounts}"
    );
    // Three in one run out of 370 are chance; five in one of 1.7 million.
    assert!(deviations.abs() < 5.0, "{passed} of {population}: {deviations} standard deviations");
    Ok(())
}

/// Waits until the agent is at the top of its ladder. A step takes 5 s, some 30 s from `count_only`, and longer where
/// others take the processor. It is asked seldom, because an answer of a debug build takes it some milliseconds.
fn climbs(control: &Control) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(180);
    loop {
        let budget = control.get("/api/v1/budget")?;
        if budget["level"] == 0 {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "it does not climb: {budget}");
        std::thread::sleep(Duration::from_secs(1));
    }
}

pub(crate) fn governor() -> Result<()> {
    /// Tests of a burst, and failures among them.
    const BURST: (u64, u64) = (20_000, 5);
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let budget = "resources: {max_cpu_percent: 5}\nprofiling: {sampling_interval: 0.2}\n\
                  sampling: {test_events: 1, adaptive: {enabled: false}}\n";
    let config = scratch.config(&format!("{}{budget}{}", section(&scratch), target.probes()))?;
    let agent = Agent::start(&config)?;
    wait_until_found(&agent, &target)?;
    let mut running = target.start()?;
    let mut bursts = 0;
    until("the agent steps down", || {
        let from = bursts * (BURST.0 + BURST.1);
        running.run(&[
            format!("tests {from} {} 0", BURST.0),
            format!("tests {} {} 1", from + BURST.0, BURST.1),
        ])?;
        bursts += 1;
        let level = control.get("/api/v1/budget")?["level"].as_u64().unwrap_or_default();
        Ok((level >= 2).then_some(()))
    })?;
    let budget = control.get("/api/v1/budget")?;
    println!("after {bursts} bursts: {budget}");
    let health = agent.health()?;
    let governor = &health["components"]["governor"];
    assert_eq!(
        (&governor["status"], &health["status"]),
        (&"degraded".into(), &"degraded".into()),
        "{governor}"
    );
    running.finish()?;
    settle(&control)?;
    let (passed, failed) = (BURST.0 * bursts, BURST.1 * bursts);
    let metrics = agent.metrics()?;
    let event_type = format!("{}_end", target.provider());
    for (status, count) in [("passed", passed), ("failed", failed)] {
        let labels = [("event_type", event_type.as_str()), ("status", status)];
        assert_eq!(metrics.count("sidecar_events_total", &labels), count, "{status}");
    }
    balance(&metrics, target.provider(), "end");
    let lost = metrics.count("sidecar_lost_total", &[("provider", target.provider())]);
    let dropped = metrics.count("sidecar_events_dropped_total", &[]);
    println!("{lost} records found no room in the ring, {dropped} events none in a queue");
    // Failures have room of their own in the ring, and in the queues others make room for them.
    until("every failure is written", || {
        let found = by_test(&events(&scratch.sink())?).values().filter(|parts| parts[2] == 1).count() as u64;
        ensure!(found == failed, "{found} of {failed} failures");
        Ok(Some(()))
    })?;
    climbs(&control)?;
    let log = agent.finish()?;
    let steps: Vec<&str> = log.lines().filter(|line| line.contains("governor: ")).collect();
    assert!(!steps.is_empty(), "{log}");
    println!("{}", steps.join("\n"));
    Ok(())
}

pub(crate) fn names_in_logs() -> Result<()> {
    let scratch = Scratch::new()?;
    let program = Program::copy("target_tests")?;
    let control = Control::of(&scratch);
    let files = format!("discovery: {{exec: false, files: [{}]}}", program.path().display());
    let all = "sampling: {enabled: false}";
    let agent = Agent::start(&scratch.config(&format!("{}{all}\n{files}\n", section(&scratch)))?)?;
    let id = "evil\n{\"event_type\":\"forged\"}\n\u{1b}[31mERROR sidecar\u{7}\" } # HELP forged\nforged 1";
    ensure!(Command::new(program.path()).arg(format!("pass {id}")).status()?.success());
    settle(&control)?;
    let found = until("both events, each a line", || {
        let found = events(&scratch.sink())?;
        let own = found.iter().filter(|event| event["test_id"] == id).count();
        ensure!(own == 2, "{found:?}");
        Ok(Some(found))
    })?;
    let mut types: BTreeMap<&str, u32> = BTreeMap::new();
    for event in &found {
        *types.entry(event["event_type"].as_str().unwrap_or_default()).or_default() += 1;
    }
    assert!(!types.contains_key("forged"), "{types:?}");
    assert!(!agent.metrics()?.0.contains("forged"), "test ids are no labels");
    assert!(control.get("/api/v1/tests")?["tests"].to_string().contains("evil"));
    let mut status = crate::verbs::ask("status", &control)?;
    assert!(!status.1.contains('\u{1b}'), "{status:?}");
    status = crate::verbs::ask("health", &control)?;
    assert!(!status.1.contains('\u{1b}'), "{status:?}");
    let log = agent.finish()?;
    assert!(!log.contains('\u{1b}') && !log.contains("forged"), "{log}");
    Ok(())
}
