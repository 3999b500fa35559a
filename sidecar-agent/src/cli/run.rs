//! `sidecar run`.

use clap::Args;
use std::net::SocketAddr;
use std::path::PathBuf;

/// What `sidecar run --help` says first.
pub(super) const LONG_ABOUT: &str = "\
Watch the programs of this node until SIGTERM or SIGINT.

Attaches to the configured files and libraries, and to every program that starts and carries a wanted marker. \
Events go to the configured sink as JSON lines; metrics and health are served over HTTP. SIGHUP reads the \
configuration again, as a change of its file does: it is taken over whole or not at all.";

/// Flags of `sidecar run`.
#[derive(Args, Debug)]
#[command(after_help = "\
Served over HTTP:
  GET /metrics  Prometheus metrics
  GET /health   the state of each part, as JSON; 503 if sidecar can't do its work
  GET /livez    200 while sidecar runs
  GET /readyz   200 while sidecar can do its work
  GET /         the list of all, with the control API

'sidecar health', 'sidecar status' and 'sidecar tail' ask it.

Exit status:
  0    stopped by SIGTERM or SIGINT
  1    sidecar could not start or go on
  2    wrong usage of sidecar
  78   the configuration can't be used; `sidecar check` says the same

Examples:
  sidecar run
  sidecar run --config /etc/sidecar/sidecar.yml --listen 127.0.0.1:9900")]
pub struct RunArgs {
    /// Read the configuration from this file (YAML).
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Serve HTTP on this address instead of the configured one (127.0.0.1:9808 if none is).
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
}
