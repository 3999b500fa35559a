//! Tests of the builders and macros: what a tracer sees of each.

use super::*;
use crate::witness::{Hit, hits};
use crate::{anomaly, event, key, run_id, test_end, test_start};

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn a_start_carries_what_was_named_in_any_order() {
    let seen = hits(|| {
        test_start!(id = "a");
        test_start!(id = format!("b{}", 1), attempt = 2, run = String::from("r"), suite = Some("s"));
        test_start!(id = "c", key = 7, suite = None::<&str>, run = "");
    });
    assert_eq!(
        seen,
        [
            Hit::Start {
                key: key(run_id(), "a"),
                test_id: some("a"),
                run_id: some(run_id()),
                suite: None,
                attempt: 1
            },
            Hit::Start {
                key: key("r", "b1"),
                test_id: some("b1"),
                run_id: some("r"),
                suite: some("s"),
                attempt: 2
            },
            Hit::Start { key: 7, test_id: some("c"), run_id: some(""), suite: None, attempt: 1 },
        ]
    );
}

#[test]
fn an_end_has_the_key_of_its_start() {
    let seen = hits(|| {
        let took = Duration::from_millis(3);
        test_end!(
            id = "a",
            status = Status::Error,
            message = Box::<str>::from("m"),
            duration = took,
            run = "r"
        );
        test_end!(id = "a", status = Status::Passed, duration = Duration::MAX, attempt = 2, key = 9);
    });
    assert_eq!(
        seen,
        [
            Hit::End {
                key: key("r", "a"),
                test_id: some("a"),
                status: 4,
                duration_ns: 3_000_000,
                message: some("m"),
                attempt: 1
            },
            Hit::End {
                key: 9,
                test_id: some("a"),
                status: 1,
                duration_ns: u64::MAX,
                message: None,
                attempt: 2
            },
        ]
    );
}

#[test]
fn an_event_belongs_to_a_test_or_to_none() {
    let test = crate::test!(id = "t", run = "r");
    let seen = hits(|| {
        event!("alone", data = vec![0u8, 1]);
        event!(Cow::Borrowed("guarded"), data = "text", test = &test);
        event!("named", id = "t", run = "r");
    });
    let of_test = |event_type, data: Option<&str>| Hit::Event {
        key: key("r", "t"),
        event_type: some(event_type),
        test_id: some("t"),
        run_id: some("r"),
        data: data.map(|text| text.as_bytes().to_vec()),
    };
    let alone = Hit::Event {
        key: 0,
        event_type: some("alone"),
        test_id: None,
        run_id: some(run_id()),
        data: Some(vec![0, 1]),
    };
    assert_eq!(seen, [alone, of_test("guarded", Some("text")), of_test("named", None)]);
}

#[test]
fn an_anomaly_carries_its_signal_and_kind() {
    let seen = hits(|| anomaly!("test_events", String::from("slow")));
    assert_eq!(seen, [Hit::Anomaly { signal: some("test_events"), kind: some("slow") }]);
}

#[test]
fn a_string_that_no_record_can_hold_is_cut_where_the_marker_is_fired() {
    let huge = "é".repeat(1 << 19);
    let seen = hits(|| test_start!(id = huge, run = "r\0r"));
    let Hit::Start { key: seen_key, test_id: Some(id), run_id, .. } = &seen[0] else {
        panic!("no start");
    };
    assert_eq!((id.len(), run_id.as_deref()), (1_024, Some("r")));
    assert_eq!(*seen_key, key("r", &huge), "the key is that of the whole id");
}
