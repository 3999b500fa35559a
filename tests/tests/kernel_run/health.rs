//! Health of a running agent: `health_checks` does what it says, and a handler that fails restarts nobody.

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::wait_until_found;
use crate::verbs::ask;

const DAY: u64 = 86_400;

/// A handler that fails on each failed test's end.
fn text(scratch: &Scratch, target: &Target, health_checks: &str) -> String {
    let end = format!("{}_end", target.provider());
    format!(
        "{}sampling: {{enabled: false}}\nhealth_checks: {health_checks}\nhandlers:\n- {{name: fails, type: command, events: \
         [{end}], when: {{status: [failed]}}, command: [/bin/false]}}\n{}",
        section(scratch),
        target.probes()
    )
}

fn component(agent: &Agent, name: &str) -> Result<Value> {
    Ok(agent.health()?["components"][name].clone())
}

/// Waits until the handler has failed so often.
fn wait_for_failures(agent: &Agent, count: u64) -> Result<()> {
    until(&format!("{count} failures"), || {
        let metrics = agent.metrics()?;
        let found = metrics.count("sidecar_handler_consecutive_failures", &[("handler", "fails")]);
        ensure!(found == count, "{found}\n{}", agent.log());
        Ok(Some(()))
    })
}

/// Waits until a check has seen so many failures; the component then.
fn wait_for_check(agent: &Agent, count: u64) -> Result<Value> {
    until(&format!("a check sees {count} failures"), || {
        let found = component(agent, "handler_fails")?;
        ensure!(found["consecutive_failures"] == count, "{found}");
        Ok(Some(found))
    })
}

pub(crate) fn threshold() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let config = scratch.config(&text(&scratch, &target, "{interval_sec: 1, failure_threshold: 2}"))?;
    let agent = Agent::start(&config)?;
    wait_until_found(&agent, &target)?;
    target.run(&["tests 0 1 1"])?;
    wait_for_failures(&agent, 1)?;
    assert_eq!(wait_for_check(&agent, 1)?["status"], "healthy", "one is not two");
    target.run(&["tests 1 1 1"])?;
    wait_for_failures(&agent, 2)?;
    let found = wait_for_check(&agent, 2)?;
    assert_eq!(found["status"], "degraded", "{found}");
    assert!(
        found["message"].as_str().is_some_and(|message| message.contains("2 failures in a row")),
        "{found}"
    );
    // A working agent is not to be restarted for it.
    target.run(&["tests 2 8 1"])?;
    wait_for_failures(&agent, 10)?;
    wait_for_check(&agent, 10)?;
    assert_eq!(agent.get("/health")?.status, 200);
    assert_eq!(agent.get("/livez")?.status, 200);
    assert_eq!(agent.get("/readyz")?.status, 200);
    for verb in ["health", "status"] {
        let (code, said) = ask(verb, &control)?;
        assert_eq!(code, Some(1), "{verb}: {said}");
        assert!(said.contains("10 failures in a row"), "{verb}: {said}");
    }
    // Another threshold is in force at once.
    scratch.config(&text(&scratch, &target, "{interval_sec: 1, failure_threshold: 11}"))?;
    control.json("POST", "/api/v1/config/reload", "")?;
    let found = component(&agent, "handler_fails")?;
    let message = found["message"].as_str().unwrap_or_default();
    assert!(!message.contains("in a row"), "{found}");
    assert!(message.contains("failed on more than 10 %"), "ten of ten are a large share: {found}");
    agent.finish()?;
    Ok(())
}

/// With a day between checks nothing new is told; with a second it is, by itself.
pub(crate) fn interval() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let of = |seconds: u64| text(&scratch, &target, &format!("{{interval_sec: {seconds}}}"));
    let agent = Agent::start(&scratch.config(&of(DAY))?)?;
    wait_until_found(&agent, &target)?;
    target.run(&["tests 0 3 1"])?;
    wait_for_failures(&agent, 3)?;
    let found = component(&agent, "handler_fails")?;
    assert_eq!((&found["status"], &found["failed"]), (&"healthy".into(), &0.into()), "as of the start");
    scratch.config(&of(1))?;
    agent.signal(Signal::SIGHUP)?;
    assert_eq!(wait_for_check(&agent, 3)?["status"], "degraded");
    // The reload checked; what comes now only the interval can tell.
    target.run(&["tests 3 1 1"])?;
    wait_for_check(&agent, 4)?;
    agent.finish()?;
    Ok(())
}

/// Nothing that was true once is told as if it were still.
pub(crate) fn switched_off() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let of = |enabled: bool| text(&scratch, &target, &format!("{{enabled: {enabled}, interval_sec: 1}}"));
    let agent = Agent::start(&scratch.config(&of(true))?)?;
    wait_until_found(&agent, &target)?;
    target.run(&["tests 0 3 1"])?;
    wait_for_failures(&agent, 3)?;
    assert_eq!(wait_for_check(&agent, 3)?["status"], "degraded");
    scratch.config(&of(false))?;
    agent.signal(Signal::SIGHUP)?;
    let health = until("only what is known without checks is told", || {
        let health = agent.health()?;
        let names: Vec<&str> =
            health["components"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect();
        ensure!(names == ["data_path", "kernel"], "{names:?}");
        Ok(Some(health))
    })?;
    assert_eq!(health["status"], "healthy", "{health}");
    scratch.config(&of(true))?;
    control.json("POST", "/api/v1/config/reload", "")?;
    assert_eq!(component(&agent, "handler_fails")?["status"], "degraded");
    agent.finish()?;
    Ok(())
}
