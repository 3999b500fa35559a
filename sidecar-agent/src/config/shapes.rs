//! What the items of the keys that hold lists of mappings look like: for the schema and the example.

use serde_json::{Map, Value, json};

use super::functions::FUNCTIONS;
use super::key::Field;
use super::shapes_handlers::HANDLERS;
use super::{ArgConfig, ProbeConfig, Sink};

/// The items of a list.
pub(super) struct Shape {
    /// The keys of an item.
    pub(super) parts: &'static [Part],
    /// The keys that come besides by the word of `type`; empty where all items have the same.
    pub(super) kinds: &'static [Kind],
    /// A list of one item or more, in YAML, as it stands below the key.
    pub(super) example: &'static str,
}

/// What one word of `type` adds to an item.
pub(super) struct Kind {
    pub(super) word: &'static str,
    pub(super) effect: &'static str,
    pub(super) parts: &'static [Part],
}

/// One key of an item.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) takes: Takes,
    pub(super) effect: &'static str,
}

/// What a key of an item takes.
#[derive(Clone, Copy)]
pub(super) enum Takes {
    /// Any text.
    Text,
    /// One of these.
    Word(&'static [&'static str]),
    /// A whole number.
    Whole { min: u64, max: u64 },
    /// A number.
    Number { min: f64, max: f64 },
    /// True or false.
    Switch,
    /// A mapping of any values to one of these.
    Words(&'static [&'static str]),
    /// A list of mappings, or of texts that are short for them.
    Items(&'static [Part]),
    /// A mapping, or a text that is short for it.
    Item(&'static [Part]),
    /// A list of texts, or one text.
    Texts,
    /// A list of these words, or one of them.
    WordList(&'static [&'static str]),
    /// A mapping of any names to texts.
    Named,
    /// A mapping.
    Group(&'static [Part]),
}

impl Field {
    /// The shape of the items, where they are mappings.
    pub(super) const fn shape(&self) -> Option<&'static Shape> {
        match self {
            Self::Probes => Some(&PROBES),
            Self::Sinks => Some(&SINKS),
            Self::Handlers => Some(&HANDLERS),
            Self::Functions => Some(&FUNCTIONS),
            Self::FirstEvent(_)
            | Self::Switch(_)
            | Self::Number { .. }
            | Self::Count { .. }
            | Self::Address(_)
            | Self::Path(_)
            | Self::Texts { .. } => None,
        }
    }
}

pub(super) const fn part(name: &'static str, takes: Takes, effect: &'static str) -> Part {
    Part { name, required: false, takes, effect }
}

pub(super) const fn required(part: Part) -> Part {
    Part { required: true, ..part }
}

pub(super) const STATUSES: &[&str] =
    &["passed", "failed", "skipped", "error", "timeout", "aborted", "xfail", "xpass", "unknown"];

const ROLES: &[&str] = &[
    "key",
    "test_id",
    "test_name",
    "attempt_id",
    "run_id",
    "suite",
    "attempt",
    "status",
    "duration",
    "message",
    "event_type",
    "signal",
    "data",
    "json",
    "plain",
    "ignore",
];

static PROBES: Shape = Shape {
    parts: &[
        required(part("provider", Takes::Text, "The marker's provider, exactly.")),
        required(part("marker", Takes::Text, "The marker's name, exactly.")),
        part(
            "event",
            Takes::Word(&["event", "test_start", "test_end", "anomaly"]),
            "What a hit is; `event` if left out. A start and an end need an argument that names the test.",
        ),
        part("event_type", Takes::Text, "The type of its events."),
        part("signal", Takes::Text, "The signal whose rate applies; it has a rate under `sampling`."),
        part(
            "args",
            Takes::Items(ARGS.as_slice()),
            "The arguments by position, at most 12; ROLE or ROLE:TYPE is short.",
        ),
        part("status", Takes::Words(STATUSES), "What the values of the status argument mean."),
    ],
    kinds: &[],
    example: "\
- provider: mydb
  marker: query-done
  args:
    - {name: statement, type: string}
    - duration
",
};

pub(super) static ARGS: &[Part; 6] = &[
    part("role", Takes::Word(ROLES), "What the argument means; `plain` if left out."),
    part("type", Takes::Word(&["integer", "string", "bytes"]), "What it is; else the role says."),
    part("name", Takes::Text, "Its name in the event's data."),
    part("unit", Takes::Word(&["ns", "us", "ms", "s"]), "The unit of a duration; `ns` if left out."),
    part(
        "length",
        Takes::Whole { min: 0, max: 11 },
        "For bytes: position of the argument with their number.",
    ),
    part("signed", Takes::Switch, "For an integer: whether it has a sign; else the marker says."),
];

static SINKS: Shape = Shape {
    parts: &[
        required(part("type", Takes::Word(&["jsonl"]), "JSON lines, one event a line.")),
        part("path", Takes::Text, "A file, or `-` for standard output, which it is if left out."),
    ],
    kinds: &[],
    example: "\
- type: jsonl
  path: /var/log/sidecar/events.jsonl
",
};

/// The members that are there, as an object.
pub(super) fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let there = members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

impl ProbeConfig {
    /// The entry as it could stand in the file. Where it stands is left out.
    pub(super) fn json(&self) -> Value {
        let status: Map<_, _> =
            self.status.iter().map(|(value, word)| (value.clone(), json!(word))).collect();
        let args: Vec<_> = self.args.iter().map(ArgConfig::json).collect();
        object([
            ("provider", Some(json!(self.provider))),
            ("marker", Some(json!(self.marker))),
            ("event", self.event.as_ref().map(|word| json!(word))),
            ("event_type", self.event_type.as_ref().map(|word| json!(word))),
            ("signal", self.signal.as_ref().map(|word| json!(word))),
            ("args", Some(json!(args)).filter(|_| !args.is_empty())),
            ("status", Some(Value::Object(status)).filter(|_| !self.status.is_empty())),
        ])
    }
}

impl ArgConfig {
    pub(super) fn json(&self) -> Value {
        object([
            ("role", self.role.as_ref().map(|word| json!(word))),
            ("type", self.kind.as_ref().map(|word| json!(word))),
            ("name", self.name.as_ref().map(|word| json!(word))),
            ("unit", self.unit.as_ref().map(|word| json!(word))),
            ("length", self.length.map(|length| json!(length))),
            ("signed", self.signed.map(|signed| json!(signed))),
            ("at", self.at.as_ref().map(|at| json!(at))),
        ])
    }
}

impl Sink {
    /// The entry as it could stand in the file.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Jsonl { path } => object([("type", Some(json!("jsonl"))), ("path", Some(json!(path)))]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::functions::FUNCTION_KEYS;
    use crate::config::lists::{ARG_KEYS, PROBE_KEYS, SINK_KEYS};
    use crate::config::{FileText, KEYS, Sources, load};

    #[test]
    fn shapes_have_the_keys_that_are_read() {
        let names = |parts: &'static [Part]| parts.iter().map(|part| part.name).collect::<Vec<_>>();
        assert_eq!(names(PROBES.parts), PROBE_KEYS);
        assert_eq!(names(ARGS.as_slice()), ARG_KEYS);
        assert_eq!(names(SINKS.parts), SINK_KEYS);
        assert_eq!(names(FUNCTIONS.parts), FUNCTION_KEYS);
    }

    #[test]
    fn examples_of_lists_load_and_come_back_as_they_stand() {
        for key in KEYS {
            let Some(shape) = key.field.shape() else { continue };
            let text = format!("{}:\n{}", key.name, shape.example);
            let file = FileText { name: "example".to_owned(), text };
            let config = load(&Sources { file: Some(&file), ..Sources::default() }).unwrap();
            assert_ne!(key.json(&config), key.json(&crate::config::Config::default()));
            if matches!(key.field, Field::Handlers) {
                // What is hidden does not come back; see the shape's own tests.
                continue;
            }
            let again = FileText { text: format!("{}: {}", key.name, key.json(&config)), ..file };
            let again = load(&Sources { file: Some(&again), ..Sources::default() }).unwrap();
            assert_eq!(key.json(&config), key.json(&again));
        }
    }
}
