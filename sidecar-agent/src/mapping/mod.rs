//! What a marker's arguments mean.

use sidecar_common::Status;

/// What a hit of the marker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Neither a test's start nor its end.
    Generic,
    /// A test, or an attempt of it, starts.
    TestStart,
    /// A test, or an attempt of it, ends.
    TestEnd,
    /// A program reports an anomaly.
    Anomaly,
}

/// What an argument is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArgKind {
    /// An integer.
    Integer,
    /// A pointer to a NUL-terminated string.
    String,
    /// A pointer to bytes.
    Bytes {
        /// Position of the argument that holds their number.
        len_arg: u8,
    },
}

/// Unit of a duration argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DurationUnit {
    /// 1e-9 s.
    Nanoseconds,
    /// 1e-6 s.
    Microseconds,
    /// 1e-3 s.
    Milliseconds,
    /// 1 s.
    Seconds,
}

impl DurationUnit {
    /// Nanoseconds in one of this unit.
    #[must_use]
    pub const fn nanoseconds(self) -> u64 {
        match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
        }
    }
}

/// The part an argument plays in the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The sampling key.
    Key,
    /// The test's id.
    TestId,
    /// The run's id.
    RunId,
    /// The suite.
    Suite,
    /// The attempt's number.
    Attempt,
    /// The outcome.
    Status,
    /// How long it took.
    Duration(DurationUnit),
    /// A message.
    Message,
    /// The event's type.
    EventType,
    /// The signal's name.
    Signal,
    /// Payload.
    Data,
    /// Payload that is JSON.
    Json,
    /// Nothing special: kept under its name.
    Plain,
    /// Not wanted.
    Ignore,
}

/// One argument of a marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgMapping {
    /// Its name in the event.
    pub name: String,
    /// Its role.
    pub role: Role,
    /// What it is.
    pub kind: ArgKind,
    /// Whether it is signed; `None`: as the note says.
    pub signed: Option<bool>,
}

/// A value of a status argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatusValue {
    /// An integer.
    Number(i64),
    /// A string.
    Word(String),
}

/// What one marker means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The provider's exact name.
    pub provider: String,
    /// The marker's exact name.
    pub marker: String,
    /// What a hit is.
    pub event: EventKind,
    /// The event's type; `None`: derived.
    pub event_type: Option<String>,
    /// The signal whose sampling rate applies.
    pub signal: String,
    /// The arguments by position.
    pub args: Vec<ArgMapping>,
    /// Which values mean which status; empty: the integer is the status number.
    pub status: Vec<(StatusValue, Status)>,
}
