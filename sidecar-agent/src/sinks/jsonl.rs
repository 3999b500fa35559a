//! The JSON-lines sink: one item a line, buffered. A line that can't be written is dropped and counted, and
//! the next one is tried as if nothing had happened. When a write breaks off within a line, the next line
//! begins with a newline, so one failure spoils one line.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::output::{Output, SinkError, Target};
use super::queue::{Queue, QueueStats};

/// Buffered bytes at which the sink writes without waiting to be idle.
const BUFFER: usize = 64 * 1024;
/// Items taken from the queue under one lock.
const BATCH: usize = 256;
/// A failure that goes on is said again after this time.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// What a sink has counted since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SinkStats {
    /// `stdout`, or the file's path.
    pub name: String,
    /// Lines that the system took.
    pub written: u64,
    /// Bytes that the system took.
    pub bytes: u64,
    /// Lines dropped because a write failed.
    pub write_failed: u64,
    /// Items dropped because they have no form in JSON.
    pub serialize_failed: u64,
    /// Failed writes; one can drop many lines.
    pub write_errors: u64,
    /// Why the last write failed; none once a later one went well.
    pub last_error: Option<String>,
    /// The queue in front of the sink.
    pub queue: QueueStats,
}

#[derive(Default)]
struct Shared {
    name: String,
    written: AtomicU64,
    bytes: AtomicU64,
    write_failed: AtomicU64,
    serialize_failed: AtomicU64,
    write_errors: AtomicU64,
    last_error: Mutex<Option<String>>,
}

/// Reads a sink's counters from anywhere, also while the sink is stuck in a write.
#[derive(Clone)]
pub struct SinkProbe(Arc<Shared>);

impl SinkProbe {
    /// The counters now, together with those of the sink's queue.
    #[must_use]
    pub fn stats(&self, queue: QueueStats) -> SinkStats {
        let shared = &self.0;
        SinkStats {
            name: shared.name.clone(),
            written: shared.written.load(Relaxed),
            bytes: shared.bytes.load(Relaxed),
            write_failed: shared.write_failed.load(Relaxed),
            serialize_failed: shared.serialize_failed.load(Relaxed),
            write_errors: shared.write_errors.load(Relaxed),
            last_error: shared.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            queue,
        }
    }
}

/// Writes JSON lines to a file or to standard output. A write may block: see [`super::start`].
pub struct JsonlSink {
    out: Box<dyn Write + Send>,
    buffer: Vec<u8>,
    /// Whole lines in the buffer.
    lines: u64,
    /// What was written last ends within a line; if the buffer holds anything, it begins with a newline.
    torn: bool,
    shared: Arc<Shared>,
    said_at: Option<Instant>,
}

impl JsonlSink {
    /// Opens the target.
    ///
    /// # Errors
    /// The path and the reason why it can't be written.
    pub fn open(target: &Target) -> Result<Self, SinkError> {
        Ok(Self::over(target.name(), target.open()?))
    }

    /// A sink over any writer that stands at the beginning of a line.
    #[must_use]
    pub fn to(name: String, writer: Box<dyn Write + Send>) -> Self {
        Self::over(name, Output { writer, torn: false })
    }

    fn over(name: String, output: Output) -> Self {
        let shared = Arc::new(Shared { name, ..Shared::default() });
        let Output { writer: out, torn } = output;
        Self { out, buffer: Vec::new(), lines: 0, torn, shared, said_at: None }
    }

    /// A handle to the counters.
    #[must_use]
    pub fn probe(&self) -> SinkProbe {
        SinkProbe(Arc::clone(&self.shared))
    }

    /// Takes one item; it is written when the buffer is full or with [`JsonlSink::flush`].
    pub fn write<T: Serialize + ?Sized>(&mut self, item: &T) {
        let start = self.begin();
        match serde_json::to_writer(&mut self.buffer, item) {
            Ok(()) => self.end(),
            Err(error) => {
                self.buffer.truncate(start);
                self.shared.serialize_failed.fetch_add(1, Relaxed);
                self.say(&format!("an event has no form in JSON: {error}"));
            }
        }
    }

    /// Takes one line that is JSON already, without its newline. A newline inside becomes a space, which in
    /// JSON is the same.
    pub fn write_line(&mut self, line: &[u8]) {
        let start = self.begin();
        self.buffer.extend_from_slice(line);
        if line.contains(&b'\n') {
            self.buffer[start..].iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
        }
        self.end();
    }

    /// Writes what is buffered. The buffer is empty afterwards, whatever happened; failures are counted.
    pub fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let (sent, result) = write_counted(&mut self.out, &self.buffer);
        let whole = if sent == self.buffer.len() { self.lines } else { self.whole_lines(sent) };
        if let Some(last) = self.buffer[..sent].last() {
            self.torn = *last != b'\n';
        }
        self.shared.written.fetch_add(whole, Relaxed);
        self.shared.bytes.fetch_add(sent as u64, Relaxed);
        let unsent = self.lines - whole;
        self.buffer.clear();
        self.lines = 0;
        match result {
            Ok(()) => self.recovered(),
            Err(error) => self.failed(&error, unsent),
        }
    }

    /// Lines of the buffer that are whole when only its first `sent` bytes were written.
    fn whole_lines(&self, sent: usize) -> u64 {
        let repair = u64::from(self.torn && sent > 0);
        let newlines = self.buffer[..sent].iter().filter(|byte| **byte == b'\n').count() as u64;
        // A line of which only the newline is missing is whole: what ends it comes before the next line.
        let ended_early = sent > repair as usize && self.buffer.get(sent) == Some(&b'\n');
        newlines - repair + u64::from(ended_early)
    }

    /// Writes what the queue gives, each item by `write`, until it is closed and empty; flushes whenever nothing
    /// waits.
    pub async fn run<T>(mut self, queue: &Queue<T>, mut write: impl FnMut(&mut Self, &T)) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            if queue.try_pop_many(&mut batch, BATCH) == 0 {
                self.flush();
                if queue.pop_many(&mut batch, BATCH).await == 0 {
                    return;
                }
            }
            for item in batch.drain(..) {
                write(&mut self, &item);
            }
        }
    }

    fn begin(&mut self) -> usize {
        if self.torn && self.buffer.is_empty() {
            self.buffer.push(b'\n');
        }
        self.buffer.len()
    }

    fn end(&mut self) {
        self.buffer.push(b'\n');
        self.lines += 1;
        if self.buffer.len() >= BUFFER {
            self.flush();
        }
    }

    fn failed(&mut self, error: &io::Error, unsent: u64) {
        self.shared.write_failed.fetch_add(unsent, Relaxed);
        self.shared.write_errors.fetch_add(1, Relaxed);
        *self.shared.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
        self.say(&format!("writing events failed: {error}"));
    }

    fn recovered(&mut self) {
        let before = self.shared.last_error.lock().unwrap_or_else(PoisonError::into_inner).take();
        if before.is_some() {
            tracing::info!(sink = self.shared.name, "writing events works again");
        }
    }

    fn say(&mut self, what: &str) {
        let now = Instant::now();
        if self.said_at.is_none_or(|at| now.duration_since(at) >= SAY_AGAIN) {
            self.said_at = Some(now);
            let lost = self.shared.write_failed.load(Relaxed) + self.shared.serialize_failed.load(Relaxed);
            tracing::warn!(
                sink = self.shared.name,
                dropped_so_far = lost,
                "{what}; later events are tried again"
            );
        }
    }
}

impl Drop for JsonlSink {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Like `write_all`, but says how far it got.
fn write_counted(out: &mut dyn Write, bytes: &[u8]) -> (usize, io::Result<()>) {
    let mut sent = 0;
    while sent < bytes.len() {
        match out.write(&bytes[sent..]) {
            Ok(0) => return (sent, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => sent += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (sent, Err(error)),
        }
    }
    (sent, Ok(()))
}

#[cfg(test)]
#[path = "jsonl_tests.rs"]
mod tests;
