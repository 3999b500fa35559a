//! An agent whose clock is not that of the kernel programs: in a time namespace, as of a restored container, its
//! CLOCK_MONOTONIC is days ahead. Events keep their time, boosts end when they should, and it measures itself.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use sidecar_agent::event::rfc3339;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, command, until};

use crate::basics::{balance, wait_until_found};

/// How far its clock is ahead, in seconds.
const AHEAD: &str = "1000000";
/// No test takes so long, and [`AHEAD`] is much more.
const HOUR: Duration = Duration::from_secs(3600);

pub(crate) fn ahead() -> Result<()> {
    if !Path::new("/proc/self/ns/time").exists() {
        println!("SKIPPED an_agent_whose_clock_is_days_ahead_keeps_time: this kernel has no time namespaces");
        return Ok(());
    }
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let control = Control::of(&scratch);
    let sampling =
        "sampling: {events: 0.001, test_events: 0.1, adaptive: {boost_factor: 10, boost_duration: 300}}\n";
    let config = scratch.config(&format!("{}{sampling}{}", section(&scratch), target.probes()))?;
    let plain = command(Some(&config))?;
    let mut inside = Command::new("unshare");
    inside.args(["--time", "--monotonic", AHEAD]).arg(plain.get_program()).args(plain.get_args());
    inside.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    inside.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let agent = Agent::spawn(&mut inside)?.ready()?;
    wait_until_found(&agent, &target)?;

    // The kernel decides on a boost, and the agent says until when it lasts.
    let utc = || -> Result<i64> {
        Ok(i64::try_from(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_nanos())?)
    };
    let hour = i64::try_from(HOUR.as_nanos())?;
    let (past, future) = (rfc3339(utc()? - hour), rfc3339(utc()? + hour));
    target.run(&["tests 0 5 1"])?;
    let state = control.get("/api/v1/sampling")?["signals"]["test_events"].clone();
    assert_eq!((&state["has_boost"], &state["effective_rate"]), (&true.into(), &1.0.into()), "{state}");
    assert!(state["boost_remaining_seconds"].as_f64().is_some_and(|left| left <= 300.0), "{state}");
    let ends = state["boosted_until"].as_str().context("when it ends")?;
    assert!(past.as_str() < ends && ends < future.as_str(), "{past} < {ends} < {future}");
    for event in scratch.wait_for_events_of(&agent, target.provider(), 10)? {
        let at = event["timestamp"].as_str().context("a time")?;
        assert!(past.as_str() < at && at < future.as_str(), "{past} < {at} < {future}");
    }

    // A boost on request ends in the kernel as well.
    let boost = r#"{"factor": 1000, "duration_sec": 0.5}"#;
    control.json("POST", "/api/v1/sampling/events/boost", boost)?;
    until("the boost ends", || {
        let state = control.get("/api/v1/sampling")?["signals"]["events"].clone();
        ensure!(state["has_boost"] == false, "{state}");
        Ok(Some(()))
    })?;
    let kept = || Ok::<_, anyhow::Error>(balance(&agent.metrics()?, target.provider(), "hit").1);
    let before = kept()?;
    target.run(&["hit 1000"])?;
    let after = kept()?;
    assert!(after - before < 500, "{before} kept before 1000 hits at a rate of 0.001, {after} after");

    until("it has measured itself", || {
        let profile = control.get("/api/v1/profile")?;
        ensure!(profile["current"]["memory_bytes"].as_u64().is_some_and(|bytes| bytes > 0), "{profile}");
        Ok(Some(()))
    })?;
    agent.finish()?;
    Ok(())
}
