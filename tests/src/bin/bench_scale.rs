//! Great numbers: an image with 50,000 sites, from the moment when it is moved into a watched folder until all of them
//! have a probe, and from `kill -9` of the agent until none has; and 2,000 images that are there when the agent starts,
//! with the processor's time and the memory that knowing them takes.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use sidecar_tests::bench::agent::Agent;
use sidecar_tests::bench::{figure, median, usage};
use sidecar_tests::churn;
use sidecar_tests::kernel::program::Running;
use sidecar_tests::node::program::{Target, provider};
use tempfile::TempDir;

const SITES: u32 = 50_000;
const IMAGES: usize = 2_000;
/// Times that the many sites are attached and let go.
const TIMES: usize = 5;
/// The share of a core that the agent may take for long.
const BUDGET: f64 = 0.05;
/// The time over which the share is taken.
const WINDOW: Duration = Duration::from_millis(500);
/// How often it is looked whether something has come about.
const PAUSE: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(60);

fn config(folder: &Path, target: &Target) -> String {
    format!(
        "http: {{listen: \"127.0.0.1:0\", socket: ''}}
sinks: []
sampling: {{events: 0}}
discovery: {{exec: false, max_specs: 16384, files: ['{}/*']}}
{}",
        folder.display(),
        target.probes()
    )
}

/// Milliseconds until the agent has attached, and until everything is let go.
fn sites(scratch: &Path, target: &Target) -> Result<[f64; 2]> {
    let folder = scratch.join("bin");
    std::fs::create_dir_all(&folder)?;
    let mut agent = Agent::start(&config(&folder, target))?;
    let copy = scratch.join("copy");
    std::fs::copy(target.path(), &copy)?;
    let program = folder.join("program");
    let start = Instant::now();
    std::fs::rename(&copy, &program)?;
    let wanted = format!("attached to {}", program.display());
    while !agent.log()?.contains(&wanted) {
        ensure!(start.elapsed() < PATIENCE, "not attached: {}", agent.log()?);
        std::thread::sleep(PAUSE);
    }
    let attached = start.elapsed();
    let mut running = Running::start(&mut Command::new(&program))?;
    agent.wait_for("to raise the semaphores", |_| Ok(running.ask("semaphores")? == "1 1 1"))?;
    let start = Instant::now();
    // What it has attached ends with it, and it is gone when its end can be waited for.
    agent.kill(Signal::SIGKILL)?;
    while running.ask("semaphores")? != "0 0 0" {
        ensure!(start.elapsed() < PATIENCE, "not let go");
    }
    let let_go = start.elapsed();
    running.finish()?;
    std::fs::remove_file(&program)?;
    Ok([attached, let_go].map(|time| time.as_secs_f64() * 1000.0))
}

/// Seconds over which the agent took more than its share while it came to know the images, its processor time, and its
/// memory afterwards.
fn images(scratch: &Path, target: &Target) -> Result<[f64; 4]> {
    let folder = scratch.join("many");
    std::fs::create_dir(&folder)?;
    churn::copies(target.path(), &folder, IMAGES)?;
    let start = Instant::now();
    let agent = Agent::start_unready(&config(&folder, target))?;
    let (mut busy, mut at) = (Duration::ZERO, Instant::now());
    let mut spent = Duration::ZERO;
    let mut known = None;
    // Two quiet windows in a row are the end.
    let mut quiet = 0;
    while quiet < 2 {
        std::thread::sleep(WINDOW);
        let used = usage::of_process(agent.pid())?.cpu;
        let share = (used - spent).as_secs_f64() / at.elapsed().as_secs_f64();
        if share > BUDGET {
            busy += at.elapsed();
        }
        (spent, at) = (used, Instant::now());
        if known.is_none() && agent.metrics().is_ok_and(|m| m.sum("sidecar_attached_images") >= IMAGES as f64)
        {
            known = Some(start.elapsed());
        }
        quiet = if share <= BUDGET && known.is_some() { quiet + 1 } else { 0 };
        ensure!(start.elapsed() < PATIENCE, "{}", agent.log()?);
    }
    let memory = usage::of_process(agent.pid())?;
    let known = known.unwrap_or_default().as_secs_f64();
    agent.stop()?;
    Ok([busy.as_secs_f64(), spent.as_secs_f64(), known, memory.peak_mb])
}

fn main() -> Result<()> {
    let scratch = TempDir::new()?;
    let many = Target::with(&scratch.path().join("target"), &provider(), &[&format!("-DMANY={SITES}")])?;
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..TIMES {
        for (times, time) in times.iter_mut().zip(sites(scratch.path(), &many)?) {
            times.push(time);
        }
    }
    let small = Target::with(&scratch.path().join("small"), &provider(), &[])?;
    let [busy, cpu, known, memory] = images(scratch.path(), &small)?;
    let [attach, detach] = &mut times;
    let figures = [
        figure("attach_ms", median(attach), "ms"),
        figure("let_go_ms", median(detach), "ms"),
        figure("images_busy_s", busy, "s"),
        figure("images_cpu_s", cpu, "s"),
        figure("images_known_s", known, "s"),
        figure("images_rss_mb", memory, "MB"),
    ];
    println!("{}", serde_json::Value::from(figures.to_vec()));
    Ok(())
}
