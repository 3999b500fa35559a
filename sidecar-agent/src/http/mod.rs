//! The read-only HTTP server: `/metrics`, `/health`, `/livez`, `/readyz`. It runs on a thread and a runtime
//! of its own, so it answers while everything else is stalled, and its limits hold whoever connects.

mod routes;
mod scrape;
mod server;

use std::fmt::Display;
use std::io;
use std::net::{TcpListener, ToSocketAddrs};
use std::sync::Arc;

pub use scrape::SCRAPE_TIMEOUT;
pub use server::{Handle, Limits, serve, spawn, spawn_with};

use crate::health::Health;
use crate::metrics::Metrics;

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
    scrapes: Arc<scrape::Scrapes>,
}

impl State {
    /// Answers from `health` and `metrics`.
    #[must_use]
    pub fn new(health: Arc<Health>, metrics: Metrics) -> Self {
        Self { health, scrapes: Arc::new(scrape::Scrapes::new(metrics)) }
    }
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
