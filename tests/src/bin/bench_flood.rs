//! A flood of tests that would cost 40 % of a core, and the built agent with its default budget: when it is within the
//! budget, what it keeps, when it is at the top of its ladder again. `bench_flood [FILE]` writes the course to FILE.
//!
//! Each test has a start and an end, one in 1,000 fails, and all are kept as far as the budget allows. First the hits a
//! second are found that cost so much, by an agent whose budget is a whole core.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sidecar_tests::bench::agent::{Agent, watch_tests};
use sidecar_tests::bench::flood::{Course, Fired, failures_in};
use sidecar_tests::bench::{figure, usage};
use sidecar_tests::kernel::raw;

/// What the flood would cost, and the default budget, in percent of one core.
const WOULD: f64 = 40.0;
const BUDGET: f64 = 5.0;
/// Hits a second of the first trial, and most trials: what a hit costs depends on how many there are.
const TRIAL: u32 = 50_000;
const TRIALS: u32 = 5;
/// A trial is good enough that costs this, in percent of one core.
const ABOUT: std::ops::Range<f64> = 38.0..42.0;
/// Time of a trial: so long that the agent has measured its BPF programs meanwhile.
const TRYING: Duration = Duration::from_secs(7);
/// Calm before the flood, the flood, and the longest wait after it.
const BEFORE: Duration = Duration::from_secs(5);
const FLOOD: Duration = Duration::from_secs(60);
const AFTER: Duration = Duration::from_secs(120);
/// Time after the climb that is shown.
const STAYS: Duration = Duration::from_secs(5);

fn start(events: &Path, more: &str) -> Result<Agent> {
    let agent = Agent::start(&(watch_tests(&std::env::current_exe()?, events) + more))?;
    ensure!(
        raw::semaphores()[1..].iter().all(|listeners| *listeners > 0),
        "the agent does not listen. Its log:\n{}",
        agent.log()?
    );
    Ok(agent)
}

/// What `rate` hits a second cost an agent whose budget is a whole core.
fn cost(rate: u32, folder: &Path) -> Result<f64> {
    let agent = start(&folder.join("trial.jsonl"), "resources: {max_cpu_percent: 100}\n")?;
    let before = usage::of_process(agent.pid())?;
    let begin = Instant::now();
    Fired::default().flood(rate, TRYING);
    let programs = agent.metrics()?.sum("sidecar_bpf_cpu_usage_ratio");
    let own = usage::of_process(agent.pid())?.cpu.saturating_sub(before.cpu);
    agent.stop()?;
    fs::remove_file(folder.join("trial.jsonl"))?;
    Ok((own.as_secs_f64() / begin.elapsed().as_secs_f64() + programs) * 100.0)
}

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (mut rate, mut would) = (TRIAL, cost(TRIAL, folder.path())?);
    for _ in 1..TRIALS {
        if !ABOUT.contains(&would) {
            rate = (f64::from(rate) * WOULD / would) as u32;
            would = cost(rate, folder.path())?;
        }
    }
    eprintln!("{rate} hits a second would cost {would:.1} % of a core");

    let events = folder.path().join("events.jsonl");
    let mut agent = start(&events, "")?;
    let fired = Fired::default();
    let mut course = Course::new(&agent, BEFORE)?;
    let (over, full) = std::thread::scope(|scope| -> Result<(f64, Option<f64>)> {
        scope.spawn(|| {
            std::thread::sleep(BEFORE);
            fired.flood(rate, FLOOD);
        });
        let over = loop {
            let look = course.look()?;
            if fired.is_over() {
                break look.seconds;
            }
        };
        loop {
            let look = course.look()?;
            if look.step == 0.0 {
                let full = look.seconds - over;
                while course.look()?.seconds < over + full + STAYS.as_secs_f64() {}
                return Ok((over, Some(full)));
            }
            if look.seconds > over + AFTER.as_secs_f64() {
                return Ok((over, None));
            }
        }
    })?;
    let (columns, within) = (course.columns(), course.within(BUDGET));
    let mean = within.map(|within| course.mean(within, over));
    let deepest = course.looks.iter().map(|look| look.step).fold(0.0, f64::max);
    if let Some(file) = std::env::args().nth(1) {
        let parent = Path::new(&file).parent().context("a file in a folder")?;
        fs::create_dir_all(parent)?;
        fs::write(
            &file,
            format!("{}\n", serde_json::json!({"over": over, "budget": BUDGET, "course": columns})),
        )?;
    }

    agent.wait_for("to write what it kept", |agent| {
        let now = agent.metrics()?;
        let gone = now.sum("sidecar_events_dropped_total") + now.sum("sidecar_sink_events_written_total");
        Ok(now.sum("sidecar_kept_total") + now.sum("sidecar_recalled_total") <= gone)
    })?;
    let metrics = agent.metrics()?;
    let peak = usage::of_process(agent.pid())?.peak_mb;
    let log = agent.log()?;
    agent.stop()?;
    for line in log.lines().filter(|line| line.contains("governor: ")) {
        eprintln!("{line}");
    }
    let (tests, failed) = (fired.tests() as f64, fired.failures() as f64);
    let [whole, part] = failures_in(&events)?;
    let counted = metrics.sum("sidecar_hits_total");
    let counted_failed = metrics.sum_of("sidecar_events_total", "status=\"failed\"");
    // What never came is no figure, and a promise about it is broken.
    let mut figures: Vec<Value> = Vec::new();
    figures.extend(within.map(|seconds| figure("within_s", seconds, "s")));
    figures.extend(mean.map(|percent| figure("then_percent", percent, "%")));
    figures.extend(full.map(|seconds| figure("full_again_s", seconds, "s")));
    figures.extend([
        figure("would_percent", would, "%"),
        figure("hits", 2.0 * tests / FLOOD.as_secs_f64(), "1/s"),
        figure("failures", failed, ""),
        figure("failures_missing", failed - whole as f64, ""),
        figure("failures_in_part", part as f64, ""),
        figure("miscounted", (counted - 2.0 * tests).abs() + (counted_failed - failed).abs(), ""),
        figure("lost", metrics.sum("sidecar_lost_total"), ""),
        figure("dropped", metrics.sum("sidecar_events_dropped_total"), ""),
        figure("deepest_step", deepest, ""),
        figure("rss_mb", peak, "MB"),
    ]);
    println!("{}", Value::from(figures));
    Ok(())
}
