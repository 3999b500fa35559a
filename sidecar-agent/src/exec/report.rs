//! Takes the events of a run: into the summary, and into the report if one is wanted.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    aggregate::Summary,
    event::{Event, write_line},
    observe::Consumer,
    sinks::JsonlSink,
};

/// The summary, shared with who shows the progress.
#[derive(Clone, Default)]
pub(super) struct SharedSummary(Arc<Mutex<Summary>>);

impl SharedSummary {
    /// Looks at the summary as it is now.
    pub(super) fn with<T>(&self, look: impl FnOnce(&mut Summary) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The consumer of `sidecar exec`.
pub(super) struct Report {
    summary: SharedSummary,
    sink: Option<JsonlSink>,
    line: Vec<u8>,
}

impl Report {
    pub(super) fn new(summary: SharedSummary, sink: Option<JsonlSink>) -> Self {
        Self { summary, sink, line: Vec::new() }
    }
}

impl Consumer for Report {
    fn take(&mut self, event: Event) {
        self.summary.with(|summary| summary.observe(&event));
        if let Some(sink) = &mut self.sink {
            self.line.clear();
            match write_line(&event, &mut self.line) {
                Ok(()) => sink.write_line(self.line.strip_suffix(b"\n").unwrap_or(&self.line)),
                Err(error) => tracing::error!("an event has no form in JSON: {error}"),
            }
        }
    }

    fn idle(&mut self) {
        if let Some(sink) = &mut self.sink {
            sink.flush();
        }
    }
}
