//! Rates and boosts by the control API and by failing tests.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::{balance, wait_until_found};

fn begin(scratch: &Scratch, target: &Target) -> Result<(Agent, Control)> {
    let sampling =
        "sampling: {events: 0, test_events: 0.1, adaptive: {boost_factor: 10, boost_duration: 300}}";
    let agent =
        Agent::start(&scratch.config(&format!("{}{sampling}\n{}", section(scratch), target.probes()))?)?;
    wait_until_found(&agent, target)?;
    Ok((agent, Control::of(scratch)))
}

fn signal(control: &Control, name: &str) -> Result<Value> {
    Ok(control.get("/api/v1/sampling")?["signals"][name].clone())
}

pub(crate) fn by_request() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let (agent, control) = begin(&scratch, &target)?;
    let kept = || Ok::<_, anyhow::Error>(balance(&agent.metrics()?, target.provider(), "hit").1);
    target.run(&["hit 100"])?;
    assert_eq!(kept()?, 0);
    let state = control.json("PUT", "/api/v1/sampling/events", r#"{"rate": 1}"#)?;
    assert_eq!(state["configured_rate"], 1.0, "{state}");
    target.run(&["hit 100"])?;
    assert_eq!(kept()?, 100);
    control.json("PUT", "/api/v1/sampling/events", r#"{"rate": 0.5}"#)?;
    let state =
        control.json("POST", "/api/v1/sampling/events/boost", r#"{"factor": 2, "duration_sec": 300}"#)?;
    assert_eq!((&state["has_boost"], &state["effective_rate"]), (&true.into(), &1.0.into()), "{state}");
    target.run(&["hit 100"])?;
    assert_eq!(kept()?, 200);
    let state = control.json("DELETE", "/api/v1/sampling/events/boost", "")?;
    assert_eq!((&state["has_boost"], &state["effective_rate"]), (&false.into(), &0.5.into()), "{state}");
    control.json("PUT", "/api/v1/sampling/events", r#"{"rate": 0}"#)?;
    target.run(&["hit 100"])?;
    assert_eq!(kept()?, 200);
    for (method, path, body) in [
        ("PUT", "/api/v1/sampling/events", r#"{"rate": 7}"#),
        ("PUT", "/api/v1/sampling/events", r#"{"rate": -1}"#),
        ("PUT", "/api/v1/sampling/events", "{"),
        ("PUT", "/api/v1/sampling/evnets", r#"{"rate": 1}"#),
        ("POST", "/api/v1/sampling/events/boost", r#"{"factor": 0, "duration_sec": 1}"#),
        ("POST", "/api/v1/sampling/events/boost", r#"{"factor": 2, "duration_sec": 1e300}"#),
        ("POST", "/api/v1/anomalies", r#"{"signal": "nobody", "kind": "x"}"#),
        ("POST", "/api/v1/anomalies", r#"{"signal": "events", "kind": "a b\n"}"#),
    ] {
        let answer = control.ask(method, path, body)?;
        assert!((400..500).contains(&answer.status), "{method} {path} {body}: {answer:?}");
    }
    assert_eq!(signal(&control, "events")?["configured_rate"], 0.0);
    agent.finish()?;
    Ok(())
}

/// Four anomalies of tests are seen, and boost nothing.
fn four_are_too_few(control: &Control) -> Result<()> {
    let state = signal(control, "test_events")?;
    assert_eq!((&state["has_boost"], &state["anomalies_in_window"]), (&false.into(), &4.into()), "{state}");
    Ok(())
}

/// Waits until no boost of tests is on, and their rate is the configured one again.
fn wait_for_the_end(control: &Control) -> Result<()> {
    until("the boost is gone", || {
        let state = signal(control, "test_events")?;
        ensure!(state["has_boost"] == false && state["effective_rate"] == 0.1, "{state}");
        Ok(Some(()))
    })
}

pub(crate) fn by_failures() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let (agent, control) = begin(&scratch, &target)?;
    target.run(&["tests 0 4 1"])?;
    four_are_too_few(&control)?;
    target.run(&["tests 4 1 1"])?;
    let state = signal(&control, "test_events")?;
    assert_eq!((&state["has_boost"], &state["effective_rate"]), (&true.into(), &1.0.into()), "{state}");
    assert_eq!((&state["configured_rate"], &state["boosts"]), (&0.1.into(), &1.into()), "{state}");
    // From the next test on, everything is kept: 5 failures and 50 that pass, each with its start.
    target.run(&["tests 100 50 0"])?;
    scratch.wait_for_events_of(&agent, target.provider(), 110)?;
    agent.finish()?;
    Ok(())
}

pub(crate) fn by_slow_tests() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let sampling = "sampling: {test_events: 0.1, adaptive: {boost_duration: 2}}";
    let config = scratch.config(&format!("{}{sampling}\n{}", section(&scratch), target.probes()))?;
    let agent = Agent::start(&config)?;
    wait_until_found(&agent, &target)?;
    // A test's duration is its number, in microseconds: some 10 ms each, of which none is slow.
    target.run(&["tests 10000 500 0"])?;
    assert_eq!(signal(&control, "test_events")?["anomalies_in_window"], 0);
    let limit = until("a limit is learnt", || {
        let probes = control.get("/api/v1/probes")?["probes"].clone();
        let mut own =
            probes.as_array().context("a list")?.iter().filter(|p| p["provider"] == target.provider());
        Ok(own.find_map(|probe| probe["slow_limit_seconds"].as_f64()))
    })?;
    assert!((0.02..0.5).contains(&limit), "{limit}");
    // A second each.
    target.run(&["tests 1000000 4 0"])?;
    four_are_too_few(&control)?;
    target.run(&["tests 1000004 1 0"])?;
    let state = signal(&control, "test_events")?;
    assert_eq!((&state["has_boost"], &state["boosts"]), (&true.into(), &1.into()), "{state}");
    wait_for_the_end(&control)?;
    agent.finish()?;
    Ok(())
}

pub(crate) fn by_reports() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let (agent, control) = begin(&scratch, &target)?;
    for i in 1..=5 {
        let answer =
            control.json("POST", "/api/v1/anomalies", r#"{"signal": "test_events", "kind": "by_hand"}"#)?;
        assert_eq!(
            (&answer["anomalies_in_window"], &answer["has_boost"]),
            (&i.into(), &(i == 5).into()),
            "{answer}"
        );
    }
    target.run(&["tests 0 50 0"])?;
    scratch.wait_for_events_of(&agent, target.provider(), 100)?;
    control.json("DELETE", "/api/v1/sampling/test_events/boost", "")?;
    wait_for_the_end(&control)?;
    agent.finish()?;
    Ok(())
}
