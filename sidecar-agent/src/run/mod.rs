//! `sidecar run`: the agent for a node, from its start to its orderly end. What runs is [`crate::runtime`].

mod agent;
mod descriptors;

use std::path::PathBuf;

use crate::{
    check,
    cli::RunArgs,
    config::{self, ConfigError, EX_CONFIG},
    privilege,
    runtime::{Origin, RuntimeError, Start},
};

/// Why the agent could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The agent could not start.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
}

impl RunError {
    /// With which status the program ends.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Runtime(RuntimeError::Wanted(_) | RuntimeError::Security(_)) => EX_CONFIG,
            Self::Runtime(
                RuntimeError::Sink(_)
                | RuntimeError::Handlers(_)
                | RuntimeError::Http(_)
                | RuntimeError::Socket(_)
                | RuntimeError::Metrics(_)
                | RuntimeError::System(_)
                | RuntimeError::Running,
            ) => 1,
        }
    }
}

/// Runs the agent until SIGTERM or SIGINT. SIGHUP reads the configuration again.
///
/// # Errors
/// Only what can't be told by health: see [`RunError`]. A kernel that can't be watched is health's to tell.
pub fn run(args: &RunArgs, object: Option<PathBuf>) -> Result<(), RunError> {
    let config = config::read(args.config.as_deref(), &check::overrides(args.listen))?;
    for hint in config.hints() {
        tracing::warn!("{hint}");
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RuntimeError::System)?;
    descriptors::raise();
    // Before any other thread starts: capabilities are a thread's own, and handed down.
    match privilege::give_up_unused(privilege::Part::Agent) {
        Ok(names) if names.is_empty() => {}
        Ok(names) => tracing::info!("gave up {} capabilities that it does not use", names.len()),
        Err(error) => tracing::warn!("it keeps capabilities that it does not use: {error}"),
    }
    let origin = Origin { file: args.config.clone(), listen: args.listen };
    let start =
        Start { origin: Some(origin), object, serve: true, sinks: true, ignore_own: true, is_sidecar: true };
    runtime.block_on(agent::live(&config, start))
}
