//! The shape of handlers is held against what is read.

use super::super::handlers_load::{COMMAND_KEYS, COMMON_KEYS, HTTP_KEYS, JSONL_KEYS, WHEN_KEYS};
use super::*;
use crate::config::{Config, ConfigError, FileText, Sources, load};
use sidecar_common::Status;

fn of(handlers: &Value) -> Result<Config, ConfigError> {
    let file = FileText { name: "f".to_owned(), text: format!("handlers: {handlers}\n") };
    load(&Sources { file: Some(&file), ..Sources::default() })
}

/// A handler that has nothing but what its type asks for.
fn least(kind: &str) -> Value {
    match kind {
        "command" => json!({"type": "command", "command": "x"}),
        "http" => json!({"type": "http", "url": "http://h/"}),
        _ => json!({"type": "jsonl", "path": "/x"}),
    }
}

#[test]
fn shapes_have_the_keys_that_are_read() {
    let names = |parts: &'static [Part]| parts.iter().map(|part| part.name).collect::<Vec<_>>();
    assert_eq!(names(HANDLERS.parts), COMMON_KEYS);
    assert_eq!(names(WHEN), WHEN_KEYS);
    let kinds: Vec<_> = HANDLERS.kinds.iter().map(|kind| (kind.word, names(kind.parts))).collect();
    let read: [&[&str]; 3] = [&COMMAND_KEYS, &HTTP_KEYS, &JSONL_KEYS];
    let read: Vec<_> = HANDLER_TYPES.into_iter().zip(read.map(<[&str]>::to_vec)).collect();
    assert_eq!(kinds, read);
}

#[test]
fn ranges_and_required_keys_are_those_of_reading() {
    for kind in HANDLERS.kinds {
        for (part, group) in HANDLERS
            .parts
            .iter()
            .chain(kind.parts)
            .map(|part| (part, None))
            .chain(WHEN.iter().map(|part| (part, Some("when"))))
        {
            let takes = |value: Value| {
                let mut entry = least(kind.word);
                match group {
                    Some(group) => entry[group][part.name] = value,
                    None => entry[part.name] = value,
                }
                of(&json!([entry])).is_ok()
            };
            let (good, bad) = match &part.takes {
                Takes::Whole { min, max } => ([json!(min), json!(max)], [json!(min - 1), json!(max + 1)]),
                Takes::Number { min, max } => {
                    ([json!(min), json!(max)], [json!(min - 1e-6), json!(max + 1e-3)])
                }
                _ => continue,
            };
            assert!(good.into_iter().all(takes), "{} of {}", part.name, kind.word);
            assert!(!bad.into_iter().any(takes), "{} of {}", part.name, kind.word);
        }
        for part in HANDLERS.parts.iter().chain(kind.parts) {
            let mut entry = least(kind.word);
            let had = entry.as_object_mut().unwrap().remove(part.name).is_some();
            assert_eq!(part.required, had && of(&json!([entry])).is_err(), "{}", part.name);
        }
    }
}

#[test]
fn the_statuses_are_all_that_there_are() {
    let mut known = Status::ALL.map(Status::name);
    let mut told = STATUSES.to_vec();
    known.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, known);
}

#[test]
fn what_programs_get_reads_back_and_holds_no_secret() {
    let whole = json!([
        {"name": "n", "type": "command", "events": ["a", "b"], "queue_size": 5, "queue_bytes": 1 << 20,
         "drop_on_full": false, "command": ["/bin/x", "s3cret"], "timeout_sec": 2.5, "concurrency": 2, "rate_limit": 3.5,
         "when": {"status": ["failed", "error"], "provider": "p", "suite": "s", "test_id": "t*", "signal": "g",
                  "min_duration_ms": 7.5}},
        {"type": "http", "url": "http://h/s3cret", "headers": {"x-key": "s3cret"}, "max_attempts": 2},
        {"type": "jsonl", "path": "/x", "max_age_sec": 9},
    ]);
    let config = of(&whole).unwrap();
    let told: Value = config.handlers.iter().map(HandlerConfig::json).collect();
    assert!(!told.to_string().contains("s3cret"), "{told}");
    assert_eq!(told[1]["url"], HIDDEN);
    assert_eq!(told[1]["headers"], json!({"x-key": HIDDEN}));
    assert_eq!(told[0]["command"], json!(["/bin/x", HIDDEN]));
    for (told, given) in told.as_array().unwrap().iter().zip(whole.as_array().unwrap()) {
        for (name, value) in given.as_object().unwrap() {
            let hidden = ["command", "url", "headers"].contains(&name.as_str());
            assert!(hidden || told[name] == *value, "{name}: {} is not {value}", told[name]);
        }
    }
    let mut again = told;
    again[1]["url"] = json!("http://h/");
    let again = of(&again).unwrap();
    let (old, new) = (&config.handlers, &again.handlers);
    assert!(old.iter().zip(new).all(|(old, new)| old.json() == new.json()));
    assert_eq!(old[2], new[2]);
}
