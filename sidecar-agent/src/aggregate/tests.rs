//! Tests of the summary: its counts, its caps and its text.

use super::*;

/// An event of provider `nextest` in one run.
pub(super) fn event(kind: EventKind, test: &str, attempt: Option<u32>) -> Event {
    Event {
        time_ns: 0,
        event_type: "".into(),
        signal: "test_events".into(),
        provider: "nextest".into(),
        marker: "".into(),
        test_id: Some(test.to_owned()),
        run_id: Some("run".to_owned()),
        suite: None,
        attempt,
        status: None,
        duration_ns: None,
        message: None,
        pid: 7,
        tid: 7,
        comm: String::new(),
        cgroup_id: 1,
        container_id: None,
        sample_rate: 1.0,
        data: serde_json::Map::new(),
        key: None,
        precious: false,
        kind,
    }
}

pub(super) fn start(test: &str, attempt: u32) -> Event {
    event(EventKind::TestStart, test, Some(attempt))
}

pub(super) fn end(test: &str, attempt: u32, status: Status, micros: u64) -> Event {
    Event {
        status: Some(status),
        duration_ns: Some(micros * 1000),
        ..event(EventKind::TestEnd, test, Some(attempt))
    }
}

pub(super) fn summary(events: &[Event]) -> Summary {
    let mut summary = Summary::new();
    events.iter().for_each(|event| summary.observe(event));
    summary
}

fn count(totals: &Totals, status: Status) -> u64 {
    totals.tests[status as usize]
}

pub(super) const PLAIN: Style = Style { color: false, width: 80 };

#[test]
fn a_test_counts_once_with_its_last_outcome() {
    let totals = summary(&[
        end("flaky", 1, Status::Failed, 1),
        end("flaky", 2, Status::Timeout, 1),
        end("flaky", 3, Status::Passed, 1),
        end("bad", 1, Status::Failed, 1),
        end("bad", 2, Status::Failed, 1),
        end("good", 1, Status::Passed, 1),
        end("not run", 1, Status::Skipped, 1),
    ])
    .totals();
    assert_eq!((totals.attempts, totals.ended(), totals.flaky, totals.failed()), (7, 4, 1, 1));
    assert_eq!((count(&totals, Status::Passed), count(&totals, Status::Skipped)), (2, 1));
}

#[test]
fn a_flaky_test_that_fails_again_is_not_flaky() {
    let totals = summary(&[
        end("t", 1, Status::Failed, 1),
        end("t", 2, Status::Passed, 1),
        end("t", 3, Status::Failed, 1),
    ])
    .totals();
    assert_eq!((totals.ended(), totals.flaky, totals.failed()), (1, 0, 1));
}

#[test]
fn attempts_are_of_one_test_only_if_everything_agrees() {
    let other_run = Event { run_id: Some("other".to_owned()), ..end("t", 2, Status::Passed, 1) };
    let other_suite = Event { suite: Some("other".to_owned()), ..end("t", 2, Status::Passed, 1) };
    let other_provider = Event { provider: "other".into(), ..end("t", 2, Status::Passed, 1) };
    let unnumbered = Event { attempt: None, ..end("t", 2, Status::Passed, 1) };
    let nameless = Event { test_id: None, ..end("t", 2, Status::Passed, 1) };
    let same_attempt = end("t", 1, Status::Passed, 1);
    for other in [other_run, other_suite, other_provider, unnumbered, nameless, same_attempt] {
        let totals = summary(&[end("t", 1, Status::Failed, 1), other]).totals();
        assert_eq!((totals.ended(), totals.flaky, totals.failed()), (2, 0, 1));
    }
}

#[test]
fn a_key_stands_for_run_and_suite() {
    let keyed = |run: Option<&str>, key, attempt, status| Event {
        key: Some(key),
        run_id: run.map(str::to_owned),
        ..end("t", attempt, status, 1)
    };
    let events = [keyed(Some("r"), 9, 1, Status::Failed), keyed(None, 9, 2, Status::Passed)];
    assert_eq!(summary(&events).totals().flaky, 1);
    let events = [keyed(None, 9, 1, Status::Failed), keyed(None, 8, 2, Status::Passed)];
    assert_eq!(summary(&events).totals().flaky, 0);
}

#[test]
fn starts_and_ends_meet_within_a_process() {
    let elsewhere = Event { pid: 8, ..end("a", 1, Status::Passed, 1) };
    let mut sum =
        summary(&[start("a", 1), start("b", 1), start("b", 2), elsewhere, end("b", 1, Status::Failed, 1)]);
    assert_eq!(sum.totals().open, 2);
    sum.observe(&end("b", 2, Status::Passed, 1));
    sum.observe(&end("a", 1, Status::Passed, 1));
    assert_eq!((sum.totals().open, sum.perhaps_open()), (0, 0));
}

#[test]
fn the_slowest_are_kept_in_order() {
    let events: Vec<_> = (0..100).map(|i| end(&format!("t{i}"), 1, Status::Passed, (i * 37) % 100)).collect();
    let sum = summary(&events);
    let times: Vec<_> = sum.slowest.sorted().iter().map(|slow| slow.duration_ns / 1000).collect();
    assert_eq!(times, [99, 98, 97, 96, 95, 94, 93, 92, 91, 90]);
}

#[test]
fn a_hundred_thousand_tests_are_counted_exactly_in_bounded_memory() {
    let mut sum = Summary::new();
    for i in 0..100_000 {
        let name = format!("module::test_number_{i}");
        sum.observe(&start(&name, 1));
    }
    for i in 0..100_000u32 {
        let name = format!("module::test_number_{i}");
        let status = if i.is_multiple_of(2) { Status::Failed } else { Status::Passed };
        let message = Some("m".repeat(1000));
        sum.observe(&Event { message, ..end(&name, 1, status, u64::from(i)) });
    }
    let totals = sum.totals();
    assert_eq!((totals.ended(), totals.failed(), count(&totals, Status::Passed)), (100_000, 50_000, 50_000));
    assert_eq!((sum.open.len(), sum.unfollowed, sum.perhaps_open()), (0, 95_904, 0));
    assert_eq!(sum.retries.sizes(), (MOST_FAILED, MOST_DETAILS));
    assert_eq!(sum.retries.untracked(), 50_000 - MOST_FAILED as u64);
    let text = sum.render(&Cost::default(), PLAIN);
    assert!(text.contains("and 49,900 failed tests more (--report FILE"), "{text}");
    assert!(text.contains("33,616 count once an attempt"), "{text}");

    // The second attempts of those that are remembered still meet their first.
    sum.observe(&end("module::test_number_0", 2, Status::Passed, 1));
    sum.observe(&end("module::test_number_400", 2, Status::Passed, 1));
    assert_eq!((sum.totals().ended(), sum.totals().flaky, sum.totals().failed()), (100_000, 2, 49_998));
    let text = sum.render(&Cost::default(), PLAIN);
    assert!(text.contains("and 49,899 failed tests more"), "{text}");
    assert!(text.contains("and 1 flaky test more"), "{text}");
}

#[test]
fn starts_beyond_the_cap_are_told_as_perhaps_open() {
    let mut sum = Summary::new();
    for i in 0..MOST_OPEN + 5 {
        sum.observe(&start(&format!("t{i}"), 1));
    }
    let text = sum.render(&Cost::default(), PLAIN);
    assert!(text.contains("and 4,086 tests more"), "{text}");
    assert!(text.contains("and perhaps 5 of those that were not followed"), "{text}");
}
