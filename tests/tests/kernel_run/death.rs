//! kill -9: what was observed goes on unharmed, and the next agent starts as if nothing had been.

use anyhow::Result;
use nix::sys::signal::Signal;
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::{balance, hits, wait_until_found};

pub(crate) fn killed_and_restarted() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let config = scratch.config(&format!("sampling: {{enabled: false}}\n{}", target.probes()))?;
    let mut running = target.start()?;
    for round in 0..5 {
        let agent = Agent::start(&config)?;
        if round == 0 {
            wait_until_found(&agent, &target)?;
        }
        assert_eq!(running.ask("semaphores")?, "1 1 1", "round {round}: {}", agent.log());
        running.send("hit 100000")?;
        until("hits", || Ok((hits(&agent, target.provider(), "hit")? > 100).then_some(())))?;
        agent.stop(Signal::SIGKILL)?;
        running.run(&["tests 0 10 0"])?;
        assert_eq!(running.ask("semaphores")?, "0 0 0", "round {round}");
    }
    running.finish()
}

/// An agent that is stopped (as by a debugger) holds up nobody; when it goes on it tells what it missed.
pub(crate) fn stopped_and_continued() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let config = scratch.config(&format!(
        "sampling: {{enabled: false}}\ndiscovery: {{ring_bytes: 65536}}\n{}",
        target.probes()
    ))?;
    let agent = Agent::start(&config)?;
    wait_until_found(&agent, &target)?;
    agent.signal(Signal::SIGSTOP)?;
    target.run(&["hit 5000"])?;
    agent.signal(Signal::SIGCONT)?;
    let metrics = agent.metrics()?;
    let (hits, kept) = balance(&metrics, target.provider(), "hit");
    assert_eq!(hits, 5000);
    assert!(kept > 0 && kept < 5000, "a ring of 64 KiB holds fewer: {kept}");
    scratch.wait_for_events_of(&agent, target.provider(), usize::try_from(kept)?)?;
    until("health tells of the loss", || {
        let health = agent.health()?;
        Ok((health["components"]["ring"]["status"] == "degraded").then_some(()))
    })?;
    agent.finish()?;
    Ok(())
}
