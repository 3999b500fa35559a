//! The control API, health and metrics over HTTP. It runs on a thread and a runtime of its own, so it answers while
//! everything else is stalled, and its limits hold whoever connects.
//!
//! Two listeners share the routes: a Unix socket for root, where everything is allowed, and TCP, where what is allowed
//! depends on who asks (`access`). `endpoints` is the list of all that is answered.

mod access;
mod api;
mod connection;
mod endpoints;
mod guard;
mod limits;
mod load;
mod password;
mod patience;
mod reply;
mod router;
mod routes;
mod server;
mod sse;
mod token;
mod turn;
mod unix;
mod web_config;

use std::fmt::Display;
use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::sync::{Arc, OnceLock};

pub use guard::{Guard, SecurityError, SecurityFiles};
pub use limits::Limits;
pub use load::Load;
pub use server::{Handle, Listeners, spawn};
pub use unix::{Socket, SocketError};
pub use web_config::WebConfigError;

use crate::control::Control;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::stream::Hub;
use turn::Turn;

/// Why there is no HTTP server.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address can't be listened on.
    #[error("can't listen on {address}: {source}. {advice} (http.listen)")]
    Bind {
        /// The address as configured.
        address: String,
        /// What the system said.
        source: io::Error,
        /// What to do.
        advice: &'static str,
    },
    /// The server's thread or runtime can't be started.
    #[error("can't start the HTTP server: {0}")]
    Start(#[source] io::Error),
    /// The server's thread panicked.
    #[error("the HTTP server's thread panicked")]
    Panicked,
}

/// What the server answers from.
#[derive(Clone)]
pub struct State {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    control: Arc<OnceLock<Arc<dyn Control>>>,
    events: Arc<Hub>,
    scrape: Turn,
    reading: Turn,
    changing: Turn,
    refreshing: Turn,
}

impl State {
    /// Answers from `health` and `metrics`, and streams what is published in `events`. The API says that the agent
    /// has not started until [`State::set_control`].
    #[must_use]
    pub fn new(health: Arc<Health>, metrics: Arc<Metrics>, events: Arc<Hub>) -> Self {
        Self {
            health,
            metrics,
            control: Arc::default(),
            events,
            scrape: Turn::new(),
            reading: Turn::new(),
            changing: Turn::new(),
            refreshing: Turn::new(),
        }
    }

    /// Gives the API the running agent, once; also while the server runs.
    pub fn set_control(&self, control: Arc<dyn Control>) {
        // The first one stays: there is one agent in a process.
        let _ = self.control.set(control);
    }
}

/// What answers a request.
#[derive(Clone)]
struct Served {
    state: State,
    guard: Arc<Guard>,
    limits: Limits,
}

/// Listens on `address` (with `SO_REUSEADDR`, which the standard library sets, so that a restart finds the
/// port free). Connections wait in the kernel's backlog until the server runs.
///
/// # Errors
/// The address, the system's reason, and the configuration key that holds the address.
pub fn bind(address: impl ToSocketAddrs + Display) -> Result<TcpListener, HttpError> {
    let refused = |source: io::Error| {
        let advice = match source.kind() {
            io::ErrorKind::AddrInUse => {
                "Another program has the port (`ss -ltnp` names it); stop it or configure another address"
            }
            io::ErrorKind::AddrNotAvailable => "This machine has no such address; configure one that it has",
            io::ErrorKind::PermissionDenied => "Ports below 1024 need privilege; configure a higher one",
            _ => "Configure another address",
        };
        HttpError::Bind { address: address.to_string(), source, advice }
    };
    let listener = TcpListener::bind(&address).map_err(refused)?;
    listener.set_nonblocking(true).map_err(refused)?;
    Ok(listener)
}

#[cfg(test)]
mod tests;
