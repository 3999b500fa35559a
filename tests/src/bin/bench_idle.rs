//! The built agent with nothing to do, as it is configured by default: `bench_idle [SECONDS]`.
//!
//! Every program that the machine executes meanwhile wakes it, so `forks` says how many processes and threads were
//! started in that time.

use std::time::Duration;

use anyhow::Result;
use sidecar_tests::bench::agent::Agent;
use sidecar_tests::bench::{figure, usage};

/// Time after the start in which the agent looks at what runs already, and says that it sleeps.
const SETTLE: Duration = Duration::from_secs(5);

fn main() -> Result<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(20), |seconds| seconds.parse())?;
    let agent = Agent::start("sinks: [{type: jsonl, path: /dev/null}]\n")?;
    std::thread::sleep(SETTLE);
    let (before, forks) = (usage::of_process(agent.pid())?, usage::forks()?);
    std::thread::sleep(Duration::from_secs(seconds));
    let (after, forks) = (usage::of_process(agent.pid())?, usage::forks()? - forks);
    let seconds = seconds as f64;
    let figures = [
        figure("rss_mb", after.rss_mb, "MB"),
        figure("peak_mb", after.peak_mb, "MB"),
        figure("cpu_percent", (after.cpu - before.cpu).as_secs_f64() / seconds * 100.0, "%"),
        figure("wakeups", (after.sleeps - before.sleeps) as f64 / seconds, "1/s"),
        figure("forks", forks as f64 / seconds, "1/s"),
    ];
    agent.stop()?;
    println!("{}", serde_json::Value::from(figures.to_vec()));
    Ok(())
}
