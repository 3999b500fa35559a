//! What is on the shelves, shared by many buyers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The pieces of one article.
#[derive(Debug, Default)]
pub struct Stock {
    free: AtomicU64,
    latency: Duration,
}

impl Stock {
    /// A stock of so many pieces.
    #[must_use]
    pub fn new(pieces: u64) -> Self {
        Self { free: AtomicU64::new(pieces), latency: Duration::ZERO }
    }

    /// A warehouse that takes its time to answer.
    #[must_use]
    pub fn remote(pieces: u64, latency: Duration) -> Self {
        Self { latency, ..Self::new(pieces) }
    }

    /// The pieces that nobody has reserved.
    #[must_use]
    pub fn free(&self) -> u64 {
        std::thread::sleep(self.latency);
        self.free.load(Relaxed)
    }

    /// Reserves pieces, all or none; whether they were there.
    pub fn reserve(&self, pieces: u64) -> bool {
        std::thread::sleep(self.latency);
        self.free.fetch_update(Relaxed, Relaxed, |free| free.checked_sub(pieces)).is_ok()
    }
}
