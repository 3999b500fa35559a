//! Tests of events: what each kind of marker becomes, as JSON.

use proptest::prelude::*;
use sidecar_common::{RECORD_HIT, RecordHeader};

use super::super::decode::decode;
use super::super::decode::tests::{Arg, encode, header_of, text};
use super::super::write_line;
use super::Reading;
use super::*;
use crate::mapping::{DurationUnit, EventKind, builtin};

/// The wall clock of the test records: 2026-11-24T04:05:53.346000007Z at 1.000000007 s of uptime.
const OFFSET: i64 = 1_795_493_152_346_000_000;

fn mapping(provider: &str, marker: &str) -> Mapping {
    builtin().into_iter().find(|mapping| mapping.provider == provider && mapping.marker == marker).unwrap()
}

fn record(status: Status, args: &[Arg]) -> Record {
    decode(&encode(RecordHeader { status: status as u8, ..header_of(RECORD_HIT) }, args)).unwrap()
}

fn event(provider: &str, marker: &str, status: Status, args: &[Arg]) -> Event {
    Event::from_record(&record(status, args), &mapping(provider, marker), OFFSET)
}

/// The line without what is the same in every test.
fn line(event: &Event) -> String {
    let mut out = Vec::new();
    write_line(event, &mut out).unwrap();
    let line = String::from_utf8(out).unwrap();
    assert_eq!(line.matches('\n').count(), 1);
    let stamp = r#""timestamp":"2026-11-24T04:05:53.346000007Z","#;
    assert!(line.contains(stamp), "{line}");
    line.trim_end()
        .replace(stamp, "")
        .replace(r#""pid":4711,"tid":4712,"comm":"runner","cgroup_id":99,"sample_rate":1.0"#, "...")
}

const UUID: &str = "689b6119-6524-4862-b2fa-3c2fabab471f";

fn nextest_attempt(json: &str, suffix: &str, more: &[Arg]) -> Vec<Arg> {
    let mut args = vec![
        text(json),
        text(&format!("{UUID}:nx::it$tests::flaky{suffix}")),
        text("nx::it"),
        text("tests::flaky"),
    ];
    args.extend_from_slice(more);
    args
}

#[test]
fn a_test_start_of_sidecar() {
    let args = [Arg::Integer(77), text("suite::a test"), text("run-1"), text("suite"), Arg::Integer(2)];
    let event = event("sidecar", "test_start", Status::Unknown, &args);
    assert_eq!(event.key, Some(77));
    assert_eq!(
        line(&event),
        r#"{"event_type":"test_start","signal":"test_events","provider":"sidecar","marker":"test_start","test_id":"suite::a test","run_id":"run-1","suite":"suite","attempt":2,...}"#
    );
}

#[test]
fn the_whole_line_of_a_test_end() {
    let args = [
        Arg::Integer(1),
        text("a"),
        Arg::Integer(2),
        Arg::Integer(206_943_239),
        text("assertion failed: \"x\"\n\u{1b}[31m"),
        Arg::Integer(1),
    ];
    let mut out = Vec::new();
    write_line(&event("sidecar", "test_end", Status::Failed, &args), &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#"{"timestamp":"2026-11-24T04:05:53.346000007Z","event_type":"test_failure","signal":"test_events","#,
            r#""provider":"sidecar","marker":"test_end","test_id":"a","attempt":1,"status":"failed","#,
            r#""duration_ms":206.943239,"message":"assertion failed: \"x\"\n\u001b[31m","pid":4711,"tid":4712,"#,
            r#""comm":"runner","cgroup_id":99,"sample_rate":1.0}"#,
            "\n"
        )
    );
}

#[test]
fn a_passed_end_without_a_message() {
    let args = [Arg::Integer(0), text("a"), Arg::Integer(1), Arg::Integer(0), Arg::Unread, Arg::Integer(0)];
    let event = event("sidecar", "test_end", Status::Passed, &args);
    assert_eq!(event.key, None);
    assert_eq!(
        line(&event),
        r#"{"event_type":"test_end","signal":"test_events","provider":"sidecar","marker":"test_end","test_id":"a","status":"passed","duration_ms":0.0,...}"#
    );
}

#[test]
fn a_custom_event_has_its_payload_in_data() {
    let payload = r#"{"step": 3, "name": "log in", "_missing": "forged"}"#;
    let args = [Arg::Integer(5), text("step_end"), text("t"), text("r"), text(payload), Arg::Integer(9)];
    assert_eq!(
        line(&event("sidecar", "event", Status::Unknown, &args)),
        r#"{"event_type":"step_end","signal":"events","provider":"sidecar","marker":"event","test_id":"t","run_id":"r",...,"data":{"name":"log in","step":3}}"#
    );
    for (payload, data) in [
        ("[1, 2]", r#"{"data":[1,2]}"#),
        ("plain text", r#"{"data":"plain text"}"#),
        ("{\"cut\": ", r#"{"data":"{\"cut\": "}"#),
        ("5", r#"{"data":"5"}"#),
    ] {
        let args = [Arg::Integer(5), Arg::Unread, Arg::Unread, Arg::Unread, text(payload), Arg::Integer(9)];
        let event = event("sidecar", "event", Status::Unknown, &args);
        assert_eq!(
            (serde_json::to_string(&event.data).unwrap().as_str(), &*event.event_type),
            (data, "event")
        );
    }
}

#[test]
fn an_anomaly_names_its_signal() {
    assert_eq!(
        line(&event("sidecar", "anomaly", Status::Unknown, &[text("traces"), text("timeout")])),
        r#"{"event_type":"anomaly","signal":"events","provider":"sidecar","marker":"anomaly",...,"data":{"kind":"timeout","signal":"traces"}}"#
    );
}

#[test]
fn a_nextest_attempt_from_start_to_end() {
    let start = nextest_attempt(r#"{"ok":{"attempt":1,"pid":16371}}"#, "", &[Arg::Integer(16371)]);
    assert_eq!(
        line(&event("nextest", "test-attempt-start", Status::Unknown, &start)),
        r#"{"event_type":"test_start","signal":"test_events","provider":"nextest","marker":"test-attempt-start","test_id":"nx::it$tests::flaky","run_id":"689b6119-6524-4862-b2fa-3c2fabab471f","suite":"nx::it","attempt":1,...,"data":{"nextest":{"attempt":1,"pid":16371},"test_pid":16371}}"#
    );
    let slow = nextest_attempt("{}", "", &[Arg::Integer(1_000_000_000)]);
    let slow = event("nextest", "test-attempt-slow", Status::Unknown, &slow);
    assert_eq!((&*slow.event_type, slow.duration_ns), ("test_slow", None));
    let end = nextest_attempt(r#"{"ok":{"exit_code":101}}"#, "#2", &[text("fail"), Arg::Integer(73_643_238)]);
    assert_eq!(
        line(&event("nextest", "test-attempt-done", Status::Failed, &end)),
        r#"{"event_type":"test_failure","signal":"test_events","provider":"nextest","marker":"test-attempt-done","test_id":"nx::it$tests::flaky","run_id":"689b6119-6524-4862-b2fa-3c2fabab471f","suite":"nx::it","attempt":2,"status":"failed","duration_ms":73.643238,...,"data":{"nextest":{"exit_code":101}}}"#
    );
}

#[test]
fn nextest_runs_and_scripts() {
    let run = [text(r#"{"ok":{"total_tests":18}}"#), text(&format!("{{\"ok\":\"{UUID}\"}}"))];
    let start = event("nextest", "run-start", Status::Unknown, &run);
    assert_eq!((&*start.event_type, start.run_id.as_deref()), ("run_start", Some(UUID)));
    let end = event("nextest", "run-done", Status::Unknown, &run);
    assert_eq!((&*end.event_type, end.run_id.as_deref()), ("run_end", Some(UUID)));
    let script =
        [text("{}"), text(&format!("{UUID}:prep")), text("prep"), text("pass"), Arg::Integer(3_601_061)];
    let script = event("nextest", "setup-script-done", Status::Passed, &script);
    assert_eq!(
        (&*script.event_type, script.run_id.as_deref(), script.test_id),
        ("setup_script_end", Some(UUID), None)
    );
    assert_eq!((script.status, script.duration_ns), (Some(Status::Passed), Some(3_601_061)));
    assert_eq!(script.data["script"], "prep");
}

#[test]
fn a_stress_run_has_ids_of_its_own() {
    let mut args = nextest_attempt("{}", "", &[Arg::Integer(1)]);
    args[1] = text(&format!("{UUID}:nx::it@stress-4$tests::flaky#3"));
    let event = event("nextest", "test-attempt-start", Status::Unknown, &args);
    assert_eq!(event.test_id.as_deref(), Some("nx::it@stress-4$tests::flaky"));
    assert_eq!((event.suite.as_deref(), event.attempt), (Some("nx::it"), Some(3)));
}

#[test]
fn json_that_is_cut_or_none_stays_text() {
    let cut = |json: Arg| {
        let mut args = nextest_attempt("", "", &[Arg::Integer(1)]);
        args[0] = json;
        serde_json::to_string(&event("nextest", "test-attempt-start", Status::Unknown, &args).data).unwrap()
    };
    assert_eq!(
        cut(Arg::Text(b"{\"ok\":{\"a".to_vec(), true)),
        r#"{"_truncated":["nextest"],"nextest":"{\"ok\":{\"a","test_pid":1}"#
    );
    assert_eq!(cut(text("not json")), r#"{"nextest":"not json","test_pid":1}"#);
    assert_eq!(cut(text(r#"{"err":"x"}"#)), r#"{"nextest":{"err":"x"},"test_pid":1}"#);
    let deep = "[".repeat(1000);
    assert!(cut(text(&deep)).contains("[[["));
}

#[test]
fn a_cut_attempt_id_tells_no_attempt() {
    let mut args = nextest_attempt("{}", "", &[Arg::Integer(1)]);
    args[1] = Arg::Text(format!("{UUID}:nx::it$tests::fl").into_bytes(), true);
    let event = event("nextest", "test-attempt-start", Status::Unknown, &args);
    assert_eq!(event.test_id.as_deref(), Some("nx::it$tests::flaky"));
    assert_eq!((event.run_id.as_deref(), event.attempt), (Some(UUID), None));
    assert_eq!(event.data[TRUNCATED], serde_json::json!(["attempt_id"]));
}

#[test]
fn what_can_not_be_read_is_named() {
    let args = [Arg::Integer(1), text("a"), Arg::Unread, Arg::Unread, Arg::Fault];
    let event = event("sidecar", "test_end", Status::Unknown, &args);
    assert_eq!(
        serde_json::to_string(&event.data).unwrap(),
        r#"{"_missing":{"attempt":"absent","duration":"unread","message":"fault","status":"unread"}}"#
    );
    assert_eq!((event.status, event.duration_ns, event.message), (None, None, None));

    let null = record(
        Status::Passed,
        &[Arg::Integer(1), Arg::Unread, Arg::Integer(1), Arg::Integer(1), Arg::Unread, Arg::Integer(1)],
    );
    let mapping = mapping("sidecar", "test_end");
    assert!(Event::from_record(&null, &mapping, 0).data.is_empty());
    let known = Event::from_site(&null, &Reading::new(&mapping, 1 << 4), 0);
    assert_eq!(serde_json::to_string(&known.data).unwrap(), r#"{"_missing":{"message":"unread"}}"#);
}

#[test]
fn numbers_out_of_range_are_named_and_left_out() {
    let end = |duration: u64, attempt: u64| {
        let args = [
            Arg::Integer(1),
            text("a"),
            Arg::Integer(1),
            Arg::Integer(duration),
            Arg::Unread,
            Arg::Integer(attempt),
        ];
        event("sidecar", "test_end", Status::Passed, &args)
    };
    assert_eq!(end(i64::MAX as u64, u64::from(u32::MAX)).duration_ns, Some(i64::MAX as u64));
    let bad = end((-5i64).cast_unsigned(), 1 << 32);
    assert_eq!((bad.duration_ns, bad.attempt), (None, None));
    assert_eq!(
        serde_json::to_string(&bad.data).unwrap(),
        r#"{"_missing":{"attempt":"out of range","duration":"out of range"}}"#
    );

    let mut seconds = mapping("sidecar", "test_end");
    seconds.args[3].role = Role::Duration(DurationUnit::Seconds);
    let args = [Arg::Integer(1), text("a"), Arg::Integer(1), Arg::Integer(3), Arg::Unread, Arg::Integer(1)];
    assert_eq!(
        Event::from_record(&record(Status::Passed, &args), &seconds, 0).duration_ns,
        Some(3_000_000_000)
    );
    let args = [
        Arg::Integer(1),
        text("a"),
        Arg::Integer(1),
        Arg::Integer(u64::MAX / 2),
        Arg::Unread,
        Arg::Integer(1),
    ];
    assert_eq!(
        Event::from_record(&record(Status::Passed, &args), &seconds, 0).data[MISSING]["duration"],
        "out of range"
    );
}

#[test]
fn text_that_is_not_utf8_keeps_what_is() {
    let args =
        [Arg::Integer(1), Arg::Text(vec![b'a', 0xff, b'b'], true), Arg::Unread, Arg::Unread, Arg::Integer(1)];
    let event = event("sidecar", "test_start", Status::Unknown, &args);
    assert_eq!(event.test_id.as_deref(), Some("a\u{fffd}b"));
    assert_eq!(event.data[TRUNCATED], serde_json::json!(["test_id"]));
}

#[test]
fn a_status_that_no_row_knows_keeps_its_value() {
    let args = nextest_attempt("{}", "", &[text("exploded"), Arg::Integer(1)]);
    let event = event("nextest", "test-attempt-done", Status::Unknown, &args);
    assert_eq!((event.status, &*event.event_type), (Some(Status::Unknown), "test_end"));
    assert_eq!(event.data["status"], "exploded");
}

#[test]
fn arguments_beyond_the_mapping_and_integers_with_and_without_a_sign() {
    let arg = |name: &str, signed| ArgMapping {
        name: name.to_owned(),
        role: Role::Plain,
        kind: ArgKind::Integer,
        signed,
    };
    let mapping = Mapping {
        provider: "p".to_owned(),
        marker: "cache-miss".to_owned(),
        event: EventKind::Generic,
        event_type: None,
        signal: "events".to_owned(),
        args: vec![arg("a", None), arg("b", Some(false)), arg("c", Some(true))],
        status: Vec::new(),
    };
    let minus_one = Arg::Integer(u64::MAX);
    let args = [minus_one.clone(), minus_one.clone(), minus_one, Arg::Integer(7), text("more"), Arg::Fault];
    let event = Event::from_record(&record(Status::Unknown, &args), &mapping, 0);
    assert_eq!(
        serde_json::to_string(&event.data).unwrap(),
        r#"{"_missing":{"arg5":"fault"},"a":-1,"arg3":7,"arg4":"more","b":18446744073709551615,"c":-1}"#
    );
    assert_eq!(&*event.event_type, "cache_miss");
}

proptest! {
    #[test]
    fn no_argument_makes_the_builder_panic_or_the_line_invalid(
        which in 0usize..12, status: u8, numbers in prop::collection::vec(any::<u64>(), 0..8),
        texts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
    ) {
        let args: Vec<Arg> = texts.into_iter().map(|text| Arg::Text(text, false)).chain(numbers.into_iter().map(Arg::Integer)).take(12).collect();
        let record = decode(&encode(RecordHeader { status, ..header_of(RECORD_HIT) }, &args)).unwrap();
        let event = Event::from_record(&record, &builtin()[which], OFFSET);
        let mut out = Vec::new();
        write_line(&event, &mut out).unwrap();
        let json: Json = serde_json::from_slice(&out).unwrap();
        prop_assert!(json.is_object());
        prop_assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
    }
}
