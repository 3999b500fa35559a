//! `sidecar run`: the agent for a node, from its start to its orderly end.
//!
//! Three parts run side by side: the data path ([`crate::observe`]), HTTP on a runtime of its own, and this, which
//! waits for signals and looks after health.

mod agent;
mod descriptors;
mod fan_out;
mod serving;
mod source;

use std::{io, path::PathBuf};

use crate::{
    check,
    cli::RunArgs,
    config::{self, Config, ConfigError, EX_CONFIG},
    http::{HttpError, SecurityError, SocketError},
    metrics::MetricsError,
    sinks::SinkError,
};

/// Why the agent could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A sink can't be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The address can't be listened on.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The Unix socket can't be had.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// The server can't be protected as configured.
    #[error(transparent)]
    Security(#[from] SecurityError),
    /// The metrics can't be registered.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// What is wanted contradicts itself.
    #[error("{0}")]
    Wanted(String),
    /// A runtime, a thread or a signal handler can't be had.
    #[error("starting: {0}")]
    System(#[source] io::Error),
}

impl RunError {
    /// With which status the program ends.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Wanted(_) | Self::Security(_) => EX_CONFIG,
            Self::Sink(_) | Self::Http(_) | Self::Socket(_) | Self::Metrics(_) | Self::System(_) => 1,
        }
    }
}

/// Runs the agent until SIGTERM or SIGINT.
///
/// # Errors
/// Only what can't be told by health: see [`RunError`]. A kernel that can't be watched is health's to tell.
pub fn run(args: &RunArgs, object: Option<PathBuf>) -> Result<(), RunError> {
    let config = configuration(args)?;
    for hint in config.hints() {
        tracing::warn!("{hint}");
    }
    for key in config.not_yet_in_force() {
        tracing::warn!("{key} is set but has no effect in this version");
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::System)?;
    descriptors::raise();
    runtime.block_on(agent::live(&config, object))
}

fn configuration(args: &RunArgs) -> Result<Config, ConfigError> {
    config::read(args.config.as_deref(), &check::overrides(args.listen))
}
