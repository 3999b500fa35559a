//! Starts of tests that were sampled out come after all when the test fails, and only then.

use std::collections::BTreeSet;

use anyhow::Result;
use sidecar_agent::bpf::LoadOptions;
use sidecar_common::{EVENT_TEST_END, EVENT_TEST_START, RATE_ONE, Spec, Status};
use sidecar_tests::kernel::program::Program;
use sidecar_tests::kernel::record::{Arg, Record};
use sidecar_tests::kernel::session::{Session, options};
use sidecar_tests::kernel::spec;

const TENTH: u64 = RATE_ONE / 10;

/// A start's and an end's spec; the arguments are the test's number, its id and its status.
fn specs() -> [Spec; 2] {
    let args = [spec::integer(0), spec::string(1), spec::integer(2)];
    let common = Spec { id_arg: 1, seed: 7, ..spec::spec(&args) };
    [Spec { event: EVENT_TEST_START, ..common }, Spec { event: EVENT_TEST_END, status_arg: 2, ..common }]
}

struct Run {
    session: Session,
    starts: Vec<Record>,
    ends: Vec<Record>,
}

/// Runs lines of the script under a threshold.
fn run(load: &LoadOptions, threshold: u64, lines: &[String]) -> Result<Run> {
    let mut session = Session::load(load)?;
    session.kernel.set_threshold(0, threshold)?;
    session.kernel.set_hold_starts(true)?;
    let program = Program::copy("target_script")?;
    let [start, end] = specs();
    let _link = session.attach(&program, &[("start", start), ("end", end)])?;
    let mut running = program.start(&[])?;
    running.run(lines)?;
    running.finish()?;
    let (starts, ends) = session.records()?.into_iter().partition(|record| record.header.spec == 0);
    Ok(Run { session, starts, ends })
}

fn test(i: u64, id: &str, status: Status) -> [String; 2] {
    [format!("start {i} text:{id} 0"), format!("end {i} text:{id} {}", status as u8)]
}

fn numbers(records: &[Record]) -> Vec<u64> {
    records.iter().map(|record| record.integer(0)).collect()
}

/// 100,000 tests at a rate of 0.1, of which 500 fail.
pub(crate) fn hundred_thousand() -> Result<()> {
    const TESTS: u64 = 100_000;
    let fails = |i: u64| i % 200 == 77;
    let lines: Vec<String> = (0..TESTS)
        .flat_map(|i| {
            let status = if fails(i) { Status::Failed } else { Status::Passed };
            test(i, &format!("suite::module::test_number_{i}"), status)
        })
        .collect();
    let Run { session, starts, ends } =
        run(&LoadOptions { ring_bytes: 64 << 20, ..options() }, TENTH, &lines)?;

    let (started, ended): (BTreeSet<u64>, BTreeSet<u64>) =
        (numbers(&starts).into_iter().collect(), numbers(&ends).into_iter().collect());
    assert_eq!((starts.len(), ends.len()), (started.len(), ended.len()), "nothing comes twice");
    assert_eq!(started, ended, "whole tests only");
    assert!((0..TESTS).filter(|&i| fails(i)).all(|i| ended.contains(&i)), "every failure");
    // Of those that pass a tenth is kept: a binomial share, whose deviation is sqrt(n p (1 - p)).
    let passing = (TESTS - 500) as f64;
    let kept = ended.iter().filter(|&&i| !fails(i)).count() as f64;
    assert!((kept - passing * 0.1).abs() < 3.0 * (passing * 0.09).sqrt(), "{kept} of {passing}");
    for record in starts.iter().chain(&ends) {
        let rate = if fails(record.integer(0)) { RATE_ONE } else { TENTH };
        let sampled_in = record.header.spec == 0 && record.header.rate == TENTH;
        assert!(record.header.rate == rate || sampled_in, "the rate under which it was kept");
    }

    let (start, end) = (session.counters(0)?, session.counters(1)?);
    assert_eq!((start.hits, end.hits, start.lost, end.lost), (TESTS, TESTS, 0, 0));
    assert_eq!((end.statuses[1], end.statuses[2]), (TESTS - 500, 500), "exact totals");
    assert_eq!(start.kept + start.recalled, starts.len() as u64, "records of starts");
    assert_eq!(end.kept, ends.len() as u64);
    assert_eq!((start.held, start.recall_lost), (start.sampled_out, 0));
    Ok(())
}

/// The start of a failure comes before its end, with its own time, id and place, also with nothing sampled in.
pub(crate) fn order() -> Result<()> {
    let long = "x".repeat(250);
    let lines: Vec<String> = [test(1, "passes", Status::Passed), test(2, &long, Status::Failed)].concat();
    let mut session_lines = lines;
    session_lines.extend(test(3, "skipped", Status::Skipped));
    let Run { starts, ends, session } = run(&options(), 0, &session_lines)?;
    assert_eq!((numbers(&starts), numbers(&ends)), (vec![2, 3], vec![2, 3]));
    assert_eq!(starts[0].args[1], Arg::text(&long));
    assert!(starts[0].header.time_ns < ends[0].header.time_ns);
    assert_eq!(starts[0].header.pid, ends[0].header.pid);
    assert_eq!(session.counters(0)?.recalled, 2);
    Ok(())
}

/// An id too long to be held whole is cut, and the rest of the record is right.
pub(crate) fn long_ids() -> Result<()> {
    let Run { starts, ends, .. } =
        run(&options(), 0, &["start 5 long:2000 9".to_owned(), "end 5 long:2000 2".to_owned()])?;
    assert_eq!(starts[0].args, [Arg::Integer(5), Arg::Cut(vec![b'x'; 255]), Arg::Integer(9)]);
    assert_eq!(ends[0].args[1], Arg::Cut(vec![b'x'; 1023]));
    Ok(())
}

/// More tests in flight than there is room for: the oldest starts give way, and the counts say so.
pub(crate) fn crowd() -> Result<()> {
    const TESTS: u64 = 1000;
    let starts = (0..TESTS).map(|i| format!("start {i} text:id_{i} 0"));
    let ends = (0..TESTS).map(|i| format!("end {i} text:id_{i} 2"));
    let lines: Vec<String> = starts.chain(ends).collect();
    let Run { starts, ends, session } =
        run(&LoadOptions { max_held: 128, ring_bytes: 8 << 20, ..options() }, 0, &lines)?;
    assert_eq!(ends.len() as u64, TESTS, "every failure");
    let counters = session.counters(0)?;
    assert_eq!((counters.held, counters.sampled_out), (TESTS, TESTS));
    assert_eq!(counters.recalled, starts.len() as u64);
    assert!(starts.len() <= 256 && !starts.is_empty(), "{}", starts.len());
    Ok(())
}

/// Another process with the same id calls up nothing.
pub(crate) fn strangers() -> Result<()> {
    let mut session = Session::load(&options())?;
    session.kernel.set_threshold(0, 0)?;
    session.kernel.set_hold_starts(true)?;
    let program = Program::copy("target_script")?;
    let [start, end] = specs();
    let _link = session.attach(&program, &[("start", start), ("end", end)])?;
    let mut victim = program.start(&[])?;
    let mut stranger = program.start(&[])?;
    victim.run(&["start 1 text:login 0"])?;
    stranger.run(&["end 2 text:login 2"])?;
    assert_eq!(numbers(&session.records()?), [2], "only its own end");
    victim.run(&["end 1 text:login 2"])?;
    assert_eq!(numbers(&session.records()?), [1, 1]);
    victim.finish()?;
    stranger.finish()?;
    Ok(())
}

/// A ring without room loses the start's record, counted.
pub(crate) fn no_room() -> Result<()> {
    let lines: Vec<String> = (0..200).flat_map(|i| test(i, &format!("id_{i}"), Status::Failed)).collect();
    let Run { starts, ends, session } = run(&LoadOptions { ring_bytes: 64 << 10, ..options() }, 0, &lines)?;
    let (start, end) = (session.counters(0)?, session.counters(1)?);
    assert_eq!((start.recalled, end.kept), (starts.len() as u64, ends.len() as u64));
    assert_eq!(start.recalled + start.recall_lost, 200);
    assert_eq!(end.kept + end.lost, 200);
    assert!(start.recall_lost > 0);
    Ok(())
}
