//! Many processes and many images, one after the other: nothing is left of those that are gone. And more images than
//! there are descriptors.

use std::fs;

use anyhow::Result;
use sidecar_tests::churn;
use sidecar_tests::node::program::{Target, provider};
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, command, until};

use crate::basics::balance;

/// So many that a leak of one descriptor, entry or kilobyte each shows, in some 20 s of a busy machine.
const PROCESSES: u64 = 3_000;
const IMAGES: usize = 150;
const ROUNDS: u64 = 2;

/// Short processes, and images that are made, run and deleted: descriptors, sites, specs and memory come back to what
/// they were, and every hit is counted.
pub(crate) fn comes_and_goes() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    fs::create_dir(scratch.path("bin"))?;
    churn::nothing(&scratch.path("nothing"))?;
    let target = Target::with(&scratch.path("target"), &provider, &["-static"])?;
    let section = format!(
        "sampling: {{enabled: false}}\ndiscovery: {{files: ['{}/*'], max_specs: 1000}}\n{}",
        scratch.path("bin").display(),
        target.probes()
    );
    let agent = Agent::start(&scratch.config(&section)?)?;
    let before = churn::descriptors(agent.pid())?;
    let mut memory = Vec::new();
    for round in 1..=ROUNDS {
        assert_eq!(churn::processes(&scratch.path("nothing"), PROCESSES / ROUNDS, 4)?, PROCESSES / ROUNDS);
        let copies = churn::copies(target.path(), &scratch.path("bin"), IMAGES)?;
        let last = copies.last().map(|path| path.display().to_string()).unwrap_or_default();
        until("every image is attached", || {
            Ok((agent.log().matches(&format!("attached to {last} ")).count() as u64 == round).then_some(()))
        })?;
        for copy in &copies {
            let status = std::process::Command::new(copy).arg("hit 2").status()?;
            assert!(status.success(), "{status}");
        }
        for copy in &copies {
            fs::remove_file(copy)?;
        }
        let expected = round * 2 * IMAGES as u64;
        let hits = until("every hit is counted", || {
            let hits = balance(&agent.metrics()?, &provider, "hit").0;
            Ok((hits >= expected).then_some(hits))
        })?;
        assert_eq!(hits, expected);
        until("every image is let go", || {
            let gone = agent.log().matches("let go of ").count();
            Ok((gone as u64 >= round * IMAGES as u64).then_some(()))
        })?;
        memory.push(agent.rss()?);
    }
    until("the descriptors are given back", || {
        let now = churn::descriptors(agent.pid())?;
        // Other tests' programs may have been attached to meanwhile, one descriptor each.
        Ok((now < before + IMAGES / 4).then_some(()))
    })?;
    let (first, last) = (memory[0], *memory.last().unwrap_or(&0));
    assert!(last < first + (8 << 20), "{memory:?}");
    // Two rounds' specs, five an image, are more than there are: they were taken back.
    assert!(!agent.log().contains("(full)"), "{}", agent.log());
    let events = 2 * IMAGES * ROUNDS as usize;
    scratch.wait_for_events_of(&agent, &provider, events)?;
    let metrics = agent.metrics()?;
    assert_eq!(metrics.count("sidecar_decode_errors_total", &[]), 0);
    agent.finish()?;
    Ok(())
}

/// More images than descriptors: those that fit are watched, the others are told, and the agent still answers. When some
/// are gone, others find room.
pub(crate) fn descriptors_used_up() -> Result<()> {
    let scratch = Scratch::new()?;
    let provider = provider();
    fs::create_dir(scratch.path("bin"))?;
    let target = Target::with(&scratch.path("target"), &provider, &[])?;
    let copies = churn::copies(target.path(), &scratch.path("bin"), 120)?;
    let section = format!(
        "sampling: {{enabled: false}}\ndiscovery: {{exec: false, files: ['{}/*']}}\n{}",
        scratch.path("bin").display(),
        target.probes()
    );
    let plain = command(Some(&scratch.config(&section)?))?;
    let mut limited = std::process::Command::new("prlimit");
    limited.arg("--nofile=120:120").arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    limited.stderr(std::process::Stdio::piped());
    let agent = Agent::spawn(&mut limited)?.ready()?;
    let metrics = agent.metrics()?;
    let attached = metrics.count("sidecar_attached_images", &[]);
    let refused = metrics.count("sidecar_attach_refusals_total", &[("reason", "full")]);
    assert!((10..110).contains(&attached), "{attached}\n{}", agent.log());
    assert_eq!(attached + refused, 120, "{}", agent.log());
    assert_eq!(agent.log().matches("(full): it needs 2 descriptors").count(), 1, "{}", agent.log());
    assert_eq!(agent.health()?["components"]["attachments"]["status"], "degraded");
    assert!(churn::descriptors(agent.pid())? < 120);
    // Each that is watched counts, none of the others does, and none fails.
    for copy in &copies {
        let status = std::process::Command::new(copy).arg("hit 1").status()?;
        assert!(status.success(), "{status}");
    }
    scratch.wait_for_events_of(&agent, &provider, usize::try_from(attached)?)?;
    for copy in &copies {
        fs::remove_file(copy)?;
    }
    agent.wait_for_log("let go of ")?;
    let again = Target::with(&scratch.path("bin/again"), &provider, &["-DMANY=2"])?;
    until("there is room again", || {
        fs::rename(again.path(), scratch.path("away"))?;
        fs::rename(scratch.path("away"), again.path())?;
        Ok(agent.log().contains(&format!("attached to {}", again.path().display())).then_some(()))
    })?;
    agent.finish()?;
    Ok(())
}
