//! A program that is watched as a test program is: fires sidecar's markers as its arguments say, one step each.
//!
//! | step | what it does |
//! | --- | --- |
//! | `pass ID`, `fail ID MESSAGE` | a test with that end |
//! | `start ID`, `end ID` | a test's start alone, its end alone, which passes |
//! | `tests N` | N tests `many::0`, `many::1`, ... that pass |
//! | `mixed N` | N tests `mixed::0`, ... of which every tenth fails |
//! | `typed N` | N tests `typed::0`, ... each with three events `order_placed` and, every second, two `page_seen` |
//! | `events N BYTES` | N events with so much data |
//! | `beat N MS` | N tests that print a line each, MS milliseconds apart |
//! | `sleep MS`, `say TEXT`, `exit N`, `die SIGNAL` | what they say |
//! | `child N` | a child that exits with N |

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::signal::{SigHandler, Signal};
use sidecar_markers::{Status, event, test_end, test_start};

fn main() -> Result<()> {
    for step in std::env::args().skip(1) {
        obey(&step).with_context(|| step.clone())?;
    }
    Ok(())
}

fn obey(step: &str) -> Result<()> {
    let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
    let number = |position: usize| -> Result<u64> {
        Ok(rest.split_whitespace().nth(position).context("a number is missing")?.parse()?)
    };
    match verb {
        "pass" => test(rest, Status::Passed, None),
        "fail" => {
            let (id, message) = rest.split_once(' ').context("a message is missing")?;
            test(id, Status::Failed, Some(message));
        }
        "start" => test_start!(id = rest),
        "end" => test_end!(id = rest, status = Status::Passed),
        "die" => {
            let signal = Signal::try_from(i32::try_from(number(0)?)?)?;
            if signal != Signal::SIGKILL {
                // SAFETY: the default action runs no code of this program. Rust's own handler would survive it.
                unsafe { nix::sys::signal::signal(signal, SigHandler::SigDfl)? };
            }
            nix::sys::signal::raise(signal)?;
        }
        "child" => {
            std::process::Command::new(std::env::current_exe()?).arg(format!("exit {rest}")).status()?;
        }
        "tests" => (0..number(0)?).for_each(|i| test(&format!("many::{i}"), Status::Passed, None)),
        "mixed" => {
            for i in 0..number(0)? {
                let status = if i % 10 == 0 { Status::Failed } else { Status::Passed };
                test(&format!("mixed::{i}"), status, None);
            }
        }
        "typed" => {
            for i in 0..number(0)? {
                let id = format!("typed::{i}");
                (0..3).for_each(|_| event!("order_placed", id = &id));
                (0..i % 2 * 2).for_each(|_| event!("page_seen", id = &id));
            }
        }
        "events" => {
            let data = "x".repeat(usize::try_from(number(1)?)?);
            for _ in 0..number(0)? {
                event!("fired", data = &data);
            }
        }
        "beat" => {
            for i in 0..number(0)? {
                say(&format!("beat {i}"))?;
                test(&format!("beat::{i}"), Status::Passed, None);
                std::thread::sleep(Duration::from_millis(number(1)?));
            }
        }
        "sleep" => std::thread::sleep(Duration::from_millis(number(0)?)),
        "say" => say(rest)?,
        "exit" => std::process::exit(i32::try_from(number(0)?)?),
        _ => bail!("it is not understood"),
    }
    Ok(())
}

/// Prints a line at once.
fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn test(id: &str, status: Status, message: Option<&str>) {
    let started = Instant::now();
    test_start!(id = id, suite = "target");
    test_end!(id = id, status = status, duration = started.elapsed(), message = &message);
}
