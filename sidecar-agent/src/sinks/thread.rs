//! The thread of a sink. A write may block for as long as a pipe has no reader; it then blocks this thread,
//! the sink's queue fills and drops, and everything else goes on.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;

use super::jsonl::{JsonlSink, SinkProbe, SinkStats};
use super::output::SinkError;
use super::queue::Queue;

/// A sink at work.
pub struct SinkThread<T> {
    queue: Arc<Queue<T>>,
    probe: SinkProbe,
    done: oneshot::Receiver<()>,
}

/// Starts a thread that writes what comes through `queue` to `sink`, each item by `write`.
///
/// # Errors
/// The system refuses another thread.
pub fn start<T: Send + 'static>(
    sink: JsonlSink,
    queue: Arc<Queue<T>>,
    write: impl FnMut(&mut JsonlSink, &T) + Send + 'static,
) -> Result<SinkThread<T>, SinkError> {
    let probe = sink.probe();
    let (finished, done) = oneshot::channel();
    let source = Arc::clone(&queue);
    // Neither I/O nor time: this runtime only parks the thread until the queue has something.
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(SinkError::Thread)?;
    let body = move || {
        runtime.block_on(sink.run(&source, write));
        // An error means that nobody waits for the end any more.
        let _ = finished.send(());
    };
    thread::Builder::new().name("sidecar-sink".to_owned()).spawn(body).map_err(SinkError::Thread)?;
    Ok(SinkThread { queue, probe, done })
}

impl<T> SinkThread<T> {
    /// The sink's counters, its queue's included.
    #[must_use]
    pub fn stats(&self) -> SinkStats {
        self.probe.stats(self.queue.stats())
    }

    /// Closes the queue and gives the sink `grace` to write what waits; then what still waits is dropped
    /// (counted as `shutdown`). Returns the final counters, and how many events were handed to the sink
    /// but are stuck in a write that does not end. Needs a runtime with time.
    pub async fn finish(self, grace: Duration) -> (SinkStats, u64) {
        self.queue.close();
        if tokio::time::timeout(grace, self.done).await.is_err() {
            self.queue.discard();
        }
        let stats = self.probe.stats(self.queue.stats());
        let accounted = stats.written + stats.write_failed + stats.serialize_failed;
        let stuck = stats.queue.processed.saturating_sub(accounted);
        (stats, stuck)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::sinks::Target;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn everything_that_was_queued_is_in_the_file_after_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.jsonl");
        let queue = Arc::new(Queue::new(100_000, true));
        let sink = start(
            JsonlSink::open(&Target::Append(path.clone())).unwrap(),
            Arc::clone(&queue),
            JsonlSink::write,
        )
        .unwrap();
        for chunk in 0..100u64 {
            queue.push_all(&mut (chunk * 1000..(chunk + 1) * 1000).collect());
        }
        let (stats, stuck) = block_on(sink.finish(Duration::from_secs(60)));
        assert_eq!((stats.written, stats.queue.processed, stuck), (100_000, 100_000, 0));
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.lines().map(|line| line.parse::<u64>().unwrap()).eq(0..100_000));
    }

    #[test]
    fn lines_come_out_when_the_sink_is_idle() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let mut reader = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let queue = Arc::new(Queue::new(10, true));
        let sink =
            start(JsonlSink::open(&Target::Append(path)).unwrap(), Arc::clone(&queue), JsonlSink::write)
                .unwrap();
        queue.push("one");
        let mut line = [0; 6];
        reader.read_exact(&mut line).unwrap();
        assert_eq!(&line, b"\"one\"\n");
        assert_eq!(block_on(sink.finish(Duration::from_secs(60))).1, 0);
    }

    /// The reader of a pipe sleeps for ever: producers go on, and what is left is counted.
    #[test]
    fn a_reader_that_does_not_read_blocks_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let _reader = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let queue = Arc::new(Queue::new(200, true));
        let sink =
            start(JsonlSink::open(&Target::Append(path)).unwrap(), Arc::clone(&queue), JsonlSink::write)
                .unwrap();
        // 200 KB, and the pipe holds 64.
        let long = "x".repeat(1000);
        queue.push_all(&mut vec![long.clone(); 200]);
        while queue.stats().processed < 200 {
            thread::sleep(Duration::from_millis(1));
        }
        for _ in 0..5_000 {
            queue.push(long.clone());
        }
        let (stats, stuck) = block_on(sink.finish(Duration::from_millis(50)));
        assert!(stats.queue.dropped_oldest > 0 && stats.queue.dropped_shutdown > 0, "{stats:?}");
        assert!(stuck > 0);
        assert_eq!(stats.queue.received, 5_200);
        assert_eq!(stats.queue.dropped() + stats.written + stuck, 5_200, "{stats:?}");
    }
}
