//! What clients may use.

use std::time::Duration;

/// What clients may use. Each of the two listeners has its own connections, so that a crowd on TCP never locks root
/// out of the Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections served at once by each listener; further ones wait in the kernel's backlog.
    pub connections: usize,
    /// Time for a TLS handshake, and for a request's head to arrive.
    pub header_timeout: Duration,
    /// Time for a request's body to arrive.
    pub body_timeout: Duration,
    /// Time from the start of a connection to its end; a stream of events has no end.
    pub connection_timeout: Duration,
    /// Time for which a client may take nothing of what is written to it.
    pub write_timeout: Duration,
    /// Time that `/metrics` and the reading calls of the API wait for the agent.
    pub read_timeout: Duration,
    /// Time that the writing calls of the API wait for the agent.
    pub change_timeout: Duration,
    /// Pause after which a quiet stream of events shows that it lives.
    pub heartbeat: Duration,
    /// Bytes of a request's head; hyper asks for 8 KiB at least.
    pub head_bytes: usize,
    /// Bytes of a request's body.
    pub body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            header_timeout: Duration::from_secs(5),
            body_timeout: Duration::from_secs(5),
            connection_timeout: Duration::from_secs(15),
            write_timeout: Duration::from_secs(30),
            read_timeout: Duration::from_secs(2),
            change_timeout: Duration::from_secs(8),
            heartbeat: Duration::from_secs(15),
            head_bytes: 16 * 1024,
            body_bytes: 16 * 1024,
        }
    }
}
