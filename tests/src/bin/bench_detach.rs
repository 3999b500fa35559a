//! How long it takes to let go of 10,000 sites of one image that a process executes: of the built agent, asked to end,
//! and killed with `kill -9`.
//!
//! The time ends when the process has its own instruction back at each site and its semaphore is 0, as its memory
//! shows: then nothing is left to slow it.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::Signal;
use sidecar_tests::bench::agent::Agent;
use sidecar_tests::bench::{figure, median};
use sidecar_tests::kernel::program::{Program, Running};

const SITES: usize = 10_000;
/// Bytes from site to site.
const STEP: usize = 16;
/// First byte of the instruction at each site.
const NOP: u8 = 0x0f;
/// Pause between two looks: each holds up the kernel, which changes the same memory.
const PAUSE: Duration = Duration::from_millis(5);
/// Longest wait.
const PATIENCE: Duration = Duration::from_secs(60);
/// Times that each way is measured; the median counts.
const TIMES: usize = 5;

/// The sites and the semaphore in a process's memory.
struct Sites {
    memory: File,
    first: u64,
    semaphore: u64,
}

impl Sites {
    fn of(running: &Running, program: &Program) -> Result<Self> {
        let site = program.notes().site("sites", "site", 0)?;
        Ok(Self {
            memory: File::open(format!("/proc/{}/mem", running.pid()))?,
            first: address(running, program, program.notes().symbol("first_site")?)?,
            semaphore: address(running, program, site.semaphore)?,
        })
    }

    /// How many sites hold another instruction than the program's own, and the semaphore.
    fn probed(&self) -> Result<(usize, u16)> {
        let mut text = vec![0; SITES * STEP];
        self.memory.read_exact_at(&mut text, self.first)?;
        let mut semaphore = [0; 2];
        self.memory.read_exact_at(&mut semaphore, self.semaphore)?;
        let probed = text.iter().step_by(STEP).filter(|byte| **byte != NOP).count();
        Ok((probed, u16::from_ne_bytes(semaphore)))
    }
}

/// Where a process has mapped an offset of a program's file.
fn address(running: &Running, program: &Program, offset: u64) -> Result<u64> {
    let path = program.path().to_string_lossy().into_owned();
    for line in fs::read_to_string(format!("/proc/{}/maps", running.pid()))?.lines().rev() {
        let mut words = line.split_whitespace();
        let (Some((start, end)), _, Some(from)) =
            (words.next().and_then(|range| range.split_once('-')), words.next(), words.next())
        else {
            continue;
        };
        let number = |text| u64::from_str_radix(text, 16);
        let (start, end, from) = (number(start)?, number(end)?, number(from)?);
        if line.ends_with(&path) && (from..from + (end - start)).contains(&offset) {
            return Ok(start + offset - from);
        }
    }
    None.with_context(|| format!("{path} is not mapped at {offset:#x}"))
}

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
