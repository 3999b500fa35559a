//! The state of the agent's components for `/health`, and of its start-up for `/readyz`.
//!
//! Whoever knows a component's state sets it; asking copies a small map under a lock that nothing holds for
//! longer. The clock is passed in. docs/health.md describes every state.

mod checks;
mod handlers;
mod parts;
mod registry;
mod report;
mod states;
#[cfg(test)]
mod tests;

pub use checks::Checks;
pub use parts::{HttpFigures, Programs, config, kernel, programs};
pub use registry::{Health, Readiness, STALLED_DEGRADED, STALLED_UNHEALTHY};
pub use report::{Component, Level, Number, Report, Resources, Step};
