//! An event on its way to handlers: shared by all of them, made into JSON once, and only if somebody wants it.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::event::{Event, write_line};

/// An event and its JSON line. A clone is one reference more.
#[derive(Clone)]
pub struct Message(Arc<Inner>);

struct Inner {
    event: Event,
    line: OnceLock<Option<Bytes>>,
}

impl Message {
    /// The event, ready to be shared.
    #[must_use]
    pub fn new(event: Event) -> Self {
        Self(Arc::new(Inner { event, line: OnceLock::new() }))
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

impl From<Event> for Message {
    fn from(event: Event) -> Self {
        Self::new(event)
    }
}
