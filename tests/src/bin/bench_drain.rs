//! 300,000 kept records a second for 20 seconds, drained by the built agent: `bench_drain [RATE [SECONDS]]`.
//!
//! Each record is a test's end with a key, two strings of 32 bytes, a status, a duration and an attempt; this program
//! fires them. The agent writes its JSON lines to /dev/null. What was lost and dropped is read from its metrics.

use std::time::Duration;

use anyhow::{Result, ensure};
use sidecar_tests::bench::agent::{Agent, watch_raw};
use sidecar_tests::bench::{figure, load, usage};
use sidecar_tests::kernel::raw;

/// Different tests.
const TESTS: usize = 1000;
/// `passed`, as the markers of sidecar say it.
const PASSED: u64 = 1;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let rate = args.next().map_or(Ok(300_000), |rate| rate.parse())?;
    let seconds = args.next().map_or(Ok(20), |seconds| seconds.parse())?;
    let config = watch_raw(&std::env::current_exe()?) + "sampling: {enabled: false}\n";
    let mut agent = Agent::start(&config)?;
    ensure!(raw::semaphores()[2] > 0, "the agent does not listen. Its log:\n{}", agent.log()?);

    let run = c"run-2026-11-24T04:30:00Z-0000001".as_ptr() as u64;
    let ids: Vec<String> = (0..TESTS).map(|i| format!("checkout::cart::adds_twice_{i:05}\0")).collect();
    let before = usage::of_process(agent.pid())?;
    let own = load::own_time();
    let fired = load::paced(rate, Duration::from_secs(seconds), |i| {
        let id = ids[i as usize % TESTS].as_ptr() as u64;
        raw::end(i + 1, id, run, PASSED, 1_000_000 + i, 1);
    });
    let own = load::own_time() - own;

    let all = fired.hits as f64;
    let settled = |agent: &mut Agent| {
        let now = agent.metrics()?;
        let gone = now.sum("sidecar_lost_total") + now.sum("sidecar_events_dropped_total");
        Ok(now.sum("sidecar_sink_events_written_total") + gone >= all)
    };
    agent.wait_for("to write what it was sent", settled)?;
    let (metrics, after) = (agent.metrics()?, usage::of_process(agent.pid())?);
    let hits = metrics.sum("sidecar_hits_total");
    ensure!(hits == all, "the kernel counted {hits} hits of {all}");
    let per = |time: Duration| time.as_secs_f64() * 1e9 / all;
    let figures = [
        figure("rate", fired.rate(), "1/s"),
        figure("lost", metrics.sum("sidecar_lost_total"), ""),
        figure("dropped", metrics.sum("sidecar_events_dropped_total"), ""),
        figure("rss_mb", after.peak_mb, "MB"),
        figure("queue_high_water", metrics.sum("sidecar_queue_high_water"), ""),
        figure("agent_ns", per(after.cpu - before.cpu), "ns/record"),
        figure("test_ns", per(own), "ns/record"),
    ];
    agent.stop()?;
    println!("{}", serde_json::Value::from(figures.to_vec()));
    Ok(())
}
