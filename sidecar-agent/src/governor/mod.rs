//! Keeps the agent within its budget: measured cost in, a step of the ladder out. Pure; time is passed in as
//! nanoseconds of CLOCK_MONOTONIC. docs/governor.md explains the ladder and its thresholds.
//!
//! ```
//! use sidecar_agent::governor::{Budget, Governor, Level, Sample};
//!
//! let mut governor = Governor::new(Budget { cpu_percent: 5.0, memory_bytes: 100_000_000 });
//! for second in 0..5 {
//!     let now_ns = second * 1_000_000_000;
//!     governor.observe(&Sample { now_ns, cpu_percent: Some(40.0), memory_bytes: None, hits_per_second: None });
//! }
//! assert!(governor.decision().level >= Level::Eighth);
//! ```
mod cause;
mod hold;
mod ladder;
mod needs;
mod state;
mod streaks;

use serde::Serialize;

pub use crate::event::{MOST_EVENT_BYTES, event_bytes};
pub use cause::{Cause, Resource, Transition};
pub use ladder::Level;
pub use needs::{LEAST_QUEUE_BYTES, Needs, TooSmall, needs, stream_bytes};
pub use state::{Governor, MOST_TRANSITIONS, View};

/// What the agent may cost.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Budget {
    /// Percent of one core.
    pub cpu_percent: f64,
    /// Bytes.
    pub memory_bytes: u64,
}

impl Budget {
    /// The budget of a config.
    #[must_use]
    pub fn of(resources: &crate::config::Resources) -> Self {
        Self {
            cpu_percent: resources.max_cpu_percent,
            memory_bytes: resources.max_memory_mb.saturating_mul(1_000_000),
        }
    }
}

/// What the agent cost between the sample before and this one. What could not be measured is `None`, never 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When, in nanoseconds of CLOCK_MONOTONIC.
    pub now_ns: u64,
    /// Percent of one core.
    pub cpu_percent: Option<f64>,
    /// Bytes now.
    pub memory_bytes: Option<u64>,
    /// Hits a second, whatever is kept of them: what tells that a flood is over. `None` where no probe is attached.
    pub hits_per_second: Option<f64>,
}

/// What is to be given up at once, besides the step: memory that can be had back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shed {
    /// Nothing.
    #[default]
    Nothing,
    /// Caches that can be filled again.
    Caches,
    /// Caches, and the older half of the queue (counted as dropped for memory).
    Queue,
}

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Decision {
    /// The step of the ladder.
    pub level: Level,
    /// What every signal's rate is multiplied by.
    pub rate_factor: f64,
    /// Whether records carry messages and data.
    pub payloads: bool,
    /// Whether probes are attached.
    pub attached: bool,
    /// What to give up at once. Set in one decision only, not until the next.
    pub shed: Shed,
    /// Why this step.
    pub cause: Cause,
    /// Since when, in nanoseconds of CLOCK_MONOTONIC.
    pub since_ns: u64,
    /// Whether the step differs from that of the decision before.
    pub changed: bool,
}

#[cfg(test)]
mod tests;
