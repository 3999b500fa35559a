//! How long it takes to let go of 10,000 sites of one image that a process executes: of the built agent, asked to end,
//! and killed with `kill -9`.
//!
//! The time ends when the process has its own instruction back at each site and its semaphore is 0, as its memory
//! shows: then nothing is left to slow it.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use sidecar_tests::bench::agent::Agent;
use sidecar_tests::bench::sites::{SITES, Sites};
use sidecar_tests::bench::{figure, median};
use sidecar_tests::kernel::program::Program;

/// Pause between two looks: each holds up the kernel, which changes the same memory.
const PAUSE: Duration = Duration::from_millis(5);
/// Longest wait.
const PATIENCE: Duration = Duration::from_secs(60);
/// Times that each way is measured; the median counts.
const TIMES: usize = 5;

/// Milliseconds from a signal to the agent until no probe is left.
fn measure(signal: Signal) -> Result<f64> {
    let program = Program::copy("target_sites")?;
    let running = program.start(&[])?;
    let sites = Sites::of(&running, &program)?;
    ensure!(sites.probed()? == (0, 0), "somebody else probes the program");
    let config = format!(
        "sinks: [{{type: jsonl, path: /dev/null}}]
discovery: {{exec: false, files: ['{}'], max_specs: 16384}}
probes: [{{provider: sites, marker: site, args: [plain]}}]
",
        program.path().display()
    );
    let mut agent = Agent::start(&config)?;
    agent.wait_for("to attach", |_| Ok(sites.probed()? == (SITES, SITES as u16)))?;
    let start = Instant::now();
    agent.signal(signal)?;
    loop {
        let now = start.elapsed();
        if sites.probed()? == (0, 0) {
            return Ok(now.as_secs_f64() * 1000.0);
        }
        ensure!(now < PATIENCE, "{:?} sites are still probed after {now:?}", sites.probed()?);
        std::thread::sleep(PAUSE);
    }
}

fn main() -> Result<()> {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..TIMES {
        for (times, signal) in times.iter_mut().zip([Signal::SIGTERM, Signal::SIGKILL]) {
            times.push(measure(signal)?);
        }
    }
    let [asked, killed] = &mut times;
    let figures = [figure("detach_ms", median(asked), "ms"), figure("killed_ms", median(killed), "ms")];
    println!("{}", serde_json::Value::from(figures.to_vec()));
    Ok(())
}
