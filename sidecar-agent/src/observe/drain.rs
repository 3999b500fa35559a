//! The data path: from the ring to the queue, on a thread of its own.

use std::{
    io,
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{SyncSender, TrySendError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    clock,
    containers::Containers,
    intake::{Intake, Taken},
    priority,
    shared::Shared,
    sleep::{Sleeper, Stop},
    watch::Word,
};
use crate::{
    bpf::RingReader,
    event::{Event, MOST_EVENT_BYTES, event_bytes},
    sinks::Queue,
};

/// How long the reader sleeps while records are coming. The kernel wakes it earlier at the watermark.
const LINGER: Duration = Duration::from_millis(4);
/// Empty rounds after which the reader sleeps until something comes.
const QUIET_ROUNDS: u32 = 25;
/// Longest sleep: bounds the delay of a record that was committed just as the reader fell asleep.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);
/// Records taken in one go, so that the queue's lock and its consumer come in between.
const BATCH: usize = 512;
/// Bytes of events at which they are handed on, however few they are.
const BATCH_BYTES: u64 = 256 * 1024;
/// How often the distance between the monotonic clock and UTC is measured again.
const CLOCK_INTERVAL: Duration = Duration::from_secs(10);

/// What to do with a full queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFull {
    /// Let the queue drop, by its own rule.
    Drop,
    /// Leave records in the ring until there is room: what then finds the ring full is lost, and counted, there.
    Wait,
}

/// The running data path.
pub(super) struct DataPath {
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl DataPath {
    /// Starts the thread.
    pub(super) fn start(
        reader: RingReader,
        shared: Arc<Shared>,
        queue: Arc<Queue<Event>>,
        on_full: OnFull,
        executed: SyncSender<Word>,
    ) -> io::Result<Self> {
        let stop = Arc::new(Stop::new()?);
        let sleeper = Sleeper::new(&reader, &stop)?;
        let body = {
            let stop = Arc::clone(&stop);
            move || {
                priority::raise();
                let containers = Containers::of_this_machine();
                let intake =
                    Intake::new(Arc::clone(&shared.tallies), containers, clock::monotonic_to_utc_ns());
                let drain = Drain {
                    shared,
                    intake,
                    queue,
                    on_full,
                    executed,
                    batch: Vec::with_capacity(BATCH),
                    batch_bytes: 0,
                    handed_on: 0,
                    measured: Instant::now(),
                };
                if let Err(error) = drain.run(reader, &sleeper, &stop) {
                    tracing::error!("the ring is no longer read: {error}");
                }
            }
        };
        let thread = thread::Builder::new().name("sidecar-data".to_owned()).spawn(body)?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Tells it to take what is in the ring and to end.
    pub(super) fn stop(&self) {
        if let Err(error) = self.stop.request() {
            tracing::error!("the thread that reads the ring can't be woken: {error}");
        }
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Takes what is in the ring and ends. Records of hits that come later stay unread.
    pub(super) fn finish(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that reads the ring panicked");
        }
    }
}

impl Drop for DataPath {
    fn drop(&mut self) {
        self.finish();
    }
}

struct Drain {
    shared: Arc<Shared>,
    intake: Intake,
    queue: Arc<Queue<Event>>,
    on_full: OnFull,
    executed: SyncSender<Word>,
    batch: Vec<Event>,
    batch_bytes: u64,
    /// Events handed on since the ring was begun to be drained.
    handed_on: usize,
    measured: Instant,
}

impl Drain {
    fn run(mut self, mut reader: RingReader, sleeper: &Sleeper, stop: &Stop) -> io::Result<()> {
        let mut quiet = QUIET_ROUNDS;
        loop {
            let stopping = stop.requested();
            let room = self.room();
            let taken = reader.drain(room, |bytes| self.take(bytes));
            let events = self.hand_on();
            if taken == room && room > 0 {
                // There may be more.
                continue;
            }
            if taken == 0 && room > 0 {
                self.shared.tallies.emptied.fetch_add(1, Ordering::Release);
                if stopping {
                    return Ok(());
                }
            }
            // Executed programs are no reason to wait for more: they don't come by the thousand.
            quiet = if events == 0 && room > 0 { quiet.saturating_add(1) } else { 0_u32 };
            let sleep = if quiet < QUIET_ROUNDS || room == 0 {
                reader.linger().map_err(io::Error::other)?;
                LINGER
            } else {
                reader.idle().map_err(io::Error::other)?;
                // A record may have been committed before the kernel could know that we sleep.
                let room = self.room();
                if reader.drain(room, |bytes| self.take(bytes)) > 0 {
                    if self.hand_on() > 0 {
                        quiet = 0;
                    }
                    continue;
                }
                LONGEST_SLEEP
            };
            sleeper.sleep(sleep)?;
            self.shared.tallies.wakeups.fetch_add(1, Ordering::Relaxed);
            if self.measured.elapsed() > CLOCK_INTERVAL {
                self.intake.offset_ns = clock::monotonic_to_utc_ns();
                self.measured = Instant::now();
            }
        }
    }

    /// How many records may be taken now.
    fn room(&self) -> usize {
        match self.on_full {
            OnFull::Drop => BATCH,
            OnFull::Wait => self.queue.room(MOST_EVENT_BYTES as usize).min(BATCH),
        }
    }

    /// Hands the rest on. Gives the number of events since this was called last.
    fn hand_on(&mut self) -> usize {
        self.hand_on_batch();
        std::mem::take(&mut self.handed_on)
    }

    fn hand_on_batch(&mut self) {
        self.handed_on += self.batch.len();
        self.batch_bytes = 0;
        self.queue.push_all(&mut self.batch);
    }

    fn take(&mut self, bytes: &[u8]) {
        let shared = &self.shared;
        match self.intake.take(bytes, |spec, generation| shared.probe(spec, generation)) {
            Taken::Event(event) => {
                self.batch_bytes += event_bytes(&event);
                self.batch.push(event);
                if self.batch_bytes >= BATCH_BYTES {
                    self.hand_on_batch();
                }
            }
            Taken::Executed(executed) => {
                if let Err(TrySendError::Full(_)) = self.executed.try_send(Word::Executed(executed)) {
                    self.shared.tallies.execs_missed.fetch_add(1, Ordering::Relaxed);
                }
            }
            Taken::Nothing => {}
        }
    }
}
