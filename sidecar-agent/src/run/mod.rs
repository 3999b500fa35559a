//! `sidecar run`: the agent for a node, from its start to its orderly end.
//!
//! Three parts run side by side: the data path ([`crate::observe`]), HTTP on a runtime of its own, and this, which
//! waits for signals and looks after health.

mod agent;
mod descriptors;
mod fan_out;
mod serving;
mod source;

use std::{collections::BTreeMap, io, path::PathBuf};

use crate::{
    cli::RunArgs,
    config::{self, Config, ConfigError, Override, Sources},
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

/// Runs the agent until SIGTERM or SIGINT.
///
/// # Errors
/// Only what can't be told by health: see [`RunError`]. A kernel that can't be watched is health's to tell.
pub fn run(args: &RunArgs, object: Option<PathBuf>) -> Result<(), RunError> {
    let config = configuration(args)?;
    for key in config.not_yet_in_force() {
        tracing::warn!("{key} is set but has no effect in this version");
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::System)?;
    descriptors::raise();
    runtime.block_on(agent::live(&config, object))
}

fn configuration(args: &RunArgs) -> Result<Config, ConfigError> {
    let file = args.config.as_deref().map(config::read_file).transpose()?;
    let env: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let listen = args.listen.map(|address| address.to_string());
    let flags: Vec<Override> = listen
        .iter()
        .map(|value| Override { flag: "--listen", key: "http.listen", value: value.clone() })
        .collect();
    config::load(&Sources { file: file.as_ref(), env, flags: &flags })
}
