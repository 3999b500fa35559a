//! Tests of what events weigh: no record becomes an event above the most, and a text's tree is never above the estimate.

use proptest::prelude::*;
use serde_json::json;
use sidecar_common::{RECORD_HIT, RecordHeader, Status};

use super::super::decode::decode;
use super::super::decode::tests::{Arg, encode, header_of};
use super::super::payload::{MOST_DEPTH, parse, tree_bytes};
use super::*;
use crate::mapping::{ArgKind, ArgMapping, EventKind, Mapping, Role, builtin};

/// Twelve arguments of one role with names of the greatest length.
fn twelve(role: Role) -> Mapping {
    let arg = |position: usize| ArgMapping {
        name: format!("{position:\u{1f980}>128}"),
        role,
        kind: ArgKind::String,
        signed: None,
    };
    Mapping {
        provider: "p".to_owned(),
        marker: "m".to_owned(),
        event: EventKind::Generic,
        event_type: None,
        signal: "events".to_owned(),
        args: (0..MAX_ARGS).map(arg).collect(),
        status: Vec::new(),
    }
}

fn event(mapping: &Mapping, args: &[Arg]) -> Event {
    let header = RecordHeader { status: Status::Passed as u8, ..header_of(RECORD_HIT) };
    Event::from_record(&decode(&encode(header, args)).unwrap(), mapping, 0)
}

/// The weight of an event that has this text in every argument, for every role that keeps a text.
fn heaviest(text: &[u8], cut: bool) -> u64 {
    let args = vec![Arg::Text(text.to_vec(), cut); MAX_ARGS];
    let roles = [Role::Data, Role::Json, Role::Plain, Role::Message, Role::EventType].map(twelve);
    roles.iter().chain(&builtin()).map(|mapping| event_bytes(&event(mapping, &args))).max().unwrap()
}

/// As much of a pattern as a string holds, closed again.
fn nested(open: &str, close: &str) -> String {
    let depth = (MAX_STRING as usize - 1) / (open.len() + close.len());
    format!("{}0{}", open.repeat(depth), close.repeat(depth))
}

fn many(item: &str) -> String {
    format!("[{}0]", format!("{item},").repeat((MAX_STRING as usize - 3) / (item.len() + 1)))
}

/// A kilobyte of JSON each, made up to take much.
fn hostile() -> Vec<String> {
    let members: String = (0..100).map(|i| format!(r#""{i:02}":[0],"#)).collect();
    let mut all = vec![nested("[", "]"), nested(r#"{"":"#, "}"), nested(r#"[{"":"#, "}]")];
    all.extend(["0", "[]", "[0]", "[[0]]", "{}", r#"{"":0}"#, r#"{"":[0]}"#, r#""""#, r#""x""#].map(many));
    all.push(format!(r#"{{{members}"":0}}"#));
    all
}

#[test]
fn hostile_json_stays_text_and_weighs_little() {
    for text in hostile() {
        let weight = heaviest(text.as_bytes(), false);
        assert!(weight <= MOST_EVENT_BYTES, "{weight} for {text}");
    }
    for text in [nested("[", "]"), nested(r#"{"":"#, "}"), many(r#"{"":0}"#)] {
        assert_eq!(parse(&text), None);
        let event = event(&twelve(Role::Json), &vec![Arg::Text(text.clone().into_bytes(), false); MAX_ARGS]);
        assert!(event.data.values().all(|kept| *kept == json!(text)), "under its name");
    }
    // A megabyte and a half, if it were parsed.
    const { assert!(MOST_EVENT_BYTES < 300_000) };
}

#[test]
fn the_payloads_that_programs_pass_are_parsed() {
    let members: Vec<String> = (0..45).map(|i| format!(r#""member_{i}": "{i}""#)).collect();
    let objects = vec![r#"{"name":"a::test","status":"passed","ms":12}"#; 22];
    for text in [
        "{}".to_owned(),
        r#"{"a":{"b":{"c":{"d":[{}, {"e": []}]}}}}"#.to_owned(),
        format!("[{}]", objects.join(",")),
        format!("{{{}}}", members.join(", ")),
        many("7"),
        many(r#""one""#),
        format!("{}1{}", "[".repeat(MOST_DEPTH), "]".repeat(MOST_DEPTH)),
        r#"{"text":"brackets [[[[[[[[[[[[[[[[[[[[[[[[ and \"{{{{{{{{{{{{{{{{{{{{{{{{ \\"}"#.to_owned(),
    ] {
        assert!(text.len() <= MAX_STRING as usize, "{}", text.len());
        assert_eq!(parse(&text).as_ref(), Some(&serde_json::from_str(&text).unwrap()), "{text}");
    }
    assert_eq!(parse(&format!("[{}]", "[".repeat(MOST_DEPTH) + &"]".repeat(MOST_DEPTH))), None);
}

#[test]
fn what_is_no_json_is_none() {
    for text in ["", "]", "}", "[1,", "{\"a", "\"\\", ",", "[}", "{\"a\":1]]]]", "nul"] {
        assert_eq!(parse(text), None, "{text}");
    }
}

#[test]
fn an_event_weighs_more_the_more_it_holds() {
    let plain = |text: &str| event_bytes(&event(&twelve(Role::Plain), &[Arg::Text(text.into(), false)]));
    assert_eq!(plain(&"x".repeat(1000)), plain("x") + 999);
    let bad = heaviest(&[0xff; MAX_STRING as usize], true);
    assert!(bad > 12 * 3 * 1024 && bad <= MOST_EVENT_BYTES, "{bad}");
}

/// JSON of any shape, of short pieces, so that much of it fits into a string.
fn tree() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["0", "\"\"", "null", "[]", "{}", "\"\\u0041\"", "1e9", " true "]);
    leaf.prop_map(str::to_owned).prop_recursive(20, 400, 40, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..40).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec(("[a-z]{0,2}", inner), 0..40).prop_map(|members| {
                let members: Vec<String> =
                    members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn the_estimate_is_never_below_the_tree(text in tree()) {
        let parsed: Value = serde_json::from_str(&text).unwrap();
        if let Some(bytes) = tree_bytes(&text) {
            prop_assert!(bytes >= value(&parsed), "{} < {} for {}", bytes, value(&parsed), text);
        }
        if let Some(kept) = parse(&text) {
            prop_assert!(value(&kept) <= most_tree(text.len()));
            prop_assert_eq!(kept, parsed);
        }
    }

    #[test]
    fn no_json_makes_an_event_above_the_most(text in tree(), cut: bool) {
        let mut text = text.into_bytes();
        text.truncate(MAX_STRING as usize);
        let weight = heaviest(&text, cut);
        prop_assert!(weight <= MOST_EVENT_BYTES, "{}", weight);
    }

    #[test]
    fn no_bytes_make_an_event_above_the_most(
        text in prop::collection::vec(prop::sample::select(br#"{}[]":,\0a "#.to_vec()), 0..=1024),
    ) {
        prop_assert!(heaviest(&text, false) <= MOST_EVENT_BYTES);
        let text = String::from_utf8(text).unwrap();
        prop_assert!(parse(&text).is_none_or(|kept| value(&kept) <= most_tree(text.len())));
    }
}
