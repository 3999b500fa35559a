//! Tests of filters.

use sidecar_common::Status;

use super::*;

fn when(change: impl FnOnce(&mut When)) -> bool {
    let mut when = When::default();
    change(&mut when);
    Filter::new(&[], &when).unwrap().matches(&event("suite$a/b\nlogin::ok"))
}

fn glob(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn each_condition_holds_or_not() {
    assert!(when(|_| {}));
    assert!(when(|when| when.status = vec![Status::Error, Status::Failed]));
    assert!(!when(|when| when.status = vec![Status::Passed]));
    assert!(when(|when| when.provider = glob("next*")));
    assert!(!when(|when| when.provider = glob("next")));
    assert!(when(|when| when.suite = glob("{web,db}::*")));
    assert!(!when(|when| when.suite = glob("db::*")));
    // The star matches slashes and newlines too.
    assert!(when(|when| when.test_id = glob("*login*")));
    assert!(!when(|when| when.test_id = glob("login*")));
    assert!(when(|when| when.signal = glob("test_events")));
    assert!(!when(|when| when.signal = glob("events")));
    assert!(when(|when| when.min_duration_ms = Some(100.0)));
    assert!(!when(|when| when.min_duration_ms = Some(100.001)));
}

#[test]
fn all_conditions_must_hold() {
    assert!(!when(|when| {
        when.provider = glob("nextest");
        when.suite = glob("db::*");
    }));
}

#[test]
fn what_an_event_lacks_does_not_match() {
    let mut bare = event("x");
    (bare.test_id, bare.suite, bare.status, bare.duration_ns) = (None, None, None, None);
    for change in [
        (|when| when.status = vec![Status::Failed]) as fn(&mut When),
        |when| when.suite = Some("*".to_owned()),
        |when| when.test_id = Some("*".to_owned()),
        |when| when.min_duration_ms = Some(0.0),
    ] {
        let mut when = When::default();
        change(&mut when);
        assert!(!Filter::new(&[], &when).unwrap().matches(&bare), "{when:?}");
    }
    assert!(Filter::all().matches(&bare));
}

#[test]
fn types_are_exact() {
    assert!(Filter::types(["anomaly", "test_failure"]).matches(&event("x")));
    assert!(!Filter::types(["test_*"]).matches(&event("x")));
    assert!(Filter::types(Vec::<String>::new()).matches(&event("x")));
}
