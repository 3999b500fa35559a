//! What observing costs the one who waits: `sidecar exec` around a command that does nothing, and around a suite of
//! tests with markers, each beside the same command by itself, in turn.
//!
//! The suite is this program as `bench_exec suite`: some processes, one after the other, whose tests each work for
//! 2 ms and tell their start, three events and their end. Its cost is the time on a processor of everything that was
//! started, the agent included.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use sidecar_markers::{Status, event, test_end, test_start};
use sidecar_tests::bench::{figure, load, median};
use sidecar_tests::kernel::built;

/// Processes of the suite, and tests of each.
const PROCESSES: u64 = 5;
const TESTS: u64 = 100;
/// Time on the processor that a test takes by itself.
const WORK: Duration = Duration::from_millis(2);
/// Pairs that are measured.
const STARTS: usize = 15;
const SUITES: usize = 5;

fn run_tests(process: u64) {
    for test in 0..TESTS {
        let id = format!("process {process} test {test}");
        test_start!(id = &id, suite = "bench", attempt = 1);
        let start = load::own_time();
        for step in 0..3 {
            event!("step", id = &id, data = format!("{{\"step\":{step}}}").as_bytes());
        }
        while load::own_time() - start < WORK {}
        test_end!(id = &id, status = Status::Passed, duration = WORK, attempt = 1);
    }
}

fn suite() -> Result<()> {
    for process in 0..PROCESSES {
        let own = std::env::current_exe()?;
        let status = Command::new(own).args(["tests", &process.to_string()]).status()?;
        ensure!(status.success(), "the suite's process ended with {status}");
    }
    Ok(())
}

/// Time that passed, and time on a processor of the command and all it started, in seconds.
fn cost(mut command: Command) -> Result<(f64, f64)> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let before = children()?;
    let start = Instant::now();
    let status = command.status()?;
    let passed = start.elapsed().as_secs_f64();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok((passed, children()? - before))
}

fn children() -> Result<f64> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    Ok(seconds(usage.user_time()) + seconds(usage.system_time()))
}

/// Medians of the pairs: the command by itself, and under `sidecar exec`.
fn pairs(command: &[&str], times: usize) -> Result<[(f64, f64); 2]> {
    let (program, args) = command.split_first().context("a command")?;
    let agent = built("sidecar")?;
    let mut found = [[Vec::new(), Vec::new()], [Vec::new(), Vec::new()]];
    for _ in 0..times {
        for (found, observed) in found.iter_mut().zip([false, true]) {
            let mut side = Command::new(if observed { agent.as_os_str() } else { program.as_ref() });
            if observed {
                side.args(["exec", "--", program]);
            }
            side.args(args);
            let (passed, used) = cost(side)?;
            found[0].push(passed);
            found[1].push(used);
        }
    }
    Ok(found.map(|[mut passed, mut used]| (median(&mut passed), median(&mut used))))
}

fn measure() -> Result<()> {
    let [alone, observed] = pairs(&["true"], STARTS)?;
    let own = std::env::current_exe()?;
    let own = own.to_str().context("the path of this program")?;
    let [suite, watched] = pairs(&[own, "suite"], SUITES)?;
    let figures = [
        figure("start_ms", (observed.0 - alone.0) * 1000.0, "ms"),
        figure("start_cpu_ms", (observed.1 - alone.1) * 1000.0, "ms"),
        figure("suite_time", (watched.0 - (observed.0 - alone.0)) / suite.0, "ratio"),
        figure("suite_cpu", (watched.1 - (observed.1 - alone.1)) / suite.1, "ratio"),
    ];
    println!("{}", serde_json::Value::from(figures.to_vec()));
    Ok(())
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => measure(),
        ["suite"] => suite(),
        ["tests", process] => {
            run_tests(process.parse()?);
            Ok(())
        }
        _ => bail!("usage: bench_exec [suite]"),
    }
}
