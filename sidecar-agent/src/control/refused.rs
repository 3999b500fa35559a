//! Why the agent did not do what it was asked.

use std::time::Duration;

use crate::config::Place;

/// Why a signal was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// No signal has this name.
    #[error("there is no signal `{signal}`")]
    UnknownSignal {
        /// The name.
        signal: String,
        /// The known name that is most like it, if one is.
        nearest: Option<String>,
    },
    /// The value is right in form, and can't be had.
    #[error("{reason}")]
    Value {
        /// Why not.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// A limit in time is used up, for instance that of boosted time in an hour.
    #[error("{reason}")]
    Exhausted {
        /// Which limit.
        reason: String,
        /// When to ask again.
        retry_after: Duration,
    },
    /// The part that would do it does not run.
    #[error("{reason}")]
    Unavailable {
        /// Why not.
        reason: String,
    },
}

/// Why the configuration was not taken over. The old one stays in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
#[error("the configuration stays as it was: {reason}")]
pub struct ReloadRefused {
    /// What is wrong, as `sidecar check` says it.
    pub reason: String,
    /// The same in parts.
    pub place: Box<Place>,
    /// Keys whose change takes a restart.
    pub needs_restart: Vec<String>,
}
