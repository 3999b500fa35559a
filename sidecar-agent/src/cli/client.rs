//! The verbs that ask a running agent: `sidecar health`, `sidecar status`, `sidecar tail`.

use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// What `sidecar health --help` says first.
pub(super) const HEALTH_ABOUT: &str = "\
Ask a running agent how it is.

Shows the state of each part, and says it by the exit status.";

/// What `sidecar status --help` says first.
pub(super) const STATUS_ABOUT: &str = "\
Show what a running agent does: health, counts, rates, and its own cost.";

/// What `sidecar tail --help` says first.
pub(super) const TAIL_ABOUT: &str = "\
Show the events of a running agent as they come.

A condition takes a list with commas, of which any will do; several conditions hold together. Events that come faster \
than they can be shown are lost, here and nowhere else, and their number is told.";

/// Which agent is asked.
#[derive(Args, Debug)]
#[command(next_help_heading = "Which agent")]
pub struct AgentArgs {
    /// Ask on this Unix socket [default: /run/sidecar/sidecar.sock; where that can't be reached, 127.0.0.1:9808].
    #[arg(long, value_name = "PATH", conflicts_with = "address")]
    pub socket: Option<PathBuf>,
    /// Ask at this address.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub address: Option<SocketAddr>,
    /// Send the token in this file.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Seconds to wait for an answer.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub timeout: u64,
}

impl AgentArgs {
    /// How long to wait for an answer.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }
}

/// Flags of `sidecar health`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status:
  0    healthy
  1    degraded: something is missing or lost, and the agent goes on
  2    unhealthy, not reachable, or wrong usage

Examples:
  sudo sidecar health
  sidecar health --address 127.0.0.1:9808 --json")]
pub struct HealthArgs {
    /// Which agent is asked.
    #[command(flatten)]
    pub agent: AgentArgs,
    /// Show the answer as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `sidecar status`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status:
  0    healthy
  1    degraded: something is missing or lost, and the agent goes on
  2    unhealthy, not reachable, or wrong usage

Examples:
  sudo sidecar status
  sudo sidecar status --json | jq .stats.balance")]
pub struct StatusArgs {
    /// Which agent is asked.
    #[command(flatten)]
    pub agent: AgentArgs,
    /// Show the answers as one JSON object.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `sidecar tail`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status:
  0    ended by SIGINT, by the reader of its output, or after --count events
  1    the agent ended the stream
  2    not reachable, refused, or wrong usage

Examples:
  sudo sidecar tail --status failed,error,timeout
  sudo sidecar tail --test-id 'billing::*' --json | jq .duration_ms")]
pub struct TailArgs {
    /// Which agent is asked.
    #[command(flatten)]
    pub agent: AgentArgs,
    /// Only events of these types.
    #[arg(long, value_name = "TYPES", help_heading = "Which events")]
    pub event_type: Vec<String>,
    /// Only events with these outcomes.
    #[arg(long, value_name = "STATUSES", help_heading = "Which events")]
    pub status: Vec<String>,
    /// Only events of these signals.
    #[arg(long, value_name = "SIGNALS", help_heading = "Which events")]
    pub signal: Vec<String>,
    /// Only events of markers of these providers.
    #[arg(long, value_name = "PROVIDERS", help_heading = "Which events")]
    pub provider: Vec<String>,
    /// Only events of tests whose id matches one of these patterns, with * and ?.
    #[arg(long, value_name = "PATTERNS", help_heading = "Which events")]
    pub test_id: Vec<String>,
    /// Show each event as a line of JSON.
    #[arg(long)]
    pub json: bool,
    /// End after so many events.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
}
