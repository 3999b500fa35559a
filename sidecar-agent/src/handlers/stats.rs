//! What a handler has done so far, as health, metrics and the API show it.

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::reason::Reason;
use crate::event::rfc3339;

/// What a handler does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It runs a program.
    Command,
    /// It sends HTTP requests.
    Http,
    /// It writes a file.
    Jsonl,
    /// It calls a function of this program.
    Function,
}

impl Kind {
    /// The word for metrics and health.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Http => "http",
            Self::Jsonl => "jsonl",
            Self::Function => "function",
        }
    }
}

/// The last thing that went wrong. A later success does not take it away: see
/// [`HandlerStats::consecutive_failures`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastError {
    /// When, in nanoseconds since 1970 UTC.
    #[serde(rename = "time", serialize_with = "time")]
    pub at_ns: i64,
    /// The reason by which it is counted.
    pub reason: Reason,
    /// What happened, on one line and without control characters.
    pub text: String,
}

/// One handler's counters. `received = handled + failed + dropped + waiting + in_flight`, to the unit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HandlerStats {
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: Kind,
    /// Events that passed its filter.
    pub received: u64,
    /// Events that it handled.
    pub handled: u64,
    /// Events that it did not, by reason (the position in [`Reason::ALL`]).
    #[serde(rename = "not_handled", serialize_with = "by_reason")]
    pub counts: [u64; Reason::COUNT],
    /// Events that wait: in the queue, and for `http` in the spool.
    pub waiting: u64,
    /// Events that it is at work on, or waits to try again.
    pub in_flight: u64,
    /// Memory, about, of what waits and of what it is at work on.
    pub waiting_bytes: u64,
    /// Most events that wait in the queue.
    pub capacity: u64,
    /// Failures, single attempts included, since the last success. Drops are none.
    pub consecutive_failures: u64,
    /// Whether it works. False once it has ended.
    pub running: bool,
    /// The last failure.
    pub last_error: Option<LastError>,
}

impl HandlerStats {
    /// Events not handled for one reason.
    #[must_use]
    pub const fn count(&self, reason: Reason) -> u64 {
        self.counts[reason as usize]
    }

    /// Every reason with its count, zeros included.
    pub fn reasons(&self) -> impl Iterator<Item = (Reason, u64)> {
        Reason::ALL.into_iter().zip(self.counts)
    }

    /// Events that it tried and did not manage.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.reasons().filter(|(reason, _)| !reason.is_drop()).map(|(_, count)| count).sum()
    }

    /// Events that it never tried.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.reasons().filter(|(reason, _)| reason.is_drop()).map(|(_, count)| count).sum()
    }
}

/// The counts that are not 0, by name.
fn by_reason<S: Serializer>(counts: &[u64; Reason::COUNT], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(None)?;
    for (reason, count) in Reason::ALL.into_iter().zip(counts).filter(|(_, count)| **count > 0) {
        map.serialize_entry(reason.name(), count)?;
    }
    map.end()
}

fn time<S: Serializer>(at_ns: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*at_ns))
}
