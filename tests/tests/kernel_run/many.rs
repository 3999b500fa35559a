//! Great numbers: test ids, sites, files.

use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::signal::Signal;
use sidecar_tests::node::program::{Target, provider};
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, command, until};

use crate::basics::{balance, wait_until_found};

const ALL: &str = "sampling: {enabled: false}\n";

/// Test ids are in events and nowhere else: neither memory nor metrics grow with them.
pub(crate) fn test_ids() -> Result<()> {
    const TESTS: u64 = 100_000;
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let agent = Agent::start(&scratch.config(&format!("{ALL}{}", target.probes()))?)?;
    wait_until_found(&agent, &target)?;
    target.run(&["tests 0 1000 0"])?;
    let (before, series) = (agent.rss()?, agent.metrics()?.series(target.provider()));
    for from in (1000..TESTS).step_by(1000) {
        target.run(&[&format!("tests {from} 1000 0")])?;
    }
    let metrics = until("all tests", || {
        let metrics = agent.metrics()?;
        let (hits, kept) = balance(&metrics, target.provider(), "end");
        assert!(hits <= TESTS);
        let read = metrics.count("sidecar_records_received_total", &[]);
        Ok((hits == TESTS && read >= kept).then_some(metrics))
    })?;
    assert_eq!(metrics.series(target.provider()), series, "a series for test ids?");
    assert_eq!(metrics.series("test::"), 0, "a test id is no label");
    let after = agent.rss()?;
    println!("{} MB before, {} MB after", before >> 20, after >> 20);
    assert!(after < before + (24 << 20), "{before} {after}");
    agent.finish()?;
    Ok(())
}

/// Only guards against the minutes of another way of attaching: the exact figures belong to the benchmark. A site that a
/// process has run over costs some 55 us in each such process, because the kernel has rewritten its 5-byte nop.
const GENEROUS: Duration = Duration::from_secs(20);

/// How long the semaphores take to fall and the sites to be free after the agent is told to end.
fn ten_thousand_sites(signal: Signal) -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::with(&scratch.path("target"), &provider(), &["-DMANY=10000"])?;
    let agent = Agent::start(&scratch.config(&format!("sampling: {{events: 0}}\n{}", target.probes()))?)?;
    let mut running = target.start()?;
    agent.wait_for_log("sites: 10004")?;
    running.run(&["many"])?;
    let metrics = agent.metrics()?;
    assert_eq!(balance(&metrics, target.provider(), "many").0, 10_000);
    let start = Instant::now();
    let (status, log) = agent.stop(signal)?;
    let took = start.elapsed();
    println!("{signal}: ended after {took:?}");
    assert_eq!(status.success(), signal == Signal::SIGTERM, "{log}");
    assert_eq!(running.ask("semaphores")?, "0 0 0");
    assert!(took < GENEROUS, "{took:?}");
    running.run(&["many", "hit 1", "tests 0 1 1"])?;
    running.finish()
}

pub(crate) fn sites_let_go() -> Result<()> {
    ten_thousand_sites(Signal::SIGTERM)
}

pub(crate) fn sites_killed() -> Result<()> {
    ten_thousand_sites(Signal::SIGKILL)
}

/// SIGTERM while many files are still to be attached to: it ends in good order, and does not finish the work first.
pub(crate) fn terminated_while_attaching() -> Result<()> {
    let scratch = Scratch::new()?;
    std::fs::create_dir(scratch.path("bin"))?;
    let target = Target::with(&scratch.path("bin/0"), &provider(), &["-DMANY=2000"])?;
    for i in 1..400 {
        std::fs::copy(target.path(), scratch.path(&format!("bin/{i}")))?;
    }
    let files = format!("discovery: {{files: ['{}/*']}}\n", scratch.path("bin").display());
    let mut running = target.start()?;
    let agent =
        Agent::spawn(&mut command(Some(&scratch.config(&format!("{ALL}{files}{}", target.probes()))?))?)?;
    until("the first attachment", || Ok(agent.log().contains("attached to").then_some(())))?;
    assert_eq!(agent.get("/readyz")?.status, 503, "it is still at it");
    assert_eq!(agent.get("/livez")?.status, 200);
    let log = agent.finish()?;
    assert!(log.contains("SIGTERM") && !log.contains("; ready"), "{log}");
    assert_eq!(running.ask("semaphores")?, "0 0 0");
    running.finish()
}

/// Images beyond the room for specs are refused with the reason, once in the log, and health tells.
pub(crate) fn specs_used_up() -> Result<()> {
    let scratch = Scratch::new()?;
    std::fs::create_dir(scratch.path("bin"))?;
    let target = Target::compile(&scratch.path("bin/0"))?;
    for i in 1..20 {
        std::fs::copy(target.path(), scratch.path(&format!("bin/{i}")))?;
    }
    let section = format!(
        "{ALL}discovery: {{files: ['{}/*'], max_specs: 64, exec: false}}\n{}",
        scratch.path("bin").display(),
        target.probes()
    );
    let agent = Agent::start(&scratch.config(&section)?)?;
    let metrics = agent.metrics()?;
    // Five specs each: twelve files fit.
    assert_eq!(metrics.count("sidecar_attached_images", &[]), 12);
    assert_eq!(metrics.count("sidecar_attach_refusals_total", &[("reason", "full")]), 8);
    let log = agent.log();
    assert_eq!(log.matches("(full)").count(), 1, "told once: {log}");
    assert!(log.contains("discovery.max_specs"), "{log}");
    let health = agent.health()?;
    assert_eq!(health["components"]["attachments"]["status"], "degraded", "{health}");
    agent.finish()?;
    Ok(())
}
