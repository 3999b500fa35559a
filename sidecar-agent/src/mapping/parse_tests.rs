//! Tests of the mappings that users write.

use super::*;
use crate::config::{Config, FileText, Sources, load};

fn mappings(probes: &str) -> Result<Vec<Mapping>, MappingError> {
    let text = format!("sampling: {{mine: 0.5}}\nprobes:\n{probes}");
    let file = FileText { name: "s.yml".to_owned(), text };
    let config: Config = load(&Sources { file: Some(&file), ..Sources::default() }).unwrap();
    from_config(&config.probes)
}

fn one_of(rest: &str) -> Result<Mapping, String> {
    let found = mappings(&format!("- {{provider: p, marker: m, {rest}}}\n"));
    found.map(|mut found| found.remove(0)).map_err(|error| error.to_string())
}

#[test]
fn roles_have_sensible_types_and_names() {
    let mapping = one_of(
        "event: test_end, signal: mine, args: [key, test_id, run_id, suite, attempt, status, duration, message, plain, ignore, json]",
    );
    let mapping = mapping.unwrap();
    assert_eq!((mapping.event, mapping.signal.as_str()), (EventKind::TestEnd, "mine"));
    let kinds: Vec<_> = mapping.args.iter().map(|arg| arg.kind).collect();
    let (integer, string) = (ArgKind::Integer, ArgKind::String);
    assert_eq!(
        kinds,
        [integer, string, string, string, integer, integer, integer, string, integer, integer, string]
    );
    assert_eq!(mapping.args[1].name, "test_id");
    assert_eq!(mapping.args[8].name, "arg8");
    assert_eq!(mapping.duration_arg(), Some((6, DurationUnit::Nanoseconds)));
}

#[test]
fn signals_default_by_the_kind_of_event() {
    assert_eq!(one_of("args: []").unwrap().signal, "events");
    assert_eq!(one_of("event: test_start, args: [test_id]").unwrap().signal, "test_events");
}

#[test]
fn status_tables_take_words_or_numbers() {
    let words = one_of("args: [status], status: {pass: passed, exec-fail: error}").unwrap();
    assert_eq!(words.args[0].kind, ArgKind::String);
    assert_eq!(words.status[1], (StatusValue::Word("exec-fail".to_owned()), Status::Error));
    let numbers = one_of("args: [status], status: {0: passed, -1: failed}").unwrap();
    assert_eq!(numbers.args[0].kind, ArgKind::Integer);
    assert_eq!(numbers.status[1], (StatusValue::Number(-1), Status::Failed));
    let digits = one_of("args: [\"status:string\"], status: {0: passed}").unwrap();
    assert_eq!(digits.status[0].0, StatusValue::Word("0".to_owned()));
}

#[test]
fn bytes_name_their_length() {
    let mapping = one_of("args: [{role: data, length: 1}, ignore]").unwrap();
    assert_eq!(mapping.args[0].kind, ArgKind::Bytes { len_arg: 1 });
}

#[test]
fn each_fault_is_told_with_place_index_and_key() {
    for (rest, message) in [
        (
            "event: test_strat",
            "event: unknown word `test_strat`; did you mean `test_start`? Known: event, test_start, test_end, anomaly",
        ),
        ("args: [test_idd]", "args[0].role: unknown word `test_idd`; did you mean `test_id`?"),
        ("args: [\"plain:float\"]", "args[0].type: unknown word `float`; did you mean"),
        ("args: [{role: duration, unit: min}]", "args[0].unit: unknown word `min`; did you mean"),
        (
            "args: [{role: plain, unit: ms}]",
            "args[0].unit: has no effect here: it goes with the role duration",
        ),
        ("args: [{type: bytes}]", "args[0].type: the type bytes wants `length`"),
        (
            "args: [{type: bytes, length: 1}]",
            "args[0].length: wants the position (0 to 0) of another argument of type integer",
        ),
        ("args: [{type: bytes, length: 0}]", "args[0].length: wants the position"),
        ("args: [{type: bytes, length: 1}, message]", "args[0].length: wants the position (0 to 1)"),
        (
            "args: [{type: integer, length: 0}]",
            "args[0].length: has no effect here: it goes with the type bytes",
        ),
        (
            "args: [{type: string, signed: true}]",
            "args[0].signed: has no effect here: it goes with the type integer",
        ),
        ("args: [test_id, suite, test_id]", "args[2].role: argument 0 has the role `test_id` already"),
        ("args: [{name: a}, {name: a}]", "args[1].name: argument 0 has the name `a` already"),
        ("args: [{name: _missing}]", "args[0].name: names that begin with `_` are kept"),
        ("args: [{name: \"a b\"}]", "args[0].name: wants 1 to 128 printable characters"),
        ("args: [\"duration:string\"]", "args[0].type: the role `duration` wants the type integer"),
        (
            "args: [{role: test_id, length: 1}, plain]",
            "args[0].type: the role `test_id` wants the type integer or string",
        ),
        (
            "event: test_start, args: [run_id]",
            "args: wants an argument of the role test_id, test_name or attempt_id",
        ),
        ("event: test_end", "args: wants an argument of the role test_id"),
        (
            "args: [plain,plain,plain,plain,plain,plain,plain,plain,plain,plain,plain,plain,plain]",
            "args: has 13 arguments; a marker has at most 12",
        ),
        ("status: {0: passed}", "status: has no effect here: it goes with an argument of the role status"),
        ("args: [\"status:string\"]", "status: the status argument is a string, so `status` must say"),
        (
            "args: [status], status: {pass: pased}",
            "status.pass: unknown word `pased`; did you mean `passed`?",
        ),
        (
            "args: [\"status:integer\"], status: {pass: passed}",
            "status.pass: the status argument is an integer, so this wants a number",
        ),
        (
            "args: [status], status: {01234567890123456789012345678901x: passed}",
            "the status argument is a string, so this wants a word of 1 to 31 bytes",
        ),
        ("args: [status], status: {1: passed, 01: failed}", "status.1: the value occurs twice"),
        ("event_type: \"\"", "event_type: wants 1 to 128"),
    ] {
        let found = one_of(rest).unwrap_err();
        assert!(found.starts_with("s.yml:3: probes[0]."), "{found}");
        assert!(found.contains(message), "{rest}: {found}");
    }
    let many: Vec<_> = (0..17).map(|i| format!("{i}: passed")).collect();
    let found = one_of(&format!("args: [status], status: {{{}}}", many.join(", "))).unwrap_err();
    assert!(found.ends_with("has 17 values; at most 16 are possible"), "{found}");
}

#[test]
fn a_marker_is_mapped_once_and_a_user_replaces_a_built_in_mapping() {
    let twice = mappings("- {provider: p, marker: m}\n- {provider: p, marker: m}\n").unwrap_err().to_string();
    assert_eq!(twice, "s.yml:4: probes[1].marker: p:m is mapped by probes[0] already");

    let file = FileText {
        name: "s.yml".to_owned(),
        text: "probes: [{provider: nextest, marker: run-start, event_type: mine}]".to_owned(),
    };
    let config = load(&Sources { file: Some(&file), ..Sources::default() }).unwrap();
    let all = all(&config.probes, &config.presets).unwrap();
    assert_eq!(all.len(), super::super::builtin().len());
    let found: Vec<_> = all.iter().filter(|mapping| mapping.marker == "run-start").collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].event_type.as_deref(), Some("mine"));
}
