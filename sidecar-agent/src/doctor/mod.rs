//! `sidecar doctor`: what this machine has of what the agent uses, what is lost without it, and what mends it.

mod capabilities;
mod check;
mod kernel;
mod settings;
mod show;
#[cfg(test)]
mod tests;

use std::{io::Write, process::ExitCode};

use crate::cli::DoctorArgs;
use check::{Check, Report};

/// The exit status where something is missing that is needed.
const MISSING: u8 = 1;

/// `sidecar doctor`.
///
/// # Errors
/// When the answer can't be written.
pub fn run(args: &DoctorArgs, out: &mut impl Write) -> std::io::Result<ExitCode> {
    let report = Report::of(examine());
    let text = if args.json { show::json(&report) } else { show::table(&report) };
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever reads it no more has seen enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error),
        Ok(()) | Err(_) => {}
    }
    Ok(if report.able() { ExitCode::SUCCESS } else { ExitCode::from(MISSING) })
}

/// Everything, in the order in which it is shown.
fn examine() -> Vec<Check> {
    let mut checks = kernel::checks();
    checks.extend(capabilities::checks());
    checks.extend(settings::checks());
    checks
}
