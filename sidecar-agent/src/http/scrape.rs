//! One scrape at a time, each on a thread where it may block, and none waited for longer than a bound.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::metrics::Metrics;

/// Longest time that a request for `/metrics` waits, for its turn and for its text.
pub const SCRAPE_TIMEOUT: Duration = Duration::from_secs(2);

/// The metrics and the turn to read them.
pub(super) struct Scrapes {
    metrics: Arc<Metrics>,
    turn: Arc<Semaphore>,
}

impl Scrapes {
    pub(super) fn new(metrics: Metrics) -> Self {
        Self { metrics: Arc::new(metrics), turn: Arc::new(Semaphore::new(1)) }
    }

    /// The text, or why there is none. A scrape that is not waited for any more keeps its turn until its
    /// source lets it go, so that no more than one thread is ever stuck.
    pub(super) async fn text(&self, timeout: Duration) -> Result<String, String> {
        let scrape = async {
            let turn = Arc::clone(&self.turn).acquire_owned().await.map_err(|error| error.to_string())?;
            let metrics = Arc::clone(&self.metrics);
            let work = move || {
                let text = metrics.encode();
                drop(turn);
                text
            };
            let done = tokio::task::spawn_blocking(work).await;
            done.map_err(|error| format!("the scrape broke off: {error}"))?.map_err(|error| error.to_string())
        };
        match tokio::time::timeout(timeout, scrape).await {
            Ok(done) => done,
            Err(_) => Err(format!("the agent's counters could not be read within {timeout:?}; see /health")),
        }
    }
}
