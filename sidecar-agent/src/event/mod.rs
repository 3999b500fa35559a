//! From a record's bytes to an event and its JSON line.
//!
//! [`decode`] parses the bytes of the ring and copies out; [`Event::from_record`] gives them meaning by a
//! mapping; [`write_line`] makes the line of the report.
mod aborted;
mod build;
mod decode;
mod json;
mod payload;
mod time;
mod weight;

use std::sync::Arc;

use serde::{Serialize, Serializer};
use sidecar_common::Status;

pub use build::{Names, Reading};
#[cfg(test)]
pub(crate) use decode::tests as records;
pub use decode::{DecodeError, Record, Value, decode};
pub use json::write_line;
pub use time::rfc3339;
pub use weight::{MOST_EVENT_BYTES, event_bytes};

/// Key in [`Event::data`] of the arguments that have no value although they should: name and reason (`fault`:
/// the program's memory could not be read; `dropped`: a payload left out to stay inside the agent's budget; `unread`: the note's text is not understood; `out of range`;
/// `absent`: the site has fewer arguments than the mapping).
pub const MISSING: &str = "_missing";
/// Key in [`Event::data`] of the names of arguments that were cut at the string limit.
pub const TRUNCATED: &str = "_truncated";

/// A decoded hit. Serialised, it is one object of the report; what has no value is left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// When, in nanoseconds since 1970 UTC.
    #[serde(rename = "timestamp", serialize_with = "timestamp")]
    pub time_ns: i64,
    /// `test_start`, `test_end`, `test_failure`, or any other word.
    pub event_type: Arc<str>,
    /// The signal whose rate applied.
    pub signal: Arc<str>,
    /// The marker's provider.
    pub provider: Arc<str>,
    /// The marker's name.
    pub marker: Arc<str>,
    /// Id of the test, unique within a run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test_id: Option<String>,
    /// Id of the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// Suite of the test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    /// Number of the attempt, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The outcome, where the marker has one.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "status")]
    pub status: Option<Status>,
    /// The duration in nanoseconds; in JSON milliseconds, to the nanosecond.
    #[serde(
        rename = "duration_ms",
        skip_serializing_if = "Option::is_none",
        serialize_with = "milliseconds"
    )]
    pub duration_ns: Option<u64>,
    /// Why the test failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Process that hit the marker, in the initial pid namespace.
    pub pid: u32,
    /// Thread that hit it.
    pub tid: u32,
    /// The thread's name.
    pub comm: String,
    /// Id of its cgroup.
    pub cgroup_id: u64,
    /// Id of the container, where the path of its cgroup names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<Arc<str>>,
    /// The rate under which the event was kept, above 0 and at most 1.
    pub sample_rate: f64,
    /// Whatever else the marker carried.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    pub data: serde_json::Map<String, serde_json::Value>,
    /// The marker's own hash of run and test, if it passed one. Not part of the report.
    #[serde(skip)]
    pub key: Option<u64>,
    /// What is kept by its rate only makes room for it: a test's end that did not simply pass, its start if it was held, or
    /// an anomaly that a program reports. Not part of the report.
    #[serde(skip)]
    pub precious: bool,
    /// What a hit of this marker is. Not part of the report.
    #[serde(skip)]
    pub kind: crate::mapping::EventKind,
}

impl Event {
    /// What the event's fate was decided by, together with that of others of its test: the marker's key, else a hash of
    /// the test's id. None: it was sampled by itself.
    #[must_use]
    pub fn sampled_with(&self) -> Option<u64> {
        let hash = |id: &String| id.bytes().fold(sidecar_common::FNV_OFFSET, sidecar_common::fnv1a_step);
        self.key.or_else(|| self.test_id.as_ref().map(hash))
    }
}

fn timestamp<S: Serializer>(time_ns: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&rfc3339(*time_ns))
}

fn status<S: Serializer>(status: &Option<Status>, serializer: S) -> Result<S::Ok, S::Error> {
    status.map(Status::name).serialize(serializer)
}

fn milliseconds<S: Serializer>(ns: &Option<u64>, serializer: S) -> Result<S::Ok, S::Error> {
    ns.map(|ns| ns as f64 / 1e6).serialize(serializer)
}
