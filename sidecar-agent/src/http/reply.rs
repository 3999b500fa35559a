//! An answer as plain data: no HTTP library here.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::stream::Subscriber;

pub(super) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const JSON: &str = "application/json";
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// Longest piece of a request that an answer repeats, in characters.
const ECHO: usize = 100;

/// A status, headers, a body.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) content: Content,
}

/// A body.
pub(super) enum Content {
    /// The whole of it.
    Text(String),
    /// Events, for as long as there are any.
    Events(Subscriber),
}

impl Reply {
    pub(super) fn text(status: u16, content_type: &'static str, text: impl Into<String>) -> Self {
        Self { status, content_type, headers: Vec::new(), content: Content::Text(text.into()) }
    }

    /// The value as JSON.
    pub(super) fn json(status: u16, value: &impl Serialize) -> Self {
        match serde_json::to_string(value) {
            Ok(text) => Self::text(status, JSON, text + "\n"),
            Err(error) => problem(
                500,
                &format!("the answer has no form in JSON: {error}"),
                "this is a fault; report it",
            ),
        }
    }

    /// With one more header.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What is wrong and what to do.
pub(super) fn problem(status: u16, error: &str, hint: &str) -> Reply {
    problem_with(status, error, hint, Map::new())
}

/// The same with further members.
pub(super) fn problem_with(status: u16, error: &str, hint: &str, more: Map<String, Value>) -> Reply {
    let mut body = Map::new();
    body.insert("error".to_owned(), json!(error));
    body.insert("hint".to_owned(), json!(hint));
    body.extend(more);
    Reply::text(status, JSON, Value::Object(body).to_string() + "\n")
}

/// A piece of a request, short enough to be repeated.
pub(super) fn echo(piece: &str) -> String {
    piece.chars().take(ECHO).collect()
}
