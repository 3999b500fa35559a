//! Rates, boosts and anomalies, as the library changes them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use sidecar_agent::{config::Config, runtime::Sampler};
use sidecar_tests::node::until;

use crate::watching::{Got, all, id, started};

fn effective(sampler: &Sampler) -> f64 {
    sampler.get_stats().signals["events"].effective_rate
}

pub(crate) fn set() -> Result<()> {
    let runtime = started(all())?;
    let sampler = runtime.sampler().context("it does not run")?;
    let test = id("set");
    let got = Got::of(&runtime, "checkpoint", &test)?;
    ensure!(sampler.set_rate("events", 0.0).is_ok_and(|state| state.effective_rate == 0.0));
    for _ in 0..20 {
        runtime.observe("checkpoint", &json!({"test_id": test, "kept": false}));
    }
    ensure!(sampler.set_rate("events", 1.0).is_ok_and(|state| state.effective_rate == 1.0));
    runtime.observe("checkpoint", &json!({"test_id": test, "kept": true}));
    // Records come in order: with the last one here, none of those before it can come.
    until("the event at rate 1", || Ok((got.count() > 0).then_some(())))?;
    let kept: Vec<_> = got.events().iter().map(|event| event.data.get("kept").cloned()).collect();
    ensure!(kept == [Some(json!(true))], "{kept:?}");
    let state = &sampler.get_stats().signals["events"];
    ensure!(state.dropped_signals >= 20 && state.sampled_signals >= 1, "{state:?}");
    ensure!(sampler.set_rate("nobody", 1.0).is_err() && sampler.set_rate("events", 7.0).is_err());
    ensure!(effective(&sampler) == 1.0);
    Ok(())
}

pub(crate) fn boosted() -> Result<()> {
    let runtime = started(Config::default())?;
    let sampler = runtime.sampler().context("it does not run")?;
    ensure!(effective(&sampler) == 0.1);
    let hour = Duration::from_secs(3600);
    let state = sampler.boost("events", 4.0, hour).map_err(|refused| anyhow::anyhow!("{refused:?}"))?;
    ensure!(state.has_boost && (state.effective_rate - 0.4).abs() < 1e-6, "{state:?}");
    ensure!(sampler.boost("events", 0.0, hour).is_err());
    ensure!(sampler.clear_anomalies("events").is_ok_and(|state| !state.has_boost));
    ensure!(effective(&sampler) == 0.1);
    Ok(())
}

pub(crate) fn anomalies() -> Result<()> {
    let runtime = started(Config::default())?;
    let sampler = runtime.sampler().context("it does not run")?;
    let mut boosts = Vec::new();
    for _ in 0..5 {
        let boost = sampler.report_anomaly("events", "slow");
        boosts.push(boost.map_err(|refused| anyhow::anyhow!("{refused:?}"))?);
    }
    ensure!(boosts == [false, false, false, false, true], "{boosts:?}");
    ensure!((effective(&sampler) - 0.5).abs() < 1e-6, "{}", effective(&sampler));
    ensure!(sampler.clear_anomalies("events").is_ok_and(|state| !state.has_boost));
    Ok(())
}
