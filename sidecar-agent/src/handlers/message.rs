//! An event on its way to handlers: shared by all of them, made into JSON once, and only if somebody wants it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::Value as Json;

use crate::event::{Event, write_line};

/// An event and its JSON line. A clone is one reference more.
#[derive(Clone)]
pub struct Message(Arc<Inner>);

struct Inner {
    event: Event,
    line: OnceLock<Option<Bytes>>,
    weight: OnceLock<usize>,
}

impl Message {
    /// The event, ready to be shared.
    #[must_use]
    pub fn new(event: Event) -> Self {
        Self(Arc::new(Inner { event, line: OnceLock::new(), weight: OnceLock::new() }))
    }

    /// The event.
    #[must_use]
    pub fn event(&self) -> &Event {
        &self.0.event
    }

    /// The event as JSON on one line, without its newline; made at the first call. None if it has no form in JSON.
    #[must_use]
    pub fn line(&self) -> Option<Bytes> {
        let make = || {
            let mut line = Vec::with_capacity(512);
            write_line(&self.0.event, &mut line).ok()?;
            line.pop();
            Some(Bytes::from(line))
        };
        self.0.line.get_or_init(make).clone()
    }
}

/// What an entry of a JSON object takes beside its texts, about.
const ENTRY: usize = 128;

impl Message {
    /// The memory that the message takes, about, its line included: what queues are bounded by.
    pub(super) fn weight(&self) -> usize {
        *self.0.weight.get_or_init(|| {
            let event = &self.0.event;
            let texts = [&event.test_id, &event.run_id, &event.suite, &event.message];
            let texts: usize = texts.into_iter().flatten().map(String::len).sum();
            let data: usize = event.data.iter().map(|(key, value)| ENTRY + key.len() + heap(value)).sum();
            let line = self.line().map_or(0, |line| line.len());
            size_of::<Inner>() + texts + event.comm.len() + event.event_type.len() + data + line
        })
    }
}

fn heap(value: &Json) -> usize {
    match value {
        Json::Null | Json::Bool(_) | Json::Number(_) => 0,
        Json::String(text) => text.len(),
        Json::Array(items) => items.iter().map(|item| size_of::<Json>() + heap(item)).sum(),
        Json::Object(members) => members.iter().map(|(key, value)| ENTRY + key.len() + heap(value)).sum(),
    }
}

impl From<Event> for Message {
    fn from(event: Event) -> Self {
        Self::new(event)
    }
}
