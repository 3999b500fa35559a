//! How many events there were of each type that programs invent: close where a tenth is kept, exact where all are.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sidecar_tests::kernel::program::Program;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

/// Tests; each has three events of the first type and, every second, two of the other.
const TESTS: u64 = 5000;
const TRUTH: [(&str, u64); 2] = [("order_placed", 3 * TESTS), ("page_seen", TESTS)];

/// Kept, estimate and standard error of a type.
fn of_type(stats: &Value, name: &str) -> Result<(u64, f64, f64)> {
    let types = stats["event_types"]["types"].as_array().context("types")?;
    let found = types.iter().find(|of_type| of_type["event_type"] == name);
    let found = found.with_context(|| format!("{name} in {types:?}"))?;
    let number = |field: &str| found[field].as_f64().with_context(|| field.to_owned());
    Ok((found["kept"].as_u64().context("kept")?, number("estimate")?, number("standard_error")?))
}

pub(crate) fn of_types() -> Result<()> {
    let scratch = Scratch::new()?;
    let program = Program::copy("target_tests")?;
    let control = Control::of(&scratch);
    // Room for all of them, so that nothing depends on who gets the processor.
    let text = format!(
        "{}sampling: {{events: 0.1, adaptive: {{enabled: false}}}}\n\
         resources: {{max_cpu_percent: 100, max_queue_size: 100000, max_memory_mb: 400}}\n\
         discovery: {{exec: false, ring_bytes: 33554432, files: [{}]}}\n",
        section(&scratch),
        program.path().display()
    );
    let agent = Agent::start(&scratch.config(&text)?)?;
    let fire = |run: &str| -> Result<Value> {
        let mut command = Command::new(program.path());
        ensure!(command.arg(format!("typed {TESTS}")).env("SIDECAR_RUN_ID", run).status()?.success());
        until("the totals balance", || control.settled().map(Some))?;
        let stats = control.get("/api/v1/stats")?;
        let dropped = stats["balance"]["dropped"].as_object().context("reasons")?;
        let missing: u64 = dropped.values().filter_map(Value::as_u64).sum();
        ensure!(stats["balance"]["lost"] == 0 && missing == 0, "{}", stats["balance"]);
        Ok(stats)
    };
    let some = fire("some")?;
    for (name, truth) in TRUTH {
        let (kept, estimate, error) = of_type(&some, name)?;
        println!("{name}: {estimate:.0} +- {error:.0} of {truth}, {kept} kept");
        assert!(kept < truth / 5 && error > 0.0 && (estimate - truth as f64).abs() < 5.0 * error, "{name}");
    }
    let status = crate::verbs::ask("status", &control)?.1;
    assert!(status.contains("order_placed: about ") && status.contains(" kept)"), "{status}");

    control.json("PUT", "/api/v1/sampling/events", r#"{"rate": 1}"#)?;
    let all = fire("all")?;
    for (name, truth) in TRUTH {
        let ((kept, estimate, error), before) = (of_type(&all, name)?, of_type(&some, name)?);
        assert_eq!(kept - before.0, truth, "{name}");
        assert!((estimate - before.1 - truth as f64).abs() < 1e-6 && error == before.2, "{name}");
    }
    assert_eq!(all["event_types"]["others"]["kept"], 0);
    agent.finish()?;
    Ok(())
}
