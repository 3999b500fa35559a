//! What the control API asks of the agent: one trait, whose answers are plain data with a schema.
//!
//! The HTTP server calls the methods on a thread where they may block, one reading and one writing call at a time,
//! and waits no longer than a bound. So a method may read the kernel's maps, and need not be quick.

mod answers;
mod durations;
#[cfg(test)]
pub(crate) mod fake;
mod refused;

use std::time::Duration;

pub use answers::{
    Account, Anomaly, Balance, Budget, BudgetLimits, BudgetUse, ConfigReport, ConfigValue, Current, Drops,
    EventCount, EventType, EventTypes, Image, Images, Probe, Probes, Profile, ReloadReport, Sampling,
    SignalState, Stats, Summary, Test, Tests,
};
pub use durations::{Bucket, Durations};
pub use refused::{Refused, ReloadRefused};

/// The running agent, as its API sees it.
pub trait Control: Send + Sync {
    /// What was counted, and how it balances.
    fn stats(&self) -> Stats;
    /// The rates of every signal.
    fn sampling(&self) -> Sampling;
    /// The agent's own cost, now and over the last `window`.
    fn profile(&self, window: Duration) -> Profile;
    /// The budget, and what the governor does to keep it.
    fn budget(&self) -> Budget;
    /// The watched markers and functions.
    fn probes(&self) -> Probes;
    /// The files with probes.
    fn images(&self) -> Images;
    /// The tests that run now and those that ended last; a bounded list.
    fn tests(&self) -> Tests;
    /// The configuration in force. Secrets are not in it.
    fn config(&self) -> ConfigReport;

    /// Reads the configuration again and applies it, whole or not at all.
    ///
    /// # Errors
    /// What is wrong with it; the old one stays in force.
    fn reload(&self) -> Result<ReloadReport, ReloadRefused>;
    /// Sets a signal's configured rate (0 to 1, checked by the caller) until the next reload.
    ///
    /// # Errors
    /// See [`Refused`].
    fn set_rate(&self, signal: &str, rate: f64) -> Result<SignalState, Refused>;
    /// Multiplies a signal's rate by `factor` (above 1, checked by the caller) for `duration`.
    ///
    /// # Errors
    /// See [`Refused`].
    fn boost(&self, signal: &str, factor: f64, duration: Duration) -> Result<SignalState, Refused>;
    /// Ends a signal's boost; one that is not boosted stays as it is.
    ///
    /// # Errors
    /// See [`Refused`].
    fn clear_boost(&self, signal: &str) -> Result<SignalState, Refused>;
    /// Counts an anomaly of a signal, which may start a boost.
    ///
    /// # Errors
    /// See [`Refused`].
    fn report_anomaly(&self, signal: &str, kind: &str) -> Result<Anomaly, Refused>;
}
