//! The kill switch: `enabled` takes every probe off and puts it on again while the agent runs.

use std::time::Instant;

use anyhow::{Result, ensure};
use sidecar_tests::kernel::program::Running;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::{balance, wait_until_found};

fn text(scratch: &Scratch, target: &Target, enabled: bool) -> String {
    format!("{}enabled: {enabled}\nsampling: {{enabled: false}}\n{}", section(scratch), target.probes())
}

fn wait_for_semaphores(agent: &Agent, running: &mut Running, wanted: &str) -> Result<()> {
    until(&format!("semaphores {wanted}"), || {
        let found = running.ask("semaphores")?;
        ensure!(found == wanted, "{found}\n{}", agent.log());
        Ok(Some(()))
    })
}

/// Switches by a reload and waits until the running program feels it.
fn switch(scratch: &Scratch, target: &Target, agent: &Agent, running: &mut Running, on: bool) -> Result<()> {
    scratch.config(&text(scratch, target, on))?;
    let begun = Instant::now();
    Control::of(scratch).json("POST", "/api/v1/config/reload", "")?;
    wait_for_semaphores(agent, running, if on { "1 1 1" } else { "0 0 0" })?;
    println!("enabled: {on} after {:?}", begun.elapsed());
    Ok(())
}

pub(crate) fn off_and_on() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let agent = Agent::start(&scratch.config(&text(&scratch, &target, true))?)?;
    wait_until_found(&agent, &target)?;
    let mut running = target.start()?;
    wait_for_semaphores(&agent, &mut running, "1 1 1")?;
    let event_type = format!("{}_hit", target.provider());
    let mut hits = 0;
    for _ in 0..3 {
        running.run(&["hit 10"])?;
        hits += 10;
        switch(&scratch, &target, &agent, &mut running, false)?;
        running.run(&["hit 1000"])?;
        let health = agent.health()?;
        assert_eq!(health["components"]["kernel_programs"]["status"], "degraded", "{health}");
        assert_eq!(agent.get("/health")?.status, 200);
        assert_eq!(agent.get("/livez")?.status, 200);
        let counted = agent.metrics()?.count("sidecar_events_total", &[("event_type", &event_type)]);
        assert_eq!(counted, hits, "what was counted stays");
        switch(&scratch, &target, &agent, &mut running, true)?;
        let health = agent.health()?;
        assert_eq!(health["components"]["kernel_programs"]["status"], "healthy", "{health}");
    }
    running.run(&["hit 10"])?;
    hits += 10;
    scratch.wait_for_events_of(&agent, target.provider(), usize::try_from(hits)?)?;
    let metrics = agent.metrics()?;
    assert_eq!(balance(&metrics, target.provider(), "hit").1, hits);
    running.finish()?;
    agent.finish()?;
    Ok(())
}

pub(crate) fn off_at_start() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let mut running = target.start()?;
    let agent = Agent::start(&scratch.config(&text(&scratch, &target, false))?)?;
    assert_eq!(running.ask("semaphores")?, "0 0 0");
    running.run(&["hit 10"])?;
    switch(&scratch, &target, &agent, &mut running, true)?;
    running.run(&["hit 10"])?;
    scratch.wait_for_events_of(&agent, target.provider(), 10)?;
    let health = agent.health()?;
    for component in ["kernel", "kernel_programs"] {
        assert_eq!(health["components"][component]["status"], "healthy", "{component}: {health}");
    }
    running.finish()?;
    agent.finish()?;
    Ok(())
}
