//! Events on their way from a marker to handlers, metrics and health.

use anyhow::{Result, ensure};
use serde_json::json;
use sidecar_agent::{event::Event, health::Level};
use sidecar_tests::node::until;

use crate::watching::{Got, all, id, metric, started};

/// Of everything one for each test, and three failures.
pub(crate) fn each_once() -> Result<()> {
    let runtime = started(all())?;
    let test = id("each_once");
    let starts = Got::of(&runtime, "test_start", &test)?;
    let ends = Got::of(&runtime, "test_end", &test)?;
    let failures = Got::of(&runtime, "test_failure", &test)?;
    let customs = Got::of(&runtime, "checkpoint", &test)?;
    let run = format!("{test}_run");
    ensure!(
        runtime
            .observe("test_start", &json!({"test_id": test, "run_id": run, "suite": "login", "attempt": 2})),
        "nobody watches"
    );
    runtime.observe("checkpoint", &json!({"test_id": test, "page": "home", "depth": 3}));
    for number in 0..3 {
        let failure = json!({"test_id": test, "message": format!("failure {number}")});
        ensure!(runtime.observe("test_failure", &failure));
    }
    runtime.observe(
        "test_end",
        &json!({"test_id": test, "run_id": run, "status": "passed", "duration_ms": 12.5, "attempt": 2}),
    );
    let counts = || [starts.count(), customs.count(), failures.count(), ends.count()];
    until("each event", || Ok((counts() == [1, 1, 3, 1]).then_some(())))?;

    let start = &starts.events()[0];
    ensure!(start.suite.as_deref() == Some("login") && start.attempt == Some(2), "{start:?}");
    ensure!(start.run_id.as_ref() == Some(&run) && start.sample_rate == 1.0, "{start:?}");
    let custom = &customs.events()[0];
    ensure!(custom.data.get("page") == Some(&json!("home")), "{custom:?}");
    let messages: Vec<_> = failures.events().into_iter().filter_map(|event| event.message).collect();
    ensure!(messages == ["failure 0", "failure 1", "failure 2"], "{messages:?}");
    let end = &ends.events()[0];
    ensure!(end.status.is_some_and(|status| status.name() == "passed"), "{end:?}");
    ensure!(end.duration_ns == Some(12_500_000), "{end:?}");
    Ok(())
}

/// Others on this machine may fire as well, so counts are at least ours; the balance is exact.
pub(crate) fn counted() -> Result<()> {
    let runtime = started(all())?;
    let test = id("counted");
    let ends = Got::of(&runtime, "test_end", &test)?;
    let before = metric(&runtime, "sidecar_events_total")?;
    for _ in 0..50 {
        runtime.observe("test_start", &json!({"test_id": test}));
        runtime.observe("test_end", &json!({"test_id": test, "status": "passed"}));
    }
    // The kernel has counted before the marker returns.
    ensure!(metric(&runtime, "sidecar_events_total")? - before >= 100.0);
    ensure!(metric(&runtime, "sidecar_hits_total")? >= 100.0);
    let text = runtime.export_metrics();
    ensure!(text.contains("sidecar_events_total{event_type=\"test_end\",status=\"passed\"}"), "{text}");
    until("each end", || Ok((ends.count() >= 50).then_some(())))?;
    ensure!(ends.count() == 50);
    let observer = runtime.observer().ok_or_else(|| anyhow::anyhow!("it does not run"))?;
    let stats = until("a balance", || {
        let stats = observer.get_stats();
        Ok((stats.balance.balanced && stats.events_processed >= 100).then_some(stats))
    })?;
    ensure!(stats.running && stats.events_dropped == 0, "{:?}", stats.balance);
    Ok(())
}

pub(crate) fn panics() -> Result<()> {
    let runtime = started(all())?;
    let test = id("panics");
    let wanted = test.clone();
    runtime.register_handler("test_failure", move |event: &Event| {
        assert!(event.test_id.as_ref() != Some(&wanted), "on purpose");
    })?;
    let failures = Got::of(&runtime, "test_failure", &test)?;
    for _ in 0..3 {
        runtime.observe("test_failure", &json!({"test_id": test}));
    }
    until("the other handler's failures", || Ok((failures.count() == 3).then_some(())))?;
    let observer = runtime.observer().ok_or_else(|| anyhow::anyhow!("it does not run"))?;
    let stats = until("three panics", || {
        let stats = observer.get_stats();
        Ok((stats.errors >= 3).then_some(stats))
    })?;
    ensure!(stats.last_error.as_deref().is_some_and(|text| text.contains("on purpose")), "{stats:?}");
    // Three in a row are the threshold's default.
    let component = &runtime.get_health().components["handler_test_failure-1"];
    ensure!(component.status == Level::Degraded, "{component:?}");
    Ok(())
}

pub(crate) fn health() -> Result<()> {
    let runtime = started(all())?;
    let report = runtime.get_health();
    for name in ["kernel", "kernel_programs", "governor", "config"] {
        ensure!(report.components[name].status == Level::Healthy, "{name}: {report:?}");
    }
    ensure!(report.status != Level::Unhealthy, "{report:?}");
    until("health", || Ok(runtime.is_healthy().then_some(()))).map_err(|error| {
        let report = runtime.get_health();
        error.context(format!("{report:?}"))
    })
}
