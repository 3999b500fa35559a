//! The state of the agent's components for `/health`, and of its start-up for `/readyz`.
//!
//! Whoever knows a component's state sets it; asking copies a small map under a lock that nothing holds for
//! longer. The clock is passed in.

mod checks;
mod registry;
mod report;

pub use checks::{Checks, kernel};
pub use registry::{Health, Readiness, STALLED_DEGRADED, STALLED_UNHEALTHY};
pub use report::{Component, Level, Number, Report, Resources, Step};
