//! Statuses and durations are counted exactly, whatever is sampled.

use std::time::Duration;

use anyhow::Result;
use sidecar_common::{
    EVENT_TEST_END, HISTOGRAM_BUCKETS, STATUS_WORD_LEN, Spec, Status, StatusEntry, StatusTable,
    bucket_bound_ns, fnv1a,
};
use sidecar_tests::kernel::program::Program;
use sidecar_tests::kernel::session::{Session, options};
use sidecar_tests::kernel::spec;

/// Runs `end STATUS DURATION` for each word and gives the statuses that the records carry and the counters.
fn ends(session: &mut Session, spec: Spec, words: &[String]) -> Result<(Vec<u8>, [u64; Status::COUNT])> {
    let program = Program::copy("target_script")?;
    let _link = session.attach(&program, &[("end", spec)])?;
    let mut running = program.start(&[])?;
    let lines: Vec<String> = words.iter().map(|word| format!("end {word}")).collect();
    running.run(&lines)?;
    running.finish()?;
    let statuses = session.records()?.iter().map(|record| record.header.status).collect();
    let counters = session.counters(0)?;
    assert_eq!(counters.hits, words.len() as u64);
    assert_eq!(counters.statuses.iter().sum::<u64>(), counters.hits, "each hit has one status");
    Ok((statuses, counters.statuses))
}

fn counted(statuses: &[u8]) -> [u64; Status::COUNT] {
    let mut counts = [0; Status::COUNT];
    for &status in statuses {
        counts[usize::from(status)] += 1;
    }
    counts
}

fn words<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

fn status_spec(arg: sidecar_common::ArgSpec) -> Spec {
    Spec { event: EVENT_TEST_END, status_arg: 0, status_table: 3, ..spec::spec(&[arg]) }
}

pub(crate) fn direct() -> Result<()> {
    let mut session = Session::load(&options())?;
    let script =
        words(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "-1", "256", "0x100000001", "1", "1"]);
    let expected = [0, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 1, 1];
    let (found, counts) = ends(&mut session, status_spec(spec::integer(0)), &script)?;
    assert_eq!(found, expected);
    assert_eq!(counts, counted(&expected));
    Ok(())
}

pub(crate) fn numbers() -> Result<()> {
    let mut session = Session::load(&options())?;
    let mut table = StatusTable::default();
    for (row, (value, status)) in
        table.rows.iter_mut().zip([(0, Status::Passed), (-1i64 as u64, Status::Failed), (77, Status::Xpass)])
    {
        *row = StatusEntry { value, status: status as u8, used: 1, ..StatusEntry::default() };
    }
    session.kernel.set_status_table(3, &table)?;
    let expected = [1, 2, 2, 8, 0, 0];
    // The argument is 4 bytes wide and signed, as a C int is.
    let arg = spec::narrow(spec::integer(0), 4, true);
    let script = words(["0", "-1", "0xffffffff", "77", "1", "78"]);
    let (found, counts) = ends(&mut session, status_spec(arg), &script)?;
    assert_eq!(found, expected);
    assert_eq!(counts, counted(&expected));
    Ok(())
}

pub(crate) fn status_words() -> Result<()> {
    let mut session = Session::load(&options())?;
    let longest = "w".repeat(STATUS_WORD_LEN);
    let mut table = StatusTable::default();
    let rows = [("pass", Status::Passed), ("fail", Status::Failed), (&longest, Status::Timeout)];
    for (row, (word, status)) in table.rows.iter_mut().zip(rows) {
        let value = fnv1a(word.as_bytes());
        *row = StatusEntry { value, status: status as u8, used: 1, ..StatusEntry::default() };
    }
    session.kernel.set_status_table(3, &table)?;
    let mut script = words([
        "text:pass",
        "text:fail",
        "text:passed",
        "text:PASS",
        "empty",
        "null",
        "1",
        "hex:ffff",
        "long:1000000",
        "cold:pass",
        "cold:fail",
    ]);
    let mut expected = vec![1, 2, 0, 0, 0, 0, 0, 0, 0, 1, 2];
    script.extend([format!("text:{longest}"), format!("text:{longest}w")]);
    expected.extend([5, 0]);
    let (found, counts) = ends(&mut session, status_spec(spec::string(0)), &script)?;
    assert_eq!(found, expected);
    assert_eq!(counts, counted(&expected));
    Ok(())
}

/// Buckets of durations in nanoseconds, found the slow way.
fn histogram(durations: &[u64]) -> [u64; HISTOGRAM_BUCKETS] {
    let mut buckets = [0; HISTOGRAM_BUCKETS];
    for &ns in durations {
        let bucket = (0..HISTOGRAM_BUCKETS - 1).find(|&i| ns <= bucket_bound_ns(i));
        buckets[bucket.unwrap_or(HISTOGRAM_BUCKETS - 1)] += 1;
    }
    buckets
}

pub(crate) fn durations() -> Result<()> {
    let mut values = vec![0, 1, 999, u64::MAX, u64::MAX - 1];
    for i in 0..HISTOGRAM_BUCKETS {
        values.extend([bucket_bound_ns(i) - 1, bucket_bound_ns(i), bucket_bound_ns(i) + 1]);
    }
    let script: Vec<String> = values.iter().map(|value| format!("1 {value}")).collect();
    let spec = Spec { duration_arg: 1, histogram: 5, ..spec::spec(&[spec::integer(0), spec::integer(1)]) };
    let mut session = Session::load(&options())?;
    // Nothing is kept, and all is counted.
    session.kernel.set_threshold(0, 0)?;
    let spec = Spec { status_arg: 0, ..spec };
    let (records, _) = ends(&mut session, spec, &script)?;
    assert!(records.is_empty());
    let found = session.kernel.histogram(5)?;
    assert_eq!(found.buckets, histogram(&values));
    assert_eq!(found.sum_ns, values.iter().fold(0u64, |sum, value| sum.wrapping_add(*value)));
    assert_eq!(session.kernel.histogram(4)?.sum_ns, 0);
    Ok(())
}

pub(crate) fn duration_units() -> Result<()> {
    for unit in [Duration::from_micros(1), Duration::from_millis(1), Duration::from_secs(1)] {
        let unit = u64::try_from(unit.as_nanos())?;
        let values = [0, 1, 2, 3, 1000, 86_400];
        let script: Vec<String> = values.iter().map(|value| format!("1 {value}")).collect();
        let args = [spec::integer(0), spec::integer(1)];
        let spec = Spec {
            status_arg: 0,
            duration_arg: 1,
            histogram: 0,
            duration_unit_ns: unit,
            ..spec::spec(&args)
        };
        let mut session = Session::load(&options())?;
        ends(&mut session, spec, &script)?;
        let found = session.kernel.histogram(0)?;
        assert_eq!(found.buckets, histogram(&values.map(|value| value * unit)));
        assert_eq!(found.sum_ns, values.iter().sum::<u64>() * unit);
    }
    Ok(())
}
