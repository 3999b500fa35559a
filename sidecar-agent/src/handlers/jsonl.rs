//! The `jsonl` handler: events as lines of a rotated file, on a thread of its own, because a disk may block.

use std::sync::Arc;
use std::time::Duration;

use super::inlet::{Held, Inlet};
use super::reason::Reason;
use super::rotate::{RotatingFile, Rotation};
use super::text::plain;
use crate::config::JsonlAction;
use crate::sinks::JsonlSink;

/// Events taken from the queue at once; they are counted when all of them are written.
const BATCH: usize = 256;

/// Writes what the queue gives until it is closed and empty.
pub(super) fn serve(action: &JsonlAction, inlet: &Inlet, runtime: &tokio::runtime::Runtime) {
    let rotation = Rotation {
        max_bytes: action.max_bytes,
        max_age: action.max_age_sec.map(Duration::from_secs),
        keep: action.keep,
    };
    let tally = Arc::clone(&inlet.tally);
    let name = action.path.display().to_string();
    let trouble = move |text: String| {
        tracing::warn!("{text}");
        tally.attempt_failed(Reason::WriteFailed, &plain(&text));
    };
    let mut file = RotatingFile::new(&action.path, rotation, trouble);
    if let Err(error) = file.prepare() {
        inlet.tally.attempt_failed(Reason::WriteFailed, &plain(&format!("can't open {name}: {error}")));
        tracing::warn!("can't open {name}: {error}; it is tried again for each event");
    }
    let mut sink = JsonlSink::to(name, Box::new(file));
    let probe = sink.probe();
    let mut batch: Vec<Held> = Vec::with_capacity(BATCH);
    let mut before = probe.stats(inlet.queue.stats());
    while runtime.block_on(inlet.queue.pop_many(&mut batch, BATCH)) > 0 {
        for message in batch.drain(..) {
            match message.line() {
                Some(line) => sink.write_line(&line),
                None => inlet.tally.failed(Reason::WriteFailed, "the event has no form in JSON"),
            }
        }
        sink.flush();
        let now = probe.stats(inlet.queue.stats());
        let failed = now.write_failed - before.write_failed;
        if failed > 0 {
            let text = plain(now.last_error.as_deref().unwrap_or("a line could not be written"));
            inlet.tally.failed_quietly(Reason::WriteFailed, failed, &text);
        }
        inlet.tally.handled_many(now.written - before.written);
        before = now;
    }
}
