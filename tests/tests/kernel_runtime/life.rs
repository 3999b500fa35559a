//! Start, stop, and what happens outside of both.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use sidecar_agent::{
    health::Level,
    runtime::{RuntimeError, SidecarRuntime},
};
use sidecar_markers::{Marker, enabled};

use crate::watching::{Got, all, id, started};

pub(crate) fn twice() -> Result<()> {
    let mut runtime = SidecarRuntime::new(all());
    ensure!(runtime.get_health().status == Level::Unhealthy && runtime.stop().is_none());
    ensure!(runtime.sampler().is_none() && runtime.get_metrics().is_empty());
    ensure!(runtime.register_handler("test_end", |_| ()).is_err() && runtime.reload_config().is_err());
    runtime.start()?;
    ensure!(matches!(runtime.start(), Err(RuntimeError::Running)));
    ensure!(runtime.stop().is_some() && runtime.stop().is_none());
    runtime.start()?;
    ensure!(runtime.observe("test_start", &json!({"test_id": id("twice")})));
    Ok(())
}

pub(crate) fn drained() -> Result<()> {
    let mut runtime = started(all())?;
    let test = id("drained");
    let got = Got::of(&runtime, "test_end", &test)?;
    for _ in 0..500 {
        runtime.observe("test_end", &json!({"test_id": test, "status": "passed"}));
    }
    let totals = runtime.stop().context("nothing was watched")?;
    ensure!(got.count() == 500, "{} of 500, {totals:?}", got.count());
    ensure!(totals.counters.hits >= 500 && totals.counters.lost == 0, "{totals:?}");
    Ok(())
}

pub(crate) fn dropped() -> Result<()> {
    let runtime = started(all())?;
    ensure!(runtime.observe("test_start", &json!({"test_id": id("dropped")})));
    drop(runtime);
    // A probe of another agent on this machine may hold the marker up: then this can't be seen here.
    let again = started(all())?;
    ensure!(enabled(Marker::TestStart) && again.observer().is_some());
    Ok(())
}
