//! How often the agent's reader wakes under 1,000,000 hits a second, or as many as two threads can fire: first with a
//! fifth of them kept (the default rate of test events), then with all.
//!
//! Counted is how often the thread that reads the ring went to sleep of itself, as the kernel tells: that includes
//! sleeps at a lock, which the agent's own count does not.

use std::time::Duration;

use anyhow::{Result, ensure};
use sidecar_tests::bench::agent::{Agent, watch_raw};
use sidecar_tests::bench::{figure, load, usage};
use sidecar_tests::kernel::raw;

/// Threads that fire, and hits a second of each.
const THREADS: u64 = 2;
const RATE: u32 = 500_000;
const TIME: Duration = Duration::from_secs(10);
/// The thread of the agent that reads the ring.
const READER: &str = "sidecar-data";

fn measure(what: &str, rate: f64) -> Result<Vec<serde_json::Value>> {
    let config = watch_raw(&std::env::current_exe()?) + &format!("sampling: {{events: {rate}}}\n");
    let agent = Agent::start(&config)?;
    ensure!(raw::semaphores()[0] > 0, "the agent does not listen. Its log:\n{}", agent.log()?);
    let reader = || usage::of_threads(agent.pid(), |name| name == READER);
    let before = reader()?;
    let fired: Vec<load::Fired> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || fire(thread << 32))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_default()).collect()
    });
    let after = reader()?;
    let seconds = TIME.as_secs_f64();
    let metrics = agent.metrics()?;
    let kept = metrics.sum("sidecar_kept_total");
    let figures = vec![
        figure(&format!("{what}_sleeps"), (after.sleeps - before.sleeps) as f64 / seconds, "1/s"),
        figure(&format!("{what}_wakeups"), metrics.sum("sidecar_reader_wakeups_total") / seconds, "1/s"),
        figure(&format!("{what}_hits"), fired.iter().map(load::Fired::rate).sum(), "1/s"),
        figure(&format!("{what}_kept"), kept / seconds, "1/s"),
        figure(&format!("{what}_lost"), metrics.sum("sidecar_lost_total") / seconds, "1/s"),
    ];
    agent.stop()?;
    Ok(figures)
}

fn fire(first: u64) -> load::Fired {
    let id = c"checkout::cart::adds_twice_00001".as_ptr() as u64;
    let run = c"run-2026-11-24T04:30:00Z-0000001".as_ptr() as u64;
    load::paced(RATE, TIME, |i| {
        // The key decides what is kept: spread over all values.
        raw::hit((first + i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15), id, run, 0, 0, 0);
    })
}

fn main() -> Result<()> {
    let mut figures = measure("fifth", 0.2)?;
    figures.extend(measure("all", 1.0)?);
    println!("{}", serde_json::Value::from(figures));
    Ok(())
}
