//! What can be configured of handlers: what is done about events, and about which ones.

use std::fmt;
use std::path::PathBuf;

use sidecar_common::Status;

/// Types of handlers, as `type` names them.
pub const HANDLER_TYPES: [&str; 3] = ["command", "http", "jsonl"];

/// One entry of `handlers`. Two that are equal do the same, wherever they stand in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct HandlerConfig {
    /// `name`, unique; else the type and a number.
    pub name: String,
    /// `events`: types of events; empty for all.
    pub events: Vec<String>,
    /// `when`: what must hold besides.
    pub when: When,
    /// `queue_size`: events that wait at most.
    pub queue_size: u64,
    /// `queue_bytes`: memory of the events that wait, about, at most.
    pub queue_bytes: u64,
    /// `drop_on_full`: a full queue drops its oldest event (true) or refuses the new one (false).
    pub drop_on_full: bool,
    /// What it does.
    pub action: Action,
}

/// Conditions on an event; all that are given must hold. The texts are globs whose `*` matches any text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct When {
    /// One of these statuses; empty for any, also none.
    pub status: Vec<Status>,
    /// The marker's provider.
    pub provider: Option<String>,
    /// The suite; an event without one does not match.
    pub suite: Option<String>,
    /// The test's id; an event without one does not match.
    pub test_id: Option<String>,
    /// The signal.
    pub signal: Option<String>,
    /// The least duration in milliseconds; an event without one does not match.
    pub min_duration_ms: Option<f64>,
}

/// What a handler does with an event.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Runs a program, with the event on its standard input.
    Command(CommandAction),
    /// Sends the event to a server.
    Http(HttpAction),
    /// Appends the event to a file that is rotated.
    Jsonl(JsonlAction),
}

/// A `command` handler.
#[derive(Clone, Debug, PartialEq)]
pub struct CommandAction {
    /// The argument vector. The first is an absolute path, or a name that is looked up in PATH.
    pub command: Vec<String>,
    /// Seconds that one run may take.
    pub timeout_sec: f64,
    /// Runs at a time.
    pub concurrency: u64,
    /// Runs that are started a second at most.
    pub rate_limit: f64,
}

/// An `http` handler.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpAction {
    /// Where events are posted.
    pub url: String,
    /// Headers that are sent along.
    pub headers: Vec<(String, Secret)>,
    /// Seconds that one attempt may take, from the connection to the end of the answer.
    pub timeout_sec: f64,
    /// Attempts for one event.
    pub max_attempts: u64,
    /// Events that wait for the server at most.
    pub spool_events: u64,
    /// Their bytes at most.
    pub spool_bytes: u64,
    /// Events that are taken on a second at most.
    pub rate_limit: f64,
}

/// A `jsonl` handler.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonlAction {
    /// The file.
    pub path: PathBuf,
    /// A file of this size is rotated.
    pub max_bytes: u64,
    /// A file of this age in seconds is rotated; none for any age.
    pub max_age_sec: Option<u64>,
    /// Rotated files that are kept.
    pub keep: u64,
}

/// A text that no message and no log shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl Action {
    /// The word of `type`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Http(_) => "http",
            Self::Jsonl(_) => "jsonl",
        }
    }
}

impl fmt::Display for HandlerConfig {
    /// The name, and the type where the name does not say it. Neither a URL nor a header: they can hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.action.kind())
    }
}
