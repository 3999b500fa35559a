//! The configuration changes while the agent runs: whole or not at all, and no event is lost by it.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use sidecar_tests::agent;
use sidecar_tests::node::accounts::Accounts;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::{balance, wait_until_found};

/// Reloads under load, and hits during each.
const RELOADS: u64 = 1000;
const HITS: u64 = 100;
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

/// Rates, the budget (with room for what the handlers may hold), limits of queues, boosts, health checks; handlers that come and go, and one that stays.
fn variant(scratch: &Scratch, target: &Target, round: u64) -> String {
    let handler = |name: &str, event: &str| {
        let (file, room) = (scratch.path(name), "queue_size: 1000000, queue_bytes: 100000000");
        format!("{{name: {name}, type: jsonl, {room}, events: [{event}], path: {}}}", file.display())
    };
    let stays = handler("stays", &format!("{}_hit", target.provider()));
    let (resources, sampling, handlers) = match round % 6 {
        0 => ("max_cpu_percent: 100, max_memory_mb: 1000", "{events: 1}", String::new()),
        1 => (
            "max_cpu_percent: 100, max_memory_mb: 1000",
            "{events: 1, traces: 0.5}",
            format!(", {}", handler("comes", "none")),
        ),
        2 => ("max_cpu_percent: 90, max_memory_mb: 1000", "{enabled: false}", String::new()),
        3 => (
            "max_cpu_percent: 100, max_memory_mb: 1000, max_queue_size: 20000",
            "{events: 1}",
            format!(", {}", handler("other", "none")),
        ),
        4 => (
            "max_cpu_percent: 100, max_memory_mb: 1000, drop_on_full: false",
            "{events: 1, adaptive: {boost_factor: 2}}",
            ", {name: runs, type: command, events: [none], command: [/bin/true]}".to_owned(),
        ),
        _ => ("max_cpu_percent: 100, max_memory_mb: 1200", "{events: 1, debug_logs: 0}", String::new()),
    };
    format!(
        "{}resources: {{{resources}}}\nreload: {{watch: false}}\nshutdown: {{grace_sec: 1}}\nprofiling: {{enabled: false}}\nsampling: {sampling}\n\
         discovery: {{exec: false, files: ['{}']}}\nhandlers: [{stays}{handlers}]\n{}",
        section(scratch),
        target.path().display(),
        target.probes()
    )
}

/// Threads and open descriptors of the agent.
fn belongings(agent: &Agent) -> Result<[usize; 2]> {
    let count = |what: &str| -> Result<usize> {
        Ok(std::fs::read_dir(format!("/proc/{}/{what}", agent.pid()))?.count())
    };
    Ok([count("task")?, count("fd")?])
}

pub(crate) fn under_load() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let begun = Instant::now();
    let agent = Agent::start(&scratch.config(&variant(&scratch, &target, 0))?)?;
    let mut running = target.start()?;
    let (mut before, mut slowest) = ((0, [0; 2]), 0.0_f64);
    for round in 1..=RELOADS {
        running.send(&format!("hit {HITS}"))?;
        let text = variant(&scratch, &target, round);
        if round % 20 == 0 {
            scratch.config(&text.replace("sampling: {", "sampling: {events: 7, "))?;
            assert_eq!(control.ask("POST", "/api/v1/config/reload", "")?.status / 100, 4);
        }
        scratch.config(&text)?;
        let report = control.json("POST", "/api/v1/config/reload", "")?;
        slowest = slowest.max(report["duration_seconds"].as_f64().unwrap_or(f64::MAX));
        if round % 20 == 0 {
            // No more than the ring and the queues hold, whoever gets the processor.
            running.run(&["hit 0"])?;
            until("the ring is read", || control.settled().map(Some))?;
        }
        if round == RELOADS / 4 {
            before = (agent.rss()?, belongings(&agent)?);
        }
    }
    let after = agent.rss()?;
    println!(
        "{RELOADS} reloads in {:?}, the slowest {slowest} s; {before:?} bytes, threads, descriptors after a quarter",
        begun.elapsed()
    );
    assert!(after < before.0 + GROWTH, "{} bytes after a quarter, {after} at the end", before.0);
    running.finish()?;
    let accounts = Accounts::once(&agent, &control, |accounts| {
        let stays = accounts.named("handlers", "stays")?;
        let balance = &accounts.stats["balance"];
        ensure!(stays["done"] == HITS * RELOADS, "the handler that stays has them all: {stays}, {balance}");
        let now = belongings(&agent)?;
        ensure!(now[0] <= before.1[0] + 2 && now[1] <= before.1[1] + 2, "{before:?}, and now {now:?}");
        Ok(())
    })?;
    println!("{after} bytes, {:?} at the end; {}", belongings(&agent)?, accounts.stats["balance"]);
    assert_eq!((accounts.of("hits"), accounts.of("processed")), (HITS * RELOADS, HITS * RELOADS));
    let reloads = |outcome| accounts.metrics.count("sidecar_config_reloads_total", &[("outcome", outcome)]);
    assert_eq!((reloads("succeeded"), reloads("refused")), (RELOADS, RELOADS / 20));
    scratch.wait_for_events_of(&agent, target.provider(), usize::try_from(HITS * RELOADS)?)?;
    agent.finish()?;
    Ok(())
}
