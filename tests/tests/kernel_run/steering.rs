//! A running agent is steered: rates, boosts, reloads and the kill switch, without a restart.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::Value;
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, events, until};

use crate::basics::{hits, wait_until_found};

/// Events of the target's own markers so far.
fn own(sink: &Path, target: &Target) -> Result<Vec<Value>> {
    Ok(events(sink)?.into_iter().filter(|event| event["provider"] == target.provider()).collect())
}

/// Waits until there are so many of them.
fn wait(scratch: &Scratch, agent: &Agent, target: &Target, count: usize) -> Result<Vec<Value>> {
    until(&format!("{count} events"), || {
        let found = own(&scratch.sink(), target)?;
        ensure!(found.len() >= count, "{} of {count} events", found.len());
        Ok(Some(found))
    })
    .with_context(|| agent.log())
}

/// An answer of the API's reading verbs.
fn api(agent: &Agent, what: &str) -> Result<Value> {
    let answer = agent.get(&format!("/api/v1/{what}"))?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(serde_json::from_str(&answer.body)?)
}

fn config(scratch: &Scratch, target: &Target, lines: &str) -> Result<std::path::PathBuf> {
    let socket = scratch.path("run/s.sock");
    let http = format!("http: {{socket: {}}}", socket.display());
    scratch.config(&format!("{http}\nhealth_checks: {{interval_sec: 1}}\n{lines}\n{}", target.probes()))
}

/// At a tenth, with failures among the tests: every failure is whole, and so is every other test that is kept.
pub(crate) fn whole_tests() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let lines = "sampling: {test_events: 0.1, adaptive: false}";
    let agent = Agent::start(&config(&scratch, &target, lines)?)?;
    wait_until_found(&agent, &target)?;
    target.run(&["tests 0 1000 0", "tests 1000 25 1", "tests 2000 1000 0", "tests 3000 25 1"])?;
    let balance = until("the accounts balance", || {
        let balance = api(&agent, "stats")?["balance"].clone();
        ensure!(
            balance["not_yet_read"] == 0 && balance["queued"] == 0 && balance["balanced"] == true,
            "{balance}"
        );
        Ok(Some(balance))
    })?;
    ensure!(balance["recalled"].as_u64() >= Some(1), "starts of failures are sent after all: {balance}");
    let mut found = wait(&scratch, &agent, &target, 100)?;
    let hit = hits(&agent, target.provider(), "end")?;
    ensure!(hit == 2050, "{hit} exact");
    agent.finish()?;
    found = own(&scratch.sink(), &target).unwrap_or(found);
    let ids = |suffix: &str| -> Vec<String> {
        let of = |event: &&Value| event["event_type"] == format!("{}_{suffix}", target.provider());
        found.iter().filter(of).filter_map(|event| Some(event["test_id"].as_str()?.to_owned())).collect()
    };
    let (starts, ends) = (ids("start"), ids("end"));
    let (first, last): (BTreeSet<_>, BTreeSet<_>) = (starts.iter().collect(), ends.iter().collect());
    ensure!((starts.len(), ends.len()) == (first.len(), last.len()), "nothing comes twice");
    ensure!(first == last, "whole tests only: {:?}", first.symmetric_difference(&last));
    for i in (1000..1025).chain(3000..3025) {
        ensure!(last.contains(&format!("test::{i}")), "the failure test::{i} is missing");
    }
    // 2,000 at a tenth: the deviation is 13.
    ensure!((130..=350).contains(&last.len()), "{}", last.len());
    Ok(())
}

/// SIGHUP and a change of the file are taken over; what is wrong, or can't change live, is refused as a whole.
pub(crate) fn reload() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let rate =
        |rate: &str| format!("reload: {{watch: false}}\nsampling: {{test_events: {rate}, adaptive: false}}");
    let agent = Agent::start(&config(&scratch, &target, &rate("0"))?)?;
    wait_until_found(&agent, &target)?;
    target.run(&["tests 0 50 0"])?;

    config(&scratch, &target, &rate("1"))?;
    agent.signal(Signal::SIGHUP)?;
    agent.wait_for_log("changed: sampling.test_events")?;
    target.run(&["tests 100 50 0"])?;
    let found = wait(&scratch, &agent, &target, 100)?;
    ensure!(found.len() == 100, "{} events: nothing of before", found.len());

    for (lines, says) in [
        (rate("7"), "7"),
        (rate("1").replace("sampling", "smapling"), "smapling"),
        (format!("discovery: {{ring_bytes: 65536}}\n{}", rate("0")), "discovery.ring_bytes"),
    ] {
        config(&scratch, &target, &lines)?;
        agent.signal(Signal::SIGHUP)?;
        until("health tells", || {
            let component = agent.health()?["components"]["config"].clone();
            let message = component["message"].as_str().unwrap_or_default();
            ensure!(component["status"] == "degraded" && message.contains(says), "{component}");
            Ok(Some(()))
        })?;
    }
    target.run(&["tests 200 50 0"])?;
    wait(&scratch, &agent, &target, 200).context("the old rate stays")?;

    config(&scratch, &target, &rate("0").replace("watch: false", "watch: true"))?;
    agent.signal(Signal::SIGHUP)?;
    until("health is well again", || {
        ensure!(agent.health()?["components"]["config"]["status"] == "healthy", "{}", agent.log());
        Ok(Some(()))
    })?;
    let report = api(&agent, "config")?;
    assert_eq!((&report["reloads"], &report["reloads_refused"]), (&2.into(), &3.into()), "{report}");
    agent.finish()?;
    Ok(())
}

/// The file is watched: a change of it is a reload, also where it is replaced by another.
pub(crate) fn watched_file() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let path = config(&scratch, &target, "sampling: {events: 0.5}")?;
    let agent = Agent::start(&path)?;
    let configured = |agent: &Agent| -> Result<f64> {
        let sampling = api(agent, "sampling")?;
        sampling["signals"]["events"]["configured_rate"].as_f64().context("a rate")
    };
    let comes_to = |wanted: f64| {
        until("the new rate is in force", || Ok((configured(&agent)? == wanted).then_some(())))
            .with_context(|| agent.log())
    };
    comes_to(0.5)?;
    config(&scratch, &target, "sampling: {events: 0.25}")?;
    comes_to(0.25)?;
    let text = std::fs::read_to_string(&path)?.replace("events: 0.25", "events: 0.75");
    let other = scratch.path("other.yml");
    std::fs::write(&other, text)?;
    std::fs::rename(&other, &path)?;
    comes_to(0.75)?;
    agent.finish()?;
    Ok(())
}

/// `enabled: false` takes every probe off, health goes on answering, and true brings them back.
pub(crate) fn kill_switch() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let lines = |enabled: bool| format!("enabled: {enabled}\nsampling: {{enabled: false}}");
    let agent = Agent::start(&config(&scratch, &target, &lines(true))?)?;
    let mut running = target.start()?;
    agent.wait_for_log(&format!("attached to {}", target.path().display()))?;
    running.run(&["tests 0 5 0"])?;
    wait(&scratch, &agent, &target, 10)?;
    for round in 1..4_usize {
        config(&scratch, &target, &lines(false))?;
        agent.signal(Signal::SIGHUP)?;
        until("no probe is left", || {
            let listeners = running.ask("semaphores")?;
            ensure!(listeners == "0 0 0", "{listeners}");
            Ok(Some(()))
        })?;
        running.run(&["tests 100 5 0"])?;
        ensure!(agent.get("/livez")?.status == 200 && agent.get("/readyz")?.status == 200, "it answers");
        until("health says so", || {
            let kernel = agent.health()?["components"]["kernel_programs"].clone();
            ensure!(kernel["message"].as_str().is_some_and(|text| text.contains("enabled")), "{kernel}");
            Ok(Some(()))
        })?;
        config(&scratch, &target, &lines(true))?;
        agent.signal(Signal::SIGHUP)?;
        until("the probes are back", || {
            let listeners = running.ask("semaphores")?;
            ensure!(listeners.starts_with("1 1"), "{listeners}");
            Ok(Some(()))
        })?;
        running.run(&["tests 200 5 0"])?;
        let found = wait(&scratch, &agent, &target, 10 + 10 * round)?;
        ensure!(found.len() == 10 + 10 * round, "{} events", found.len());
        ensure!(hits(&agent, target.provider(), "end")? == 5 + 5 * round as u64, "counts are kept");
    }
    running.finish()?;
    agent.finish()?;
    Ok(())
}

/// Five failures boost their signal, and the API shows it.
pub(crate) fn boost() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let agent = Agent::start(&config(&scratch, &target, "sampling: {test_events: 0.1}")?)?;
    wait_until_found(&agent, &target)?;
    let signal = || -> Result<Value> { Ok(api(&agent, "sampling")?["signals"]["test_events"].clone()) };
    target.run(&["tests 0 4 1"])?;
    until("four anomalies", || Ok((signal()?["anomalies_in_window"] == 4).then_some(())))?;
    ensure!(signal()?["has_boost"] == false, "{}", signal()?);
    target.run(&["tests 10 1 1"])?;
    let boosted = until("a boost", || Ok(Some(signal()?).filter(|signal| signal["has_boost"] == true)))?;
    assert_eq!(
        (&boosted["effective_rate"], &boosted["boost_factor"]),
        (&0.5.into(), &5.0.into()),
        "{boosted}"
    );
    assert_eq!(boosted["configured_rate"], 0.1);
    agent.finish()?;
    Ok(())
}
