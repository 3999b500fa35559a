//! Tests whose process dies, under `sidecar run`: told within a second, exact in every count, and balanced.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::Value;
use sidecar_tests::node::accounts::Accounts;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, events, until};

/// Nothing but the target is watched, no governor lowers rates, and nothing is boosted.
fn config(target: &Target, scratch: &Scratch, more: &str) -> String {
    format!(
        "{}profiling: {{enabled: false}}\nsampling: {{test_events: 0.1, adaptive: {{enabled: false}}}}\n\
         discovery: {{exec: false, files: ['{}']{more}}}\n{}",
        section(scratch),
        target.path().display(),
        target.probes()
    )
}

fn aborted(scratch: &Scratch, provider: &str) -> Result<Vec<Value>> {
    let mut found = events(&scratch.sink())?;
    found.retain(|event| event["provider"] == provider && event["status"] == "aborted");
    Ok(found)
}

/// The API, the metrics and the events tell of it; the latter how long after.
pub(crate) fn told() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let agent = Agent::start(&scratch.config(&config(&target, &scratch, ""))?)?;
    let mut running = target.start()?;
    running.run(&["begin 1 1", "tests 2 1 0"])?;
    let pid = running.pid();
    running.kill()?;
    let died = Instant::now();
    let found = until("the end of the test", || {
        let found = aborted(&scratch, target.provider())?;
        Ok((!found.is_empty()).then_some(found))
    })?;
    let took = died.elapsed();
    println!("told {took:?} after the process was gone");
    // Nothing but a busy machine could make it later; the design's bound is a second.
    ensure!(took < Duration::from_secs(10), "{took:?}");
    let [end] = &found[..] else { anyhow::bail!("{found:?}") };
    ensure!(end["test_id"] == "test::1" && end["pid"] == pid, "{end}");
    ensure!(end["data"]["exit_signal_name"] == "SIGKILL", "{end}");
    let accounts = Accounts::settled(&agent, &control)?;
    assert_eq!((accounts.of("aborted"), accounts.of("recalled") + accounts.of("kept") >= 1), (1, true));
    let labels = [("event_type", "test_failure"), ("status", "aborted")];
    assert_eq!(accounts.metrics.count("sidecar_events_total", &labels), 1);
    let tests = control.get("/api/v1/tests")?;
    let told =
        tests["tests"].as_array().and_then(|tests| tests.iter().find(|test| test["test_id"] == "test::1"));
    ensure!(told.is_some_and(|test| test["status"] == "aborted" && test["running"] == false), "{tests}");
    agent.finish()?;
    Ok(())
}

/// A thousand processes die at once, with a small queue: what it has no room for is dropped and counted.
pub(crate) fn thousand() -> Result<()> {
    const CROWD: u64 = 1000;
    for more in [", ring_bytes: 8388608", ", ring_bytes: 65536"] {
        let scratch = Scratch::new()?;
        let target = Target::compile(&scratch.path("target"))?;
        let control = Control::of(&scratch);
        let text =
            config(&target, &scratch, more) + "resources: {max_queue_size: 100, max_cpu_percent: 100}\n";
        let agent = Agent::start(&scratch.config(&text)?)?;
        let mut running = target.start()?;
        running.run(&[format!("crowd {CROWD}")])?;
        running.finish()?;
        let accounts = Accounts::settled(&agent, &control)?;
        println!("{more}: {}", accounts.stats["balance"]);
        let provider = [("provider", target.provider())];
        let count = |name: &str| accounts.metrics.count(name, &provider);
        assert_eq!(count("sidecar_hits_total"), CROWD);
        assert_eq!(count("sidecar_held_gave_way_total"), 0);
        assert_eq!(count("sidecar_aborted_total") + count("sidecar_abort_lost_total"), CROWD);
        let labels = [("event_type", "test_failure"), ("status", "aborted")];
        assert_eq!(accounts.metrics.count("sidecar_events_total", &labels), CROWD, "exact whatever is lost");
        agent.finish()?;
        let written = aborted(&scratch, target.provider())?;
        let mut ids: Vec<&str> = written.iter().filter_map(|event| event["test_id"].as_str()).collect();
        ids.sort_unstable();
        let all = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), all, "each once");
        assert!(all as u64 <= count("sidecar_aborted_total") && all > 0);
    }
    Ok(())
}

/// Switched off and on again, it says nothing of a test whose end it can't have seen.
pub(crate) fn switched() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let on = config(&target, &scratch, "");
    let agent = Agent::start(&scratch.config(&on)?)?;
    let mut running = target.start()?;
    running.run(&["begin 1 3"])?;
    for enabled in [false, true] {
        scratch.config(&format!("enabled: {enabled}\n{on}"))?;
        control.json("POST", "/api/v1/config/reload", "")?;
    }
    until("it watches again", || {
        let semaphores = running.ask("semaphores")?;
        Ok((semaphores.split(' ').all(|count| count != "0")).then_some(()))
    })?;
    running.run(&["begin 4 1"])?;
    running.kill()?;
    let accounts = Accounts::once(&agent, &control, |accounts| {
        ensure!(accounts.of("aborted") > 0, "{}", accounts.stats);
        Ok(())
    })?;
    assert_eq!(accounts.of("aborted"), 1, "the one that it has seen whole");
    agent.finish()?;
    Ok(())
}
