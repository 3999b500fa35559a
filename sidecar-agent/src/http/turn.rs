//! One blocking call of a kind at a time, each on a thread where it may block, and none waited for longer than a
//! bound.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

/// The turn to make calls of one kind.
#[derive(Clone)]
pub(super) struct Turn(Arc<Semaphore>);

/// Why a call gave nothing.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TurnError {
    /// It did not end in time, or its turn did not come.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// It panicked.
    #[error("the call broke off: {0}")]
    Broken(String),
}

impl Turn {
    pub(super) fn new() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }

    /// What the call gives. A call that is not waited for any more keeps its turn until it ends, so that no more than
    /// one thread of its kind is ever stuck.
    pub(super) async fn call<T: Send + 'static>(
        &self,
        timeout: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, TurnError> {
        let call = async {
            let broken = |error: &dyn std::fmt::Display| TurnError::Broken(error.to_string());
            let turn = Arc::clone(&self.0).acquire_owned().await.map_err(|error| broken(&error))?;
            let work = move || {
                let done = work();
                drop(turn);
                done
            };
            tokio::task::spawn_blocking(work).await.map_err(|error| broken(&error))
        };
        tokio::time::timeout(timeout, call).await.unwrap_or(Err(TurnError::Timeout(timeout)))
    }
}
