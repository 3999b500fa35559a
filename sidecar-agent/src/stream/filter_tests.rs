//! What filters let through, and what they refuse.

use super::super::testing::event;
use super::*;

fn passes(pairs: &[(&str, &str)], event: &Event) -> bool {
    Filter::of(pairs.iter().copied()).unwrap().passes(event)
}

#[test]
fn conditions_hold_together_and_their_values_apart() {
    let failed = event("test_failure", "db::tests::a[1,2]", Some(Status::Failed));
    for pairs in [
        &[][..],
        &[("event_type", "x, test_failure")],
        &[("status", "failed"), ("signal", "test_events"), ("provider", "sidecar")],
        &[("event_type", "x"), ("event_type", "test_failure")],
        &[("test_id", "db::*")],
        &[("test_id", "*a\\[1?2\\]")],
    ] {
        assert!(passes(pairs, &failed), "{pairs:?}");
    }
    for pairs in [
        &[("event_type", "test_start")][..],
        &[("status", "passed,error")],
        &[("status", "failed"), ("signal", "other")],
        &[("provider", "nextest")],
        &[("test_id", "web::*")],
        &[("test_id", "db")],
    ] {
        assert!(!passes(pairs, &failed), "{pairs:?}");
    }
}

#[test]
fn an_event_without_what_is_asked_for_does_not_pass() {
    let mut bare = event("x", "t", None);
    bare.test_id = None;
    assert!(!passes(&[("test_id", "*")], &bare));
    assert!(!passes(&[("status", "passed")], &bare));
}

#[test]
fn what_means_nothing_is_refused_with_a_hint() {
    let refused = |key: &str, value: &str| Filter::of([(key, value)]).unwrap_err();
    assert!(refused("event-type", "x").hint().contains("`event_type`"));
    assert!(refused("status", "fail").hint().contains("failed"));
    assert!(matches!(refused("test_id", "[a"), FilterError::Pattern { .. }));
    assert!(matches!(refused("signal", " , "), FilterError::Empty { .. }));
    assert!(matches!(refused("nothing", ""), FilterError::UnknownKey { .. }));
    let many = vec!["a"; 33].join(",");
    assert!(matches!(refused("signal", &many), FilterError::TooMuch { .. }));
    assert!(matches!(refused("test_id", &"a".repeat(1025)), FilterError::TooMuch { .. }));
}
