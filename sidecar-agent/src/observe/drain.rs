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

use sidecar_common::{RECORD_EXEC, RECORD_HIT, RecordHeader};

use super::{
    clock, priority,
    shared::Shared,
    sleep::{Sleeper, Stop},
};
use crate::{
    attach::ProbeInfo,
    bpf::RingReader,
    event::{Event, MOST_EVENT_BYTES, Names, Reading, decode, event_bytes},
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
        executed: SyncSender<u32>,
    ) -> io::Result<Self> {
        let stop = Arc::new(Stop::new()?);
        let sleeper = Sleeper::new(&reader, &stop)?;
        let body = {
            let stop = Arc::clone(&stop);
            move || {
                priority::raise();
                let offset_ns = clock::monotonic_to_utc_ns();
                let drain = Drain {
                    shared,
                    queue,
                    on_full,
                    executed,
                    known: Vec::new(),
                    batch: Vec::with_capacity(BATCH),
                    batch_bytes: 0,
                    handed_on: 0,
                    offset_ns,
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
    queue: Arc<Queue<Event>>,
    on_full: OnFull,
    executed: SyncSender<u32>,
    /// Probes by spec index, as last asked for.
    known: Vec<Option<Known>>,
    batch: Vec<Event>,
    batch_bytes: u64,
    /// Events handed on since the ring was begun to be drained.
    handed_on: usize,
    offset_ns: i64,
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
                self.offset_ns = clock::monotonic_to_utc_ns();
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

    /// One record. Nothing in it is trusted, though only the kernel programs write the ring.
    fn take(&mut self, bytes: &[u8]) {
        let record = match decode(bytes) {
            Ok(record) => record,
            Err(error) => {
                self.shared.tallies.malformed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!("a record can't be decoded: {error}");
                return;
            }
        };
        let RecordHeader { kind, spec, generation, pid, .. } = record.header;
        if kind == RECORD_EXEC {
            if let Err(TrySendError::Full(_)) = self.executed.try_send(pid) {
                self.shared.tallies.execs_missed.fetch_add(1, Ordering::Relaxed);
            }
            return;
        }
        if kind != RECORD_HIT {
            return;
        }
        self.shared.tallies.received.fetch_add(1, Ordering::Relaxed);
        let offset_ns = self.offset_ns;
        match self.probe(spec, generation) {
            Some(known) => {
                let reading = Reading::with_names(&known.probe.mapping, &known.names);
                let event = Event::from_site(&record, &reading, offset_ns);
                self.batch_bytes += event_bytes(&event);
                self.batch.push(event);
                if self.batch_bytes >= BATCH_BYTES {
                    self.hand_on_batch();
                }
            }
            None => {
                self.shared.tallies.unknown_spec.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn probe(&mut self, spec: u32, generation: u32) -> Option<&Known> {
        let index = spec as usize;
        let is_known =
            |known: &Option<Known>| known.as_ref().is_some_and(|k| k.probe.generation == generation);
        if !self.known.get(index).is_some_and(is_known) {
            let probe = self.shared.probe(spec, generation)?;
            if self.known.len() <= index {
                self.known.resize_with(index + 1, || None);
            }
            let names = Names::new(&probe.mapping, probe.unreadable);
            self.known[index] = Some(Known { probe, names });
        }
        self.known.get(index)?.as_ref()
    }
}

/// A probe as the data path knows it.
struct Known {
    probe: Arc<ProbeInfo>,
    names: Names,
}
