//! How durations are shown: counted by powers of two.

use serde::{Deserialize, Serialize};

/// Durations, counted by powers of two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Durations {
    /// How many.
    pub count: u64,
    /// Their sum in seconds.
    pub sum_seconds: f64,
    /// Those buckets in which any are, the shortest first.
    pub buckets: Vec<Bucket>,
}

/// Durations within a power of two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Bucket {
    /// The longest that it counts, in seconds; null: there is no bound.
    pub up_to_seconds: Option<f64>,
    /// How many are longer than what the bucket before it counts, and not longer than this.
    pub count: u64,
}
