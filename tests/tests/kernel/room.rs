//! A ring that nobody reads: what is kept by its rate only leaves room for failures with their starts, and for anomalies.

use std::collections::BTreeMap;

use anyhow::Result;
use sidecar_agent::bpf::{Link, LoadOptions};
use sidecar_common::{
    EVENT_ANOMALY, EVENT_TEST_END, EVENT_TEST_START, RATE_ONE, RECORD_PRECIOUS, Spec, Status,
};
use sidecar_tests::kernel::program::{Program, Running};
use sidecar_tests::kernel::record::Record;
use sidecar_tests::kernel::session::{Session, options};
use sidecar_tests::kernel::spec;

/// Ring bytes of a record with a short text, and of a held start, each with the ring's own 8.
const RECORD: u64 = 512 + 8;
const HELD: u64 = 1024 + 8;
/// Passing tests that fill the share of the ring that is theirs.
const PASSING: u64 = 2_000;
/// Failures for which there is room besides.
const FAILING: u64 = 30;

fn load() -> LoadOptions {
    LoadOptions { ring_bytes: 256 << 10, ..options() }
}

/// A program whose tests are watched by markers `start` and `end`; the arguments are number, id and status, or at
/// the end the duration.
struct Watched {
    session: Session,
    running: Running,
    _link: Link,
    _program: Program,
}

/// Starts are held; the signal has this threshold.
fn watch(threshold: u64, specs: &[(&str, Spec)]) -> Result<Watched> {
    let mut session = Session::load(&load())?;
    session.kernel.set_threshold(0, threshold)?;
    session.kernel.set_hold_starts(true)?;
    let program = Program::copy("target_script")?;
    let link = session.attach(&program, specs)?;
    Ok(Watched { session, running: program.start(&[])?, _link: link, _program: program })
}

fn test_specs() -> [(&'static str, Spec); 2] {
    let args = [spec::integer(0), spec::string(1), spec::integer(2)];
    let common = Spec { id_arg: 1, seed: 7, ..spec::spec(&args) };
    let start = Spec { event: EVENT_TEST_START, ..common };
    [("start", start), ("end", Spec { event: EVENT_TEST_END, status_arg: 2, ..common })]
}

fn tests(numbers: std::ops::Range<u64>, status: Status) -> Vec<String> {
    let test = |i| [format!("start {i} text:id_{i} 0"), format!("end {i} text:id_{i} {}", status as u8)];
    numbers.flat_map(test).collect()
}

/// Parts of each test by its number: how often start and end came.
fn parts(records: &[Record]) -> BTreeMap<u64, [u32; 2]> {
    let mut parts: BTreeMap<u64, [u32; 2]> = BTreeMap::new();
    for record in records {
        parts.entry(record.integer(0)).or_default()[record.header.spec as usize] += 1;
    }
    parts
}

/// Every failure comes with its start, though the passing tests before it had filled what is theirs.
pub(crate) fn failures() -> Result<()> {
    let mut watched = watch(RATE_ONE, &test_specs())?;
    watched.running.run(&tests(0..PASSING, Status::Passed))?;
    let full = watched.session.counters(1)?;
    assert!(full.lost > 0, "{full:?}");
    watched.running.run(&tests(PASSING..PASSING + FAILING, Status::Failed))?;

    let (start, end) = (watched.session.counters(0)?, watched.session.counters(1)?);
    assert_eq!((start.hits, end.hits), (PASSING + FAILING, PASSING + FAILING), "exact counts");
    assert_eq!((end.statuses[1], end.statuses[2]), (PASSING, FAILING), "exact outcomes");
    assert_eq!((end.kept, end.lost), (full.kept + FAILING, full.lost), "no failure is lost");
    assert_eq!(start.held, start.lost, "a start that finds no room is held");
    assert_eq!(start.recalled, FAILING, "and comes with its failure");
    let records = watched.session.records()?;
    assert_eq!(records.len() as u64, start.kept + start.recalled + end.kept);
    let parts = parts(&records);
    for number in PASSING..PASSING + FAILING {
        assert_eq!(parts.get(&number), Some(&[1, 1]), "the failure {number}");
    }
    for record in &records {
        let is_failure = record.integer(0) >= PASSING;
        assert_eq!(record.header.flags, if is_failure { RECORD_PRECIOUS } else { 0 }, "{record:?}");
    }

    // Once the ring has been read, there is room again.
    watched.running.run(&tests(0..10, Status::Passed))?;
    assert_eq!(watched.session.counters(1)?.kept, end.kept + 10);
    watched.running.finish()
}

/// What is kept by its rate fills its share of the ring and no more.
pub(crate) fn share() -> Result<()> {
    let mut watched = watch(RATE_ONE, &test_specs())?;
    watched.running.run(&tests(0..PASSING, Status::Passed))?;
    let counters = [watched.session.counters(0)?, watched.session.counters(1)?];
    let kept: u64 = counters.iter().map(|counters| counters.kept).sum();
    let room = u64::from(load().sampled_room());
    assert_eq!(kept, room / RECORD + 1, "as many as its share holds, and one beyond: {counters:?}");
    assert_eq!(counters[0].recalled, 0, "a passing test's start finds no more room than its end");
    assert_eq!(counters[0].recall_lost + counters[0].kept, PASSING, "{counters:?}");
    watched.running.finish()
}

/// An anomaly that a program reports finds room where others don't.
pub(crate) fn anomalies() -> Result<()> {
    let [start, _] = test_specs();
    let specs = [start, ("hit", Spec { event: EVENT_ANOMALY, ..start.1 })];
    let mut watched = watch(RATE_ONE, &specs)?;
    let fill: Vec<String> = (0..PASSING).map(|i| format!("start {i} text:id_{i} 0")).collect();
    watched.running.run(&fill)?;
    let full = watched.session.counters(0)?;
    assert!(full.lost > 0);
    watched.running.run(&["hit 1 text:a 0", "start 2 text:b 0"])?;
    for (spec, kept, lost) in [(0, full.kept, full.lost + 1), (1, 1, 0)] {
        let counters = watched.session.counters(spec)?;
        assert_eq!((counters.kept, counters.lost), (kept, lost), "spec {spec}");
    }
    watched.running.finish()
}

/// More failures than the whole ring holds: each that found no room is counted, and the rest is whole.
pub(crate) fn beyond() -> Result<()> {
    let mut watched = watch(0, &test_specs())?;
    watched.running.run(&tests(0..PASSING, Status::Failed))?;
    let (start, end) = (watched.session.counters(0)?, watched.session.counters(1)?);
    assert_eq!((start.sampled_out, start.held), (PASSING, PASSING));
    assert_eq!(start.recalled + start.recall_lost, PASSING);
    assert_eq!(end.kept + end.lost, PASSING);
    assert!(start.recall_lost > 0 && end.lost > 0, "{start:?} {end:?}");
    let used = start.recalled * HELD + end.kept * RECORD;
    let ring = u64::from(load().ring_bytes);
    assert!(used <= ring && used > ring - HELD, "{used} of {ring} bytes");
    assert_eq!(watched.session.records()?.len() as u64, start.recalled + end.kept);
    watched.running.finish()
}
