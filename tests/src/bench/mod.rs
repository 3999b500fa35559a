//! What the measuring programs share: the built agent at work, what a process costs, and a load of hits.

pub mod agent;
pub mod flood;
pub mod load;
pub mod sites;
pub mod usage;

use serde_json::{Value, json};

/// One figure, in the form that `cargo xtask bench` reads.
#[must_use]
pub fn figure(name: &str, value: f64, unit: &str) -> Value {
    json!({"name": name, "value": value, "unit": unit})
}

/// The middle one of some values; 0 of none.
#[must_use]
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
