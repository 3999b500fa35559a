//! What a marker's arguments mean: provider, name, the role of each argument, which values mean which status.
//!
//! The presets ([`presets()`]) cover known programs; any other provider is
//! mapped by the configuration ([`from_config`]), and so are functions without markers ([`functions()`]).
mod attempt_id;
mod builtin;
mod check;
mod error;
mod functions;
mod parse;
mod place;
mod preset_libc;
mod presets;

use std::borrow::Cow;

use sidecar_common::{EVENT_ANOMALY, EVENT_GENERIC, EVENT_TEST_END, EVENT_TEST_START, Status};

pub use attempt_id::{AttemptId, test_id};
pub use builtin::{LIBRARY, builtin, is_own_library};
pub use error::{MappingError, Problem};
pub use functions::{FunctionMapping, Moment, RETURN, functions};
pub use parse::{all, from_config};
pub use place::{Absent, ArgAt, Base, Step};
pub use presets::{Preset, presets};

/// What a hit of a marker is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// Neither a start nor an end of a test: a custom event, or a foreign marker.
    Generic,
    /// A test, or an attempt of it, starts.
    TestStart,
    /// A test, or an attempt of it, ends.
    TestEnd,
    /// A program reports an anomaly.
    Anomaly,
}

impl EventKind {
    /// The `EVENT_` constant of the kernel ABI.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Generic => EVENT_GENERIC,
            Self::TestStart => EVENT_TEST_START,
            Self::TestEnd => EVENT_TEST_END,
            Self::Anomaly => EVENT_ANOMALY,
        }
    }
}

/// What an argument is in the program's registers or memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArgKind {
    /// A number of 1, 2, 4 or 8 bytes.
    Integer,
    /// A pointer to a NUL-terminated string.
    String,
    /// A pointer to bytes.
    Bytes {
        /// Position of the integer argument that holds their number.
        len_arg: u8,
    },
}

/// The unit of a duration argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DurationUnit {
    /// 1e-9 s.
    Nanoseconds,
    /// 1e-6 s.
    Microseconds,
    /// 1e-3 s.
    Milliseconds,
    /// s.
    Seconds,
}

impl DurationUnit {
    /// The unit in nanoseconds.
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

/// What an argument means. Each role but `Data`, `Json`, `Plain` and `Ignore` occurs at most once in a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A 64-bit hash of run and test id, by which the kernel samples; 0 is none.
    Key,
    /// Id of the test, unique within a run.
    TestId,
    /// Name of the test within its suite; the test id is then `SUITE$NAME` (see [`test_id`]).
    TestName,
    /// Id of one attempt of a test, `RUN:SUITE[@stress-N]$TEST[#ATTEMPT]` (see [`AttemptId`]). Fills what no
    /// other argument gives of run id, suite, test id and attempt.
    AttemptId,
    /// Id of the run.
    RunId,
    /// The suite (class, file, binary) of the test.
    Suite,
    /// Number of the attempt, from 1; 0 is none.
    Attempt,
    /// The outcome, by [`Mapping::status`].
    Status,
    /// How long the test took.
    Duration(DurationUnit),
    /// Why the test failed, or any other text for people.
    Message,
    /// The event's type; where it is empty, [`Mapping::event_type`] applies.
    EventType,
    /// The signal whose rate an anomaly is to raise.
    Signal,
    /// A payload: the members of a JSON object go into the event's data one by one, anything else under the
    /// argument's name.
    Data,
    /// JSON that goes into the event's data under the argument's name, out of its `{"ok": ...}` wrapping if it
    /// has one, and as text if it is cut or is no JSON.
    Json,
    /// Goes into the event's data under the argument's name.
    Plain,
    /// Not shown.
    Ignore,
}

impl Role {
    /// The word for the role in the configuration.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::TestId => "test_id",
            Self::TestName => "test_name",
            Self::AttemptId => "attempt_id",
            Self::RunId => "run_id",
            Self::Suite => "suite",
            Self::Attempt => "attempt",
            Self::Status => "status",
            Self::Duration(_) => "duration",
            Self::Message => "message",
            Self::EventType => "event_type",
            Self::Signal => "signal",
            Self::Data => "data",
            Self::Json => "json",
            Self::Plain => "plain",
            Self::Ignore => "ignore",
        }
    }

    /// Whether an event can go without it when the agent has to save: it tells neither which test it is about nor
    /// what came of it.
    #[must_use]
    pub const fn is_payload(self) -> bool {
        match self {
            Self::Data | Self::Json | Self::Plain => true,
            Self::Key
            | Self::TestId
            | Self::TestName
            | Self::AttemptId
            | Self::RunId
            | Self::Suite
            | Self::Attempt
            | Self::Status
            | Self::Duration(_)
            | Self::Message
            | Self::EventType
            | Self::Signal
            | Self::Ignore => false,
        }
    }

    /// Whether a mapping may have several arguments of this role.
    #[must_use]
    pub const fn repeats(self) -> bool {
        matches!(self, Self::Data | Self::Json | Self::Plain | Self::Ignore)
    }
}

/// One argument of a marker. Its place in [`Mapping::args`] is its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgMapping {
    /// Its name in the event's data.
    pub name: String,
    /// What it means.
    pub role: Role,
    /// What it is.
    pub kind: ArgKind,
    /// Whether an integer has a sign; `None`: as the marker's note says.
    pub signed: Option<bool>,
}

/// One value of a status argument.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum StatusValue {
    /// An integer.
    Number(i64),
    /// A string, at most [`sidecar_common::STATUS_WORD_LEN`] bytes long.
    Word(String),
}

/// What one marker means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The marker's provider, exactly.
    pub provider: String,
    /// The marker's name, exactly.
    pub marker: String,
    /// What a hit is.
    pub event: EventKind,
    /// The event's type; `None`: `test_start`, `test_end` or `test_failure`, `anomaly`, or the marker's name
    /// with `_` for `-`.
    pub event_type: Option<String>,
    /// The signal whose sampling rate applies.
    pub signal: String,
    /// The arguments by position.
    pub args: Vec<ArgMapping>,
    /// Which value of the status argument means which status. Empty: the integer is the [`Status`] number.
    pub status: Vec<(StatusValue, Status)>,
}

impl Mapping {
    /// Position of the argument with a role. For [`Role::Duration`] the unit does not matter.
    #[must_use]
    pub fn position(&self, role: Role) -> Option<u8> {
        let same = |arg: &ArgMapping| std::mem::discriminant(&arg.role) == std::mem::discriminant(&role);
        self.args.iter().position(same).and_then(|position| u8::try_from(position).ok())
    }

    /// Position of the argument that the kernel hashes for sampling where the marker passes no key: the attempt
    /// id, else the test id, else the test's name.
    #[must_use]
    pub fn id_arg(&self) -> Option<u8> {
        [Role::AttemptId, Role::TestId, Role::TestName].into_iter().find_map(|role| self.position(role))
    }

    /// Position and unit of the duration argument.
    #[must_use]
    pub fn duration_arg(&self) -> Option<(u8, DurationUnit)> {
        self.args.iter().zip(0..).find_map(|(arg, position)| match arg.role {
            Role::Duration(unit) => Some((position, unit)),
            Role::Key
            | Role::TestId
            | Role::TestName
            | Role::AttemptId
            | Role::RunId
            | Role::Suite
            | Role::Attempt
            | Role::Status
            | Role::Message
            | Role::EventType
            | Role::Signal
            | Role::Data
            | Role::Json
            | Role::Plain
            | Role::Ignore => None,
        })
    }

    /// The type of an event with this status, where no argument names it.
    #[must_use]
    pub fn event_type_of(&self, status: Option<Status>) -> Cow<'_, str> {
        if let Some(word) = &self.event_type {
            return Cow::Borrowed(word);
        }
        match self.event {
            EventKind::TestStart => Cow::Borrowed("test_start"),
            EventKind::TestEnd if status.is_some_and(Status::is_failure) => Cow::Borrowed("test_failure"),
            EventKind::TestEnd => Cow::Borrowed("test_end"),
            EventKind::Anomaly => Cow::Borrowed("anomaly"),
            EventKind::Generic if self.marker.contains('-') => Cow::Owned(self.marker.replace('-', "_")),
            EventKind::Generic => Cow::Borrowed(&self.marker),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(event: EventKind, marker: &str, args: &[Role]) -> Mapping {
        let arg = |role: &Role| ArgMapping {
            name: role.word().to_owned(),
            role: *role,
            kind: ArgKind::Integer,
            signed: None,
        };
        Mapping {
            provider: "p".to_owned(),
            marker: marker.to_owned(),
            event,
            event_type: None,
            signal: "events".to_owned(),
            args: args.iter().map(arg).collect(),
            status: Vec::new(),
        }
    }

    #[test]
    fn event_types_follow_the_kind_the_status_and_the_name() {
        let of = |event, status| mapping(event, "cache-miss", &[]).event_type_of(status).into_owned();
        assert_eq!(of(EventKind::Generic, None), "cache_miss");
        assert_eq!(of(EventKind::TestStart, None), "test_start");
        assert_eq!(of(EventKind::TestEnd, Some(Status::Passed)), "test_end");
        assert_eq!(of(EventKind::TestEnd, Some(Status::Skipped)), "test_end");
        assert_eq!(of(EventKind::TestEnd, Some(Status::Timeout)), "test_failure");
        assert_eq!(of(EventKind::Anomaly, None), "anomaly");
        let named = Mapping { event_type: Some("mine".to_owned()), ..mapping(EventKind::TestEnd, "x", &[]) };
        assert_eq!(named.event_type_of(Some(Status::Failed)), "mine");
    }

    #[test]
    fn positions_are_found_by_role() {
        let found = mapping(
            EventKind::TestEnd,
            "x",
            &[Role::Plain, Role::TestName, Role::Duration(DurationUnit::Seconds)],
        );
        assert_eq!(found.position(Role::TestName), Some(1));
        assert_eq!(found.position(Role::Key), None);
        assert_eq!(found.id_arg(), Some(1));
        assert_eq!(found.duration_arg(), Some((2, DurationUnit::Seconds)));
        assert_eq!(found.position(Role::Duration(DurationUnit::Nanoseconds)), Some(2));
    }
}
