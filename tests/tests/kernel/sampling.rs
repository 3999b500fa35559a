//! Sampling decides for each test, never for each event, and never against a failure.

use std::collections::BTreeSet;

use anyhow::Result;
use sidecar_common::{EVENT_TEST_END, EVENT_TEST_START, RATE_ONE, Spec, Status, keeps};
use sidecar_tests::kernel::program::Program;
use sidecar_tests::kernel::record::Record;
use sidecar_tests::kernel::session::{Session, options};
use sidecar_tests::kernel::spec;

/// Tests that the script runs.
const TESTS: u64 = 5_000;
/// A rate of a tenth.
const TENTH: u64 = RATE_ONE / 10;

/// Whether test `i` fails in the script.
fn fails(i: u64) -> bool {
    i.is_multiple_of(7)
}

/// Runs `start WORD` and `end WORD STATUS` for each test, at a tenth; gives the records of starts and of ends.
fn run(specs: [Spec; 2], word: impl Fn(u64) -> String) -> Result<[Vec<Record>; 2]> {
    let mut session = Session::load(&sidecar_agent::bpf::LoadOptions { ring_bytes: 8 << 20, ..options() })?;
    session.kernel.set_threshold(0, TENTH)?;
    let program = Program::copy("target_script")?;
    let [start, end] = specs;
    let _link = session.attach(&program, &[("start", start), ("end", end)])?;
    let mut running = program.start(&[])?;
    let lines: Vec<String> = (1..=TESTS)
        .flat_map(|i| {
            let status = if fails(i) { Status::Failed } else { Status::Passed } as u8;
            let word = word(i);
            [format!("start {i} {word} 0"), format!("end {i} {word} {status}")]
        })
        .collect();
    running.run(&lines)?;
    running.finish()?;
    let records = session.records()?;
    for index in 0..2 {
        let counters = session.counters(index)?;
        assert_eq!((counters.hits, counters.lost), (TESTS, 0));
        assert_eq!(counters.kept, records.iter().filter(|record| record.header.spec == index).count() as u64);
    }
    let (starts, ends) = records.into_iter().partition(|record| record.header.spec == 0);
    Ok([starts, ends])
}

/// A start's and an end's spec; the arguments are the test's number, its id and its status.
fn specs(key_arg: u8, id_arg: u8, id: sidecar_common::ArgSpec) -> [Spec; 2] {
    let args = [spec::integer(0), id, spec::integer(2)];
    let common = Spec { key_arg, id_arg, seed: 42, ..spec::spec(&args) };
    [Spec { event: EVENT_TEST_START, ..common }, Spec { event: EVENT_TEST_END, status_arg: 2, ..common }]
}

/// The numbers of the tests in these records.
fn tests(records: &[Record]) -> BTreeSet<u64> {
    records.iter().map(|record| record.integer(0)).collect()
}

/// What must hold of a run: starts that were kept end, failures end, and nothing else does.
fn check(starts: &[Record], ends: &[Record]) {
    let kept = tests(starts);
    let expected: BTreeSet<u64> = (1..=TESTS).filter(|i| kept.contains(i) || fails(*i)).collect();
    assert_eq!(tests(ends), expected);
    assert!(starts.iter().all(|record| record.header.rate == TENTH));
    for end in ends {
        let rate = if fails(end.integer(0)) { RATE_ONE } else { TENTH };
        assert_eq!(end.header.rate, rate, "each record carries the rate under which it was kept");
    }
}

pub(crate) fn keys() -> Result<()> {
    let [starts, ends] = run(specs(0, sidecar_common::NO_ARG, spec::integer(1)), |_| "0".to_owned())?;
    check(&starts, &ends);
    assert_eq!(tests(&starts), (1..=TESTS).filter(|&key| keeps(key, TENTH)).collect());
    Ok(())
}

/// About a tenth of tests whose keys the kernel makes itself; which ones is a matter of the hash.
fn about_a_tenth(records: &[Record]) {
    let share = records.len() as f64 / TESTS as f64;
    assert!((0.07..0.13).contains(&share), "{share}");
}

pub(crate) fn ids() -> Result<()> {
    let text = |i: u64| format!("text:suite::module::test_with_a_long_name_{i}");
    let [starts, ends] = run(specs(sidecar_common::NO_ARG, 1, spec::string(1)), text)?;
    check(&starts, &ends);
    about_a_tenth(&starts);
    Ok(())
}

/// The first marker of a test may carry an id that nobody has looked at yet, and the second one the same, warm.
pub(crate) fn cold_ids() -> Result<()> {
    let mut session = Session::load(&options())?;
    session.kernel.set_threshold(0, TENTH)?;
    let program = Program::copy("target_script")?;
    let [start, end] = specs(sidecar_common::NO_ARG, 1, spec::string(1));
    let _link = session.attach(&program, &[("start", start), ("end", end)])?;
    let mut running = program.start(&[])?;
    let lines: Vec<String> = (0..500)
        .flat_map(|i| [format!("start {i} cold:id_{i} 0"), format!("end {i} text:id_{i} 1")])
        .collect();
    running.run(&lines)?;
    running.finish()?;
    let (starts, ends): (Vec<_>, Vec<_>) =
        session.records()?.into_iter().partition(|record| record.header.spec == 0);
    assert!(!starts.is_empty());
    assert_eq!(tests(&starts), tests(&ends));
    Ok(())
}

pub(crate) fn number_ids() -> Result<()> {
    let [starts, ends] = run(specs(sidecar_common::NO_ARG, 0, spec::integer(1)), |_| "0".to_owned())?;
    check(&starts, &ends);
    about_a_tenth(&starts);
    Ok(())
}

pub(crate) fn neither() -> Result<()> {
    let none = sidecar_common::NO_ARG;
    let [starts, ends] = run(specs(none, none, spec::integer(1)), |_| "0".to_owned())?;
    about_a_tenth(&starts);
    assert!((1..=TESTS).filter(|i| fails(*i)).all(|i| tests(&ends).contains(&i)), "failures are kept");
    Ok(())
}

/// A change of the rate takes effect at the next hit.
pub(crate) fn changes() -> Result<()> {
    let mut session = Session::load(&options())?;
    let program = Program::copy("target_script")?;
    let spec = Spec { signal: 9, key_arg: 0, ..spec::spec(&[spec::integer(0)]) };
    let _link = session.attach(&program, &[("hit", spec)])?;
    let mut running = program.start(&[])?;
    let mut expected = Vec::new();
    for (round, threshold) in (0..).zip([0, RATE_ONE, TENTH, 0, RATE_ONE]) {
        session.kernel.set_threshold(9, threshold)?;
        let keys = (round * 100 + 1)..(round + 1) * 100;
        running.run(&keys.clone().map(|key| format!("hit {key}")).collect::<Vec<_>>())?;
        expected.extend(keys.filter(|&key| keeps(key, threshold)));
    }
    running.finish()?;
    let found: Vec<u64> = session.records()?.iter().map(|record| record.integer(0)).collect();
    assert_eq!(found, expected);
    Ok(())
}
