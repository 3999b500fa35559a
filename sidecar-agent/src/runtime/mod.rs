//! The agent as a whole: what `sidecar run` runs, and what a Rust program can hold in its hand.
//!
//! [`SidecarRuntime`] is the small face of it; docs/quick_start.md shows each use. Threads besides those of
//! [`crate::observe`], the sinks, the handlers and HTTP: `sidecar-keeper`, which measures the agent's own cost, keeps the
//! budget and looks after health, and `sidecar-config`, which sleeps until the configuration's file changes.

mod accounts;
mod checks;
mod control;
mod core;
mod facade;
mod fan_out;
mod first_event;
mod heap;
mod keeper;
mod node;
mod observing;
mod rates;
mod reload;
mod seen;
mod serving;
mod source;

use std::io;

pub use facade::{MetricValue, Observing, Profiling, Sampler, SidecarRuntime};
pub use node::{Node, Start};
pub use reload::{Origin, ReloadError};

use crate::{
    handlers::HandlersError,
    http::{HttpError, SecurityError, SocketError},
    metrics::MetricsError,
    sinks::SinkError,
};

/// Why an agent could not start.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// A sink can't be written.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// A handler can't be started.
    #[error("handlers: {0}")]
    Handlers(#[from] HandlersError),
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
    /// It runs already.
    #[error("it runs already; stop it first")]
    Running,
}
