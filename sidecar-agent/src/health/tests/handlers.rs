//! Handlers: failures in a row, failures by share, want of room, the end of one.

use std::time::Duration;

use super::super::checks::REMEMBER;
use super::super::handlers::{LEAST_TRIED, UNRELIABLE_PERCENT};
use super::super::{Checks, Level};
use super::{Bench, THRESHOLD, fail, handler};
use crate::handlers::Reason;

const NAME: &str = "handler_h";

#[test]
fn the_threshold_of_failures_in_a_row_is_the_configured_one() {
    for threshold in [1, 3, 1000] {
        let mut bench = Bench::new();
        let mut level = |failures| {
            bench.handler().consecutive_failures = failures;
            bench.checks.update(&bench.health, &bench.snapshot, threshold, bench.now);
            bench.health.report(bench.now).components[NAME].status
        };
        assert_eq!(level(threshold - 1), Level::Healthy, "{threshold}");
        assert_eq!(level(threshold), Level::Degraded, "{threshold}");
        assert_eq!(level(threshold + 1), Level::Degraded, "{threshold}");
        assert_eq!(level(0), Level::Healthy, "one success ends the row");
    }
}

/// However long it fails: a restart of the agent would not help it.
#[test]
fn a_handler_that_fails_for_ever_never_makes_the_agent_unhealthy() {
    let mut bench = Bench::new();
    for _ in 0..1000 {
        fail(bench.handler(), 100);
        bench.handler().consecutive_failures += 100;
        bench.now += Duration::from_secs(30);
        let (level, message) = bench.level(NAME);
        assert_eq!(level, Level::Degraded);
        assert!(message.contains("failures in a row, the last: exit status 1"), "{message}");
        assert_eq!(bench.health.report(bench.now).status, Level::Degraded);
    }
}

/// One failure in nine never fails three times in a row.
#[test]
fn failures_among_successes_are_seen_by_their_share() {
    let mut bench = Bench::new();
    assert_eq!(bench.level(NAME).0, Level::Healthy);
    fail(bench.handler(), 1);
    bench.handler().handled = LEAST_TRIED - 2;
    assert_eq!(bench.level(NAME).0, Level::Healthy, "too few to judge");
    fail(bench.handler(), 1);
    let (level, message) = bench.level(NAME);
    assert!(level == Level::Degraded && message.contains("lately: 2 of 10"), "{message}");
    bench.handler().handled = 2 * 100 / UNRELIABLE_PERCENT - 2;
    assert_eq!(bench.level(NAME).0, Level::Healthy, "10 % is not above 10 %");
    bench.handler().handled -= 1;
    assert_eq!(bench.level(NAME).0, Level::Degraded);
}

#[test]
fn a_share_of_failures_is_forgotten_after_a_minute_whatever_the_interval_of_checks() {
    for interval in [1, 30, 59, 60, 61, 3600] {
        let step = Duration::from_secs(interval);
        let mut bench = Bench::new();
        assert_eq!(bench.level(NAME).0, Level::Healthy);
        bench.now += step;
        (bench.handler().handled, bench.handler().received) = (10, 20);
        fail(bench.handler(), 10);
        let begun = bench.now;
        let mut degraded_until = begun;
        for _ in 0..200 {
            if bench.level(NAME).0 == Level::Degraded {
                degraded_until = bench.now;
            }
            bench.now += step;
            // It works again.
            bench.handler().handled += 5;
        }
        let lasted = degraded_until - begun;
        assert!(lasted <= REMEMBER + step, "every {interval} s: {lasted:?}");
        assert_eq!(bench.level(NAME).0, Level::Healthy, "every {interval} s");
    }
}

#[test]
fn many_checks_at_once_remember_little_and_judge_the_same() {
    let mut bench = Bench::new();
    for i in 0..10_000 {
        bench.now += Duration::from_millis(20);
        bench.handler().handled += 1;
        if i % 8 == 0 {
            fail(bench.handler(), 1);
        }
        let level = bench.level(NAME).0;
        assert!(i < 50 || level == Level::Degraded, "{i}");
    }
    assert!(format!("{:?}", bench.checks).matches("Counts {").count() < 70);
}

#[test]
fn a_handler_that_was_replaced_begins_again_and_one_that_is_gone_is_forgotten() {
    let mut bench = Bench::new();
    fail(bench.handler(), 50);
    bench.handler().handled = 50;
    assert_eq!(bench.level(NAME).0, Level::Degraded);
    bench.now += REMEMBER;
    assert_eq!(bench.level(NAME).0, Level::Degraded, "the first look counts from the start");
    bench.now += REMEMBER;
    *bench.handler() = handler("h");
    bench.handler().handled = 20;
    assert_eq!(bench.level(NAME).0, Level::Healthy);
    *bench.handler() = handler("other");
    assert_eq!(bench.level("handler_other").0, Level::Healthy);
    assert!(!bench.health.report(bench.now).components.contains_key(NAME));
    assert!(!format!("{:?}", bench.checks).contains(NAME));
}

/// A rate limit drops because it was asked to.
#[test]
fn drops_by_choice_are_no_trouble() {
    let mut bench = Bench::new();
    for reason in [Reason::RateLimited, Reason::Shutdown] {
        bench.handler().counts[reason as usize] = 1000;
        let component = bench.component(NAME);
        assert_eq!(component.status, Level::Healthy, "{component:?}");
    }
}

#[test]
fn the_worst_is_told_first() {
    let mut bench = Bench::new();
    fail(bench.handler(), 20);
    bench.handler().counts[Reason::QueueFullOldest as usize] = 1;
    let message = |bench: &mut Bench| bench.level(NAME).1;
    assert!(message(&mut bench).starts_with("failed on more than"));
    bench.handler().consecutive_failures = THRESHOLD;
    assert!(message(&mut bench).starts_with("failing, one event after the other: 3"));
    bench.handler().running = false;
    assert_eq!(bench.level(NAME).0, Level::Unhealthy);
    assert!(message(&mut bench).starts_with("it has ended; restart the agent"));
    // Other checks that see it for the first time say the same.
    bench.checks = Checks::default();
    assert_eq!(bench.level(NAME).0, Level::Unhealthy);
}
