//! A day's worth of churn in minutes: 100,000 short processes, and 2,000 images that are made, run and deleted. What is
//! left of them: descriptors, memory, and hits that were not counted.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use sidecar_tests::bench::agent::Agent;
use sidecar_tests::bench::{figure, usage};
use sidecar_tests::churn;
use sidecar_tests::node::program::{Target, provider};
use tempfile::TempDir;

const PROCESSES: u64 = 100_000;
const IMAGES: usize = 2_000;
/// Images that are there at a time.
const PART: usize = 100;
const HITS: u64 = 3;
/// How long the last images may take until they are let go.
const PATIENCE: Duration = Duration::from_secs(120);

fn main() -> Result<()> {
    let scratch = TempDir::new()?;
    let folder = scratch.path().join("bin");
    std::fs::create_dir(&folder)?;
    let nothing = scratch.path().join("nothing");
    churn::nothing(&nothing)?;
    let target = Target::with(&scratch.path().join("target"), &provider(), &["-static"])?;
    let config = format!(
        "http: {{listen: \"127.0.0.1:0\", socket: ''}}
sinks: []
resources: {{max_cpu_percent: 100}}
discovery: {{files: ['{}/*'], max_specs: 16384}}
{}",
        folder.display(),
        target.probes()
    );
    let mut agent = Agent::start(&config)?;
    churn::processes(&nothing, PROCESSES / 100, 4)?;
    let (descriptors, memory) = (churn::descriptors(agent.pid())?, usage::of_process(agent.pid())?.rss_mb);
    let start = Instant::now();
    for part in 0..IMAGES / PART {
        churn::processes(&nothing, PROCESSES / (IMAGES / PART) as u64, 4)?;
        let copies = churn::copies(target.path(), &folder, PART)?;
        let sites = format!("attached to {} ", folder.join(format!("copy{}", PART - 1)).display());
        agent.wait_for("to attach", |agent| Ok(agent.log()?.matches(&sites).count() > part))?;
        for copy in copies {
            ensure!(Command::new(&copy).arg(format!("hit {HITS}")).status()?.success());
            std::fs::remove_file(copy)?;
        }
    }
    let took = start.elapsed();
    let deadline = Instant::now() + PATIENCE;
    while agent.log()?.matches("let go of ").count() < IMAGES {
        ensure!(Instant::now() < deadline, "images are not let go: {}", agent.log()?);
        std::thread::sleep(Duration::from_millis(100));
    }
    let metrics = agent.metrics()?;
    let label = format!("provider=\"{}\",marker=\"hit\"", target.provider());
    let label = if metrics.sum_of("sidecar_hits_total", &label) > 0.0 {
        label
    } else {
        format!("marker=\"hit\",provider=\"{}\"", target.provider())
    };
    let hits = metrics.sum_of("sidecar_hits_total", &label);
    let others = ["kept", "sampled_out", "lost", "disabled"];
    let sum: f64 = others.iter().map(|kind| metrics.sum_of(&format!("sidecar_{kind}_total"), &label)).sum();
    let figures = [
        figure("churn_s", took.as_secs_f64(), "s"),
        figure(
            "descriptors_left",
            churn::descriptors(agent.pid())? as f64 - descriptors as f64,
            "descriptors",
        ),
        figure("memory_left_mb", usage::of_process(agent.pid())?.rss_mb - memory, "MB"),
        figure("hits_missing", (IMAGES as u64 * HITS) as f64 - hits, "hits"),
        figure("unbalanced", (hits - sum).abs(), "hits"),
    ];
    agent.stop()?;
    println!("{}", serde_json::Value::from(figures.to_vec()));
    Ok(())
}
