//! How soon a program is watched that nobody has seen before, while 200 others are executed each second; and what the
//! agent costs an exec of a program that has nothing to be watched.
//!
//! `bench_discover` prints the time from before the exec until the semaphore is raised, middle and 99th of a hundred;
//! `bench_discover cost` prints pairs of the time of an exec, without and with the agent. `bench_discover wait` is the
//! program that waits.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use sidecar_markers::{Marker, enabled};
use sidecar_tests::bench::agent::Agent;
use sidecar_tests::bench::{figure, median};
use sidecar_tests::churn;
use tempfile::TempDir;

const EXECS_A_SECOND: u32 = 200;
/// New programs that are measured.
const PROGRAMS: usize = 200;
/// How long a program waits for its probes.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it looks.
const LOOK: Duration = Duration::from_micros(50);
/// Pairs, and execs of each side.
const PAIRS: usize = 15;
const EXECS: u64 = 400;

const CONFIG: &str = "http: {listen: \"127.0.0.1:0\", socket: ''}\nsinks: []\n";

/// Waits until somebody listens to this program's markers.
fn wait() -> Result<()> {
    let start = Instant::now();
    while !enabled(Marker::Event) {
        ensure!(start.elapsed() < PATIENCE, "nobody listens");
        thread::sleep(LOOK);
    }
    Ok(())
}

/// Executes a program at a steady rate until it is told to end. How many a second that were.
fn load(program: &Path, stop: &AtomicBool) -> Result<f64> {
    let (start, mut done) = (Instant::now(), 0);
    while !stop.load(Ordering::Relaxed) {
        let status = Command::new(program).status()?;
        ensure!(status.success(), "{status}");
        done += 1;
        let due = Duration::from_secs(1) * done / EXECS_A_SECOND;
        thread::sleep(due.saturating_sub(start.elapsed()));
    }
    Ok(f64::from(done) / start.elapsed().as_secs_f64())
}

fn latency() -> Result<()> {
    let scratch = TempDir::new()?;
    let nothing = scratch.path().join("nothing");
    churn::nothing(&nothing)?;
    let own = std::env::current_exe()?;
    // Before anything else is started: a process that was just forked would hold them open for writing.
    let programs = churn::copies(&own, scratch.path(), PROGRAMS)?;
    let agent = Agent::start(CONFIG)?;
    let stop = AtomicBool::new(false);
    let (mut times, rate) = thread::scope(|scope| -> Result<_> {
        let load = scope.spawn(|| load(&nothing, &stop));
        let mut times = Vec::with_capacity(PROGRAMS);
        let mut measure = || -> Result<()> {
            for program in &programs {
                let start = Instant::now();
                let status = Command::new(program).arg("wait").status()?;
                times.push(start.elapsed().as_secs_f64() * 1000.0);
                ensure!(status.success(), "{status}: {}", agent.log()?);
            }
            Ok(())
        };
        let measured = measure();
        stop.store(true, Ordering::Relaxed);
        let rate = load.join().ok().context("the load panicked")??;
        measured?;
        Ok((times, rate))
    })?;
    agent.stop()?;
    let middle = median(&mut times);
    let late = times.get(times.len() * 99 / 100).copied().unwrap_or_default();
    let figures = [
        figure("execs", rate, "1/s"),
        figure("attached_p50_ms", middle, "ms"),
        figure("attached_p99_ms", late, "ms"),
    ];
    println!("{}", serde_json::Value::from(figures.to_vec()));
    Ok(())
}

/// Nanoseconds an exec, start to end.
fn execs(program: &Path) -> Result<f64> {
    let start = Instant::now();
    churn::processes(program, EXECS, 1)?;
    Ok(start.elapsed().as_nanos() as f64 / EXECS as f64)
}

fn cost() -> Result<()> {
    let scratch = TempDir::new()?;
    let nothing = scratch.path().join("nothing");
    churn::nothing(&nothing)?;
    let mut rounds = Vec::with_capacity(PAIRS);
    execs(&nothing)?;
    for _ in 0..PAIRS {
        let alone = execs(&nothing)?;
        let agent = Agent::start(CONFIG)?;
        let watched = execs(&nothing)?;
        agent.stop()?;
        rounds.push(serde_json::json!({"baseline_ns": alone, "case_ns": watched}));
    }
    println!("{}", serde_json::json!({ "rounds": rounds }));
    Ok(())
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => latency(),
        ["cost"] => cost(),
        ["wait"] => wait(),
        _ => bail!("usage: bench_discover [cost]"),
    }
}
