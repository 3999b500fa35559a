//! What an entry of `handlers` looks like: for the schema, the example, and programs that ask what is in force.

use serde_json::{Map, Value, json};

use super::shapes::{Kind, Part, STATUSES, Shape, Takes, object, part, required};
use super::{Action, CommandAction, HANDLER_TYPES, HandlerConfig, HttpAction, JsonlAction, When};

/// What stands for a text that can be a secret.
const HIDDEN: &str = "(hidden)";

pub(super) static HANDLERS: Shape = Shape {
    parts: &[
        part("name", Takes::Text, "Unique, a label of metrics; the type and a number if left out."),
        required(part("type", Takes::Word(&HANDLER_TYPES), "What it does.")),
        part("events", Takes::Texts, "The types of its events, exactly; all if left out."),
        part("when", Takes::Group(WHEN), "What must hold besides; the texts are globs."),
        part("queue_size", Takes::Whole { min: 1, max: 1_000_000 }, "Events that wait at most; 1000."),
        part(
            "queue_bytes",
            Takes::Whole { min: 1 << 20, max: 1 << 30 },
            "Memory of the events that wait, about, at most; 4194304.",
        ),
        part(
            "drop_on_full",
            Takes::Switch,
            "A full queue drops its oldest event (true, if left out) or refuses the new one.",
        ),
    ],
    kinds: &[
        Kind {
            word: "command",
            effect: "Runs a program, with the event on its standard input.",
            parts: COMMAND,
        },
        Kind { word: "http", effect: "Posts the event to a server.", parts: HTTP },
        Kind { word: "jsonl", effect: "Appends the event to a file that is rotated.", parts: JSONL },
    ],
    example: "\
- name: notify
  type: command
  events: [test_failure]
  when: {status: [failed, error], suite: 'web*'}
  command: [/usr/local/bin/notify, --now]
- {type: http, url: 'https://example.com/hook', headers: {Authorization: 'Bearer ${TOKEN:-none}'}}
- {type: jsonl, events: test_failure, path: /var/log/sidecar/failures.jsonl, max_age_sec: 86400}
",
};

static WHEN: &[Part] = &[
    part("status", Takes::WordList(STATUSES), "The test's status is one of these."),
    part("provider", Takes::Text, "The marker's provider."),
    part("suite", Takes::Text, "The suite."),
    part("test_id", Takes::Text, "The test's id."),
    part("signal", Takes::Text, "The signal."),
    part("min_duration_ms", Takes::Number { min: 0.0, max: 86_400_000.0 }, "The least duration in ms."),
];

static COMMAND: &[Part] = &[
    required(part(
        "command",
        Takes::Texts,
        "The program (an absolute path, or a name that is looked for in PATH) and its arguments.",
    )),
    part(
        "timeout_sec",
        Takes::Number { min: 0.01, max: 3600.0 },
        "Seconds that one run may take; 10 if left out.",
    ),
    part("concurrency", Takes::Whole { min: 1, max: 64 }, "Runs at a time; 1 if left out."),
    part(
        "rate_limit",
        Takes::Number { min: 0.001, max: 10_000.0 },
        "Starts a second at most; 10 if left out.",
    ),
];

static HTTP: &[Part] = &[
    required(part("url", Takes::Text, "http:// or https://, without user and password.")),
    part("headers", Takes::Named, "A mapping of names to values that are sent along."),
    part(
        "timeout_sec",
        Takes::Number { min: 0.01, max: 300.0 },
        "Seconds that one attempt may take; 5 if left out.",
    ),
    part("max_attempts", Takes::Whole { min: 1, max: 100 }, "Attempts for one event; 5 if left out."),
    part(
        "spool_events",
        Takes::Whole { min: 1, max: 100_000 },
        "Events that wait for the server at most; 1000 if left out.",
    ),
    part(
        "spool_bytes",
        Takes::Whole { min: 64 << 10, max: 256 << 20 },
        "Their bytes at most; 4194304 if left out.",
    ),
    part(
        "rate_limit",
        Takes::Number { min: 0.001, max: 10_000.0 },
        "Events that are taken on a second at most; 100 if left out.",
    ),
];

static JSONL: &[Part] = &[
    required(part("path", Takes::Text, "The file, an absolute path.")),
    part(
        "max_bytes",
        Takes::Whole { min: 1024, max: 1_000_000_000_000 },
        "A line that would make the file longer goes into a new one; 10000000 if left out.",
    ),
    part(
        "max_age_sec",
        Takes::Whole { min: 1, max: 366 * 86_400 },
        "A file that is older is rotated; never if left out.",
    ),
    part("keep", Takes::Whole { min: 1, max: 1000 }, "Rotated files that are kept; 5 if left out."),
];

impl HandlerConfig {
    /// The entry as it could stand in the file, but for what can be a secret: the URL, the values of headers, and
    /// a program's arguments.
    pub(super) fn json(&self) -> Value {
        let mut entry = Map::new();
        entry.insert("name".to_owned(), json!(self.name));
        entry.insert("type".to_owned(), json!(self.action.kind()));
        entry.insert("events".to_owned(), json!(self.events));
        entry.insert("when".to_owned(), self.when.json());
        entry.insert("queue_size".to_owned(), json!(self.queue_size));
        entry.insert("queue_bytes".to_owned(), json!(self.queue_bytes));
        entry.insert("drop_on_full".to_owned(), json!(self.drop_on_full));
        if let Value::Object(action) = self.action.json() {
            entry.extend(action);
        }
        Value::Object(entry)
    }
}

impl When {
    fn json(&self) -> Value {
        let status: Vec<_> = self.status.iter().map(|status| status.name()).collect();
        let glob = |glob: &Option<String>| glob.as_ref().map(|glob| json!(glob));
        object([
            ("status", Some(json!(status)).filter(|_| !status.is_empty())),
            ("provider", glob(&self.provider)),
            ("suite", glob(&self.suite)),
            ("test_id", glob(&self.test_id)),
            ("signal", glob(&self.signal)),
            ("min_duration_ms", self.min_duration_ms.map(|least| json!(least))),
        ])
    }
}

impl Action {
    fn json(&self) -> Value {
        match self {
            Self::Command(CommandAction { command, timeout_sec, concurrency, rate_limit }) => {
                let words = command.iter().enumerate();
                let command: Vec<_> = words.map(|(i, word)| if i == 0 { word } else { HIDDEN }).collect();
                json!({
                    "command": command,
                    "timeout_sec": timeout_sec,
                    "concurrency": concurrency,
                    "rate_limit": rate_limit,
                })
            }
            Self::Http(HttpAction {
                url: _,
                headers,
                timeout_sec,
                max_attempts,
                spool_events,
                spool_bytes,
                rate_limit,
            }) => {
                let headers = headers.iter().map(|(name, _)| (name.clone(), json!(HIDDEN)));
                json!({
                    "url": HIDDEN,
                    "headers": headers.collect::<Map<_, _>>(),
                    "timeout_sec": timeout_sec,
                    "max_attempts": max_attempts,
                    "spool_events": spool_events,
                    "spool_bytes": spool_bytes,
                    "rate_limit": rate_limit,
                })
            }
            Self::Jsonl(JsonlAction { path, max_bytes, max_age_sec, keep }) => object([
                ("path", Some(json!(path.to_string_lossy()))),
                ("max_bytes", Some(json!(max_bytes))),
                ("max_age_sec", max_age_sec.map(|age| json!(age))),
                ("keep", Some(json!(keep))),
            ]),
        }
    }
}

#[cfg(test)]
#[path = "shapes_handlers_tests.rs"]
mod tests;
