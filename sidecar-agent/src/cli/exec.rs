//! `sidecar exec`.

use super::When;
use clap::{Args, value_parser};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// What `sidecar exec --help` says first.
pub(super) const LONG_ABOUT: &str = "\
Run a command and watch it and all it starts, from the first event on.

The command gets sidecar's standard input, output and error, its directory, environment and signals, untouched. \
Its probes are on before it starts; each program in its process tree that carries wanted markers waits until its \
own are on, at most for the deadline. When the command ends, sidecar sums up on standard error what it saw, and \
ends as the command ended. Processes that outlive the command are not watched any more.

Where sidecar can't watch (no privilege, no BPF), it says so in one line and runs the command all the same.";

/// Flags and arguments of `sidecar exec`.
#[derive(Args, Debug)]
#[command(
    override_usage = "sidecar exec [OPTIONS] -- COMMAND [ARGS]...",
    after_help = "\
Exit status:
  that of the command; death by a signal is passed on as death by the same signal
  2    wrong usage of sidecar
  125  sidecar could not do what was asked, and did not start the command
       (the config is wrong, the report can't be written)
  126  the command can't be executed
  127  the command was not found

Examples:
  sidecar exec -- cargo test
  sidecar exec --report run.jsonl -- cargo nextest run --profile ci
  sidecar exec --config sidecar.yml --progress never -- make check

A report line (a key without a value is left out):
  {\"timestamp\":\"2026-05-04T09:30:00.123456789Z\",\"event_type\":\"test_end\",\"signal\":\"test_events\",
   \"provider\":\"sidecar\",\"marker\":\"test_end\",\"test_id\":\"parser::empty\",\"status\":\"passed\",
   \"duration_ms\":1.25,\"pid\":4242,\"tid\":4243,\"comm\":\"parser\",\"sample_rate\":1.0}"
)]
pub struct ExecArgs {
    /// Read the configuration from this file (YAML): more providers of markers, signals, limits.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write every event to this file, as JSON lines. It is made before the command starts.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Show a progress line on standard error. `auto`: if it is a terminal, and the command has not taken it over.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: When,
    /// Sum up on standard error at the end. `auto`: if anything was watched or missed.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub summary: When,
    /// Keep this share of the tests' events, 0 to 1. A test is kept whole or not at all; failures are always kept, with
    /// their starts, and all are counted.
    #[arg(long, value_name = "SHARE", default_value = "1", value_parser = parse_rate)]
    pub rate: f64,
    /// How long a program may wait until its probes are on, in milliseconds; then it goes on unwatched.
    #[arg(long, value_name = "MS", default_value = "2000", value_parser = value_parser!(u64).range(1..=60_000))]
    pub deadline_ms: u64,
    /// Let no program wait: those that the command starts may run for a moment before their probes are on.
    #[arg(long)]
    pub no_gate: bool,
    /// The command to run, and its arguments.
    #[arg(value_name = "COMMAND", required = true, num_args = 1.., trailing_var_arg = true)]
    pub command: Vec<OsString>,
}

impl ExecArgs {
    /// How long a program may wait.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }
}

/// A share from 0 to 1.
fn parse_rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        Ok(_) | Err(_) => Err("it must be a number from 0 to 1".to_owned()),
    }
}
