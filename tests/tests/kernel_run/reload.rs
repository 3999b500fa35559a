//! The configuration changes while the agent runs: whole or not at all, and no event is lost by it.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use sidecar_tests::agent;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::{balance, wait_until_found};

/// Reloads under load.
const RELOADS: u64 = 200;
/// Most memory that they may take, in bytes.
const GROWTH: u64 = 6_000_000;

fn text(scratch: &Scratch, target: &Target, sampling: &str, watch: bool) -> String {
    format!(
        "{}resources: {{max_cpu_percent: 100}}\nreload: {{watch: {watch}}}\nsampling: {sampling}\n{}",
        section(scratch),
        target.probes()
    )
}

fn all_kept(agent: &Agent, target: &Target, kept: u64) -> Result<()> {
    let found = balance(&agent.metrics()?, target.provider(), "hit").1;
    assert_eq!(found, kept, "{}", agent.log());
    Ok(())
}

/// Waits for a value of `sampling.events`.
fn wait_for_rate(control: &Control, agent: &Agent, rate: &str) -> Result<()> {
    until("the rate is in force", || {
        let found = control.key("sampling.events")?;
        ensure!(found == rate, "{found}\n{}", agent.log());
        Ok(Some(()))
    })
}

pub(crate) fn by_signal() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let agent = Agent::start(&scratch.config(&text(&scratch, &target, "{events: 0}", false))?)?;
    wait_until_found(&agent, &target)?;
    target.run(&["hit 100"])?;
    all_kept(&agent, &target, 0)?;
    scratch.config(&text(&scratch, &target, "{events: 1}", false))?;
    agent.signal(Signal::SIGHUP)?;
    wait_for_rate(&control, &agent, "1")?;
    target.run(&["hit 100"])?;
    all_kept(&agent, &target, 100)?;
    assert_eq!(control.get("/api/v1/config")?["reloads"], 1);
    assert!(agent.log().contains("changed: sampling.events"), "{}", agent.log());
    agent.finish()?;
    Ok(())
}

pub(crate) fn by_file() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let agent = Agent::start(&scratch.config(&text(&scratch, &target, "{events: 0}", true))?)?;
    wait_until_found(&agent, &target)?;
    // Written in place.
    let path = scratch.config(&text(&scratch, &target, "{events: 1}", true))?;
    wait_for_rate(&control, &agent, "1")?;
    target.run(&["hit 10"])?;
    all_kept(&agent, &target, 10)?;
    // Replaced by another file, twice: the watch has to follow.
    for rate in ["0.5", "0.25"] {
        let new = std::fs::read_to_string(scratch.config(&text(
            &scratch,
            &target,
            &format!("{{events: {rate}}}"),
            true,
        ))?)?;
        let beside = scratch.path("new.yml");
        std::fs::write(&beside, new)?;
        std::fs::rename(&beside, &path)?;
        wait_for_rate(&control, &agent, rate)?;
    }
    agent.finish()?;
    Ok(())
}

/// The message of `sidecar check` about a file.
fn check(path: &Path) -> Result<(Option<i32>, String)> {
    let output = Command::new(agent::path()?).args(["check", "--config"]).arg(path).output()?;
    Ok((output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned()))
}

pub(crate) fn refused() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let good = text(&scratch, &target, "{events: 1}", false);
    let agent = Agent::start(&scratch.config(&good)?)?;
    wait_until_found(&agent, &target)?;
    for (bad, key) in [
        (good.replace("events: 1", "events: 7"), "sampling.events"),
        (good.replace("events: 1", "events: .nan"), "sampling.events"),
        (good.replace("sampling:", "samplign:"), "samplign"),
        (
            good.replace("http: {", "http: {listen: '127.0.0.1:1', max_connections: 5, "),
            "http.max_connections",
        ),
        (format!("discovery: {{ring_bytes: 65536}}\n{good}"), "discovery.ring_bytes"),
        (format!("{good}\n\t- :"), ""),
    ] {
        let path = scratch.config(&bad)?;
        let answer = control.ask("POST", "/api/v1/config/reload", "")?;
        assert!((400..500).contains(&answer.status), "{bad}: {answer:?}");
        assert!(answer.body.contains(key), "{key}: {}", answer.body);
        let health = agent.health()?;
        let config = &health["components"]["config"];
        assert_eq!(
            (&config["status"], &health["status"]),
            (&"degraded".into(), &"degraded".into()),
            "{health}"
        );
        assert!(config["message"].as_str().is_some_and(|message| message.contains(key)), "{config}");
        assert_eq!(agent.get("/health")?.status, 200);
        assert_eq!(control.key("sampling.events")?, "1", "the old one stays");
        let (code, said) = check(&path)?;
        if key.contains('.') && !key.starts_with("sampling.") {
            assert!(answer.body.contains("needs_restart"), "{}", answer.body);
            assert_eq!(code, Some(0), "a good file, but not for this agent: {said}");
        } else {
            assert_eq!(code, Some(78), "{said}");
            assert!(said.contains(key), "{key}: {said}");
        }
    }
    target.run(&["hit 10"])?;
    all_kept(&agent, &target, 10)?;
    let metrics = agent.metrics()?;
    println!("{}", metrics.0.lines().filter(|line| line.contains("reload")).collect::<Vec<_>>().join("\n"));
    scratch.config(&good)?;
    let report = control.json("POST", "/api/v1/config/reload", "")?;
    assert_eq!(report["changed"], serde_json::json!([]));
    assert_eq!(agent.health()?["components"]["config"]["status"], "healthy");
    agent.finish()?;
    Ok(())
}

pub(crate) fn under_load() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let one = text(&scratch, &target, "{events: 1}", false);
    let other = text(&scratch, &target, "{events: 1, traces: 0.5}", false);
    let agent = Agent::start(&scratch.config(&one)?)?;
    wait_until_found(&agent, &target)?;
    let mut running = target.start()?;
    let (mut before, mut slowest) = (0, 0.0_f64);
    for i in 1..=RELOADS {
        running.send("hit 500")?;
        if i % 20 == 0 {
            scratch.config(&one.replace("events: 1", "events: 7"))?;
            assert_eq!(control.ask("POST", "/api/v1/config/reload", "")?.status / 100, 4);
        }
        scratch.config(if i % 2 == 0 { &one } else { &other })?;
        let report = control.json("POST", "/api/v1/config/reload", "")?;
        slowest = slowest.max(report["duration_seconds"].as_f64().unwrap_or(f64::MAX));
        running.run(&["hit 0"])?;
        until("the ring is read", || control.settled().map(Some))?;
        if i == RELOADS / 4 {
            before = agent.rss()?;
        }
    }
    let after = agent.rss()?;
    println!(
        "{RELOADS} reloads, the slowest {slowest} s; {before} bytes after a quarter, {after} at the end"
    );
    assert!(after < before + GROWTH, "{before} bytes after a quarter, {after} at the end");
    running.finish()?;
    let totals = until("the totals balance", || control.settled().map(Some))?;
    println!("{totals}");
    let metrics = agent.metrics()?;
    assert_eq!(balance(&metrics, target.provider(), "hit"), (500 * RELOADS, 500 * RELOADS), "{totals}");
    let begun = Instant::now();
    scratch.wait_for_events_of(&agent, target.provider(), usize::try_from(500 * RELOADS)?)?;
    println!("all written after {:?}", begun.elapsed());
    agent.finish()?;
    Ok(())
}
