//! What a record of the ring is: an event, a program that was executed, or nothing that is understood. Each is counted.

use std::sync::{Arc, atomic::Ordering};

use sidecar_common::{RECORD_ABORT, RECORD_EXEC, RECORD_HIT, RECORD_KNOWN, RecordHeader};

use super::{containers::Containers, tallies::Tallies};
use crate::{
    attach::ProbeInfo,
    event::{Event, Names, Reading, decode},
};

/// A process that has executed a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Executed {
    /// One whose image is to be looked at.
    New(u32),
    /// One whose image is known: it may map libraries that are not.
    Known(u32),
}

/// What came of a record.
#[derive(Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart at once, and a box for each event costs more"
)]
pub(super) enum Taken {
    /// A hit, or a test that ended with its process.
    Event(Event),
    /// A program was executed.
    Executed(Executed),
    /// Nothing to hand on; what should have been is counted.
    Nothing,
}

/// Reads records. Nothing in them is trusted, though only the kernel programs write the ring.
pub(super) struct Intake {
    tallies: Arc<Tallies>,
    /// Probes by spec index, as last asked for.
    known: Vec<Option<Known>>,
    containers: Containers,
    /// What the wall clock is ahead of CLOCK_MONOTONIC.
    pub(super) offset_ns: i64,
}

/// A probe as the data path knows it.
struct Known {
    probe: Arc<ProbeInfo>,
    names: Names,
}

impl Intake {
    pub(super) fn new(tallies: Arc<Tallies>, containers: Containers, offset_ns: i64) -> Self {
        Self { tallies, known: Vec::new(), containers, offset_ns }
    }

    /// Reads one record. `probe` finds the probe of a spec that was not seen before in this generation.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        probe: impl FnOnce(u32, u32) -> Option<Arc<ProbeInfo>>,
    ) -> Taken {
        let record = match decode(bytes) {
            Ok(record) => record,
            Err(error) => {
                // Nearly all records are those of hits; what this one was, nobody can tell.
                self.tallies.received.fetch_add(1, Ordering::Relaxed);
                self.tallies.malformed.fetch_add(1, Ordering::Relaxed);
                tracing::debug!("a record can't be decoded: {error}");
                return Taken::Nothing;
            }
        };
        let RecordHeader { kind, spec, generation, pid, .. } = record.header;
        if kind == RECORD_EXEC {
            let known = record.header.flags & RECORD_KNOWN != 0;
            return Taken::Executed(if known { Executed::Known(pid) } else { Executed::New(pid) });
        }
        if kind != RECORD_HIT && kind != RECORD_ABORT {
            return Taken::Nothing;
        }
        self.tallies.received.fetch_add(1, Ordering::Relaxed);
        let offset_ns = self.offset_ns;
        match self.known(spec, generation, probe) {
            Some(known) => {
                let reading = Reading::with_names(&known.probe.mapping, &known.names);
                let read = if kind == RECORD_ABORT { Event::aborted } else { Event::from_site };
                let mut event = read(&record, &reading, offset_ns);
                event.container_id = self.containers.of(event.cgroup_id);
                Taken::Event(event)
            }
            None => {
                self.tallies.unknown_spec.fetch_add(1, Ordering::Relaxed);
                Taken::Nothing
            }
        }
    }

    fn known(
        &mut self,
        spec: u32,
        generation: u32,
        probe: impl FnOnce(u32, u32) -> Option<Arc<ProbeInfo>>,
    ) -> Option<&Known> {
        let index = spec as usize;
        let is_known =
            |known: &Option<Known>| known.as_ref().is_some_and(|k| k.probe.generation == generation);
        if !self.known.get(index).is_some_and(is_known) {
            let probe = probe(spec, generation)?;
            if self.known.len() <= index {
                self.known.resize_with(index + 1, || None);
            }
            let names = Names::new(&probe.mapping, probe.unreadable);
            self.known[index] = Some(Known { probe, names });
        }
        self.known.get(index)?.as_ref()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use sidecar_common::{RECORD_EXIT, RecordHeader};

    use super::*;
    use crate::{
        attach::{ImageInfo, ProbeKind},
        elf::ImageId,
        event::records::{encode, header_of},
        mapping,
    };

    pub(in crate::observe) fn known() -> Arc<ProbeInfo> {
        let mapping = mapping::builtin().into_iter().find(|mapping| mapping.marker == "event").unwrap();
        let id = ImageId { dev: 1, ino: 2, size: 3, mtime_ns: 4, ctime_ns: 5 };
        let image = ImageInfo { id, path: "/program".into(), build_id: None, sites: 1 };
        Arc::new(ProbeInfo {
            spec: 7,
            generation: 3,
            mapping: Arc::new(mapping),
            image: Arc::new(image),
            args: String::new(),
            sites: 1,
            histogram: None,
            unreadable: 0,
            kind: ProbeKind::Marker,
        })
    }

    /// Every record is counted, and what becomes of it adds up: received = events + malformed + unknown_spec.
    #[test]
    fn what_is_not_understood_is_counted_by_its_reason() {
        let tallies = Arc::new(Tallies::default());
        let mut intake = Intake::new(Arc::clone(&tallies), Containers::new(Box::new(|_| None)), 0);
        let hit = encode(header_of(RECORD_HIT), &[]);
        let stranger = encode(RecordHeader { generation: 4, ..header_of(RECORD_HIT) }, &[]);
        let probe = |_, generation| (generation == 3).then(known);
        let counts = || [&tallies.received, &tallies.malformed, &tallies.unknown_spec].map(Tallies::read);

        assert!(matches!(intake.take(&hit, probe), Taken::Event(event) if event.pid == 4711));
        assert_eq!(counts(), [1, 0, 0]);
        assert_eq!(intake.take(&hit[..hit.len() - 1], probe), Taken::Nothing);
        assert_eq!(intake.take(&[], probe), Taken::Nothing);
        assert_eq!(counts(), [3, 2, 0]);
        // A spec that somebody else has had meanwhile, and one that nobody has; then the known one without a question.
        assert_eq!(intake.take(&stranger, probe), Taken::Nothing);
        assert!(matches!(intake.take(&hit, |_, _| None), Taken::Event(_)));
        assert_eq!(counts(), [5, 2, 1]);
        // What tells of processes is none of them.
        let new = encode(header_of(RECORD_EXEC), &[]);
        assert_eq!(intake.take(&new, probe), Taken::Executed(Executed::New(4711)));
        let known = encode(RecordHeader { flags: RECORD_KNOWN, ..header_of(RECORD_EXEC) }, &[]);
        assert_eq!(intake.take(&known, probe), Taken::Executed(Executed::Known(4711)));
        assert_eq!(intake.take(&encode(header_of(RECORD_EXIT), &[]), probe), Taken::Nothing);
        assert_eq!(counts(), [5, 2, 1]);
    }
}
