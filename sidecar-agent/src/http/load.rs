//! What a server says of itself for health: its connections, and whether it has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use tokio::sync::OwnedSemaphorePermit;

/// Figures of a server, which outlive it.
#[derive(Debug, Default)]
pub struct Load {
    limit: u64,
    open: AtomicU64,
    crowded: AtomicU64,
    ended: AtomicBool,
}

impl Load {
    pub(super) fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, ..Self::default() })
    }

    /// Most connections, over all listeners.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Open connections.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// How often all connections of a listener were taken.
    #[must_use]
    pub fn crowded(&self) -> u64 {
        self.crowded.load(Relaxed)
    }

    /// Whether the server has ended.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    /// All connections of a listener are taken.
    pub(super) fn crowds(&self) {
        self.crowded.fetch_add(1, Relaxed);
    }
}

/// Says that the server has ended, however it did.
pub(super) struct Running(pub(super) Arc<Load>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.ended.store(true, Relaxed);
    }
}

/// A connection's place, until it is dropped.
pub(super) struct Place {
    load: Arc<Load>,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    pub(super) fn new(load: &Arc<Load>, permit: OwnedSemaphorePermit) -> Self {
        load.open.fetch_add(1, Relaxed);
        Self { load: Arc::clone(load), _permit: permit }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.load.open.fetch_sub(1, Relaxed);
    }
}
