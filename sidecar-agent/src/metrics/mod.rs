//! The Prometheus metrics. What is counted elsewhere (in the kernel, in queues and sinks) is copied into a
//! [`Snapshot`] at each scrape and turned into text; nothing here is touched by an event.
//!
//! Every metric is described in `docs/metrics.md`; a test holds the two together.

mod collector;
mod families;
mod process;
mod registry;
mod runtime;
mod series;
mod snapshot;

pub use registry::{BuildInfo, CONTENT_TYPE, Metrics, MetricsError};
pub use series::{MAX_SERIES, OTHER};
pub use snapshot::{
    FolderStats, GateFigures, GateState, ProbeStats, RuntimeFigures, SignalBoost, Snapshot, Source,
    StreamEvents, Usage,
};

#[cfg(test)]
mod tests;
