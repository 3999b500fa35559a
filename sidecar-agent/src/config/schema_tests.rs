//! The schema is held against files that load and files that don't.

use super::*;
use crate::config::{FileText, KEYS, Sources, example, load};

/// The document is what the code makes. `UPDATE_DOCS=1 cargo test -p sidecar-agent schema` writes it.
#[test]
fn the_committed_schema_is_the_generated_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sidecar.schema.json");
    let made = format!("{:#}\n", schema());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let held = std::fs::read_to_string(path).unwrap();
    assert_eq!(held, made, "run the test with UPDATE_DOCS=1, which writes the file");
}

/// Whether a value is as a schema wants it: the part of JSON schema that this schema uses. Anything else in
/// the schema panics, so that it can't go unjudged.
fn valid(root: &Value, schema: &Value, value: &Value) -> bool {
    let Value::Object(keywords) = schema else { return schema.as_bool().unwrap() };
    let list = |keyword: &str| keywords[keyword].as_array().unwrap();
    let number = |keyword: &str| keywords[keyword].as_f64().unwrap();
    keywords.iter().all(|(keyword, wants)| match (keyword.as_str(), value) {
        ("$schema" | "$defs" | "title" | "description" | "default", _) => true,
        ("then" | "else", _) => true,
        ("if", _) => {
            let branch = if valid(root, wants, value) { "then" } else { "else" };
            keywords.get(branch).is_none_or(|branch| valid(root, branch, value))
        }
        ("$ref", _) => {
            let name = wants.as_str().unwrap().strip_prefix("#").unwrap();
            valid(root, root.pointer(name).unwrap(), value)
        }
        ("anyOf", _) => list("anyOf").iter().any(|schema| valid(root, schema, value)),
        ("not", _) => !valid(root, wants, value),
        ("type", _) => {
            let is = |kind: &Value| match kind.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "null" => value.is_null(),
                "string" => value.is_string(),
                "boolean" => value.is_boolean(),
                "number" => value.is_number(),
                "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
                kind => panic!("the type {kind}"),
            };
            if wants.is_array() { list("type").iter().any(is) } else { is(wants) }
        }
        ("enum", _) => list("enum").contains(value),
        ("minimum", Value::Number(found)) => found.as_f64().unwrap() >= number("minimum"),
        ("maximum", Value::Number(found)) => found.as_f64().unwrap() <= number("maximum"),
        ("pattern", Value::String(text)) => matches(wants.as_str().unwrap(), text),
        ("items", Value::Array(items)) => items.iter().all(|item| valid(root, wants, item)),
        ("required", Value::Object(members)) => {
            list("required").iter().all(|name| members.contains_key(name.as_str().unwrap()))
        }
        ("properties", Value::Object(members)) => members
            .iter()
            .all(|(name, value)| wants.get(name).is_none_or(|schema| valid(root, schema, value))),
        ("additionalProperties", Value::Object(members)) => members
            .iter()
            .filter(|(name, _)| keywords.get("properties").is_none_or(|known| known.get(name).is_none()))
            .all(|(_, value)| valid(root, wants, value)),
        ("propertyNames", Value::Object(members)) => {
            members.keys().all(|name| valid(root, wants, &json!(name)))
        }
        (
            "minimum"
            | "maximum"
            | "pattern"
            | "items"
            | "required"
            | "properties"
            | "additionalProperties"
            | "propertyNames",
            _,
        ) => true,
        (keyword, _) => panic!("the keyword {keyword}"),
    })
}

/// The few patterns that the schema has.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        "\\$\\{" => text.contains("${"),
        "^[a-z0-9_]{1,64}$" => {
            let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            (1..=64).contains(&text.len()) && text.chars().all(good)
        }
        ":[0-9]{1,5}$" => text.rsplit_once(':').is_some_and(|(_, port)| {
            (1..=5).contains(&port.len()) && port.chars().all(|c| c.is_ascii_digit())
        }),
        "^(/.*)?$" => text.is_empty() || text.starts_with('/'),
        pattern => panic!("the pattern {pattern}"),
    }
}

fn accepts(text: &str) -> bool {
    let schema = schema();
    valid(&schema, &schema, &serde_yaml::from_str(text).unwrap())
}

fn loads(text: &str) -> bool {
    let file = FileText { name: "f".to_owned(), text: text.to_owned() };
    let env = [("NAME".to_owned(), "0.5".to_owned())].into();
    load(&Sources { file: Some(&file), env, flags: &[] }).is_ok()
}

/// Sections that are right.
const GOOD: &[&str] = &[
    "{}",
    "{enabled: yes, sampling: {events: 0, adaptive: enabled}}",
    "{sampling: {adaptive: {enabled: off, boost_factor: 2.5}, mine: 0.5}}",
    "{sampling: {events: \"${NAME:-0.5}\", adaptive: false}, resources: }",
    "{resources: {max_queue_size: 200, drop_on_full: 0}}",
    "{discovery: {ring_bytes: 4096, files: [/a/*, \"**/b\"], libraries: []}}",
    "{http: {listen: \"[::1]:9808\"}}",
    "{probes: [{provider: a, marker: b, event: test_end, args: [test_id, {role: status, type: string}], status: {ok: passed}}]}",
    "{sinks: []}",
    "{handlers: [{type: command, command: x, events: a, when: {status: failed}}, {type: jsonl, path: /x, keep: 2}]}",
    "{handlers: [{type: http, url: \"http://h/\", headers: {a: 1}, rate_limit: 0.5, when: {status: [failed]}}]}",
    "{handlers: [{type: \"${KIND:-jsonl}\", path: /x}], http: {enabled: on}}",
    "{handlers: }",
    "{sinks: [{type: jsonl}], reload: {watch: false}, shutdown: {grace_sec: 0.5}}",
];

/// Sections that are wrong.
const BAD: &[&str] = &[
    "{enabled: perhaps}",
    "{enabled: 2}",
    "{samplng: {}, enabled: true}",
    "{sampling: {events: 7}}",
    "{sampling: {events: -1}}",
    "{sampling: {events: \"0.5\"}}",
    "{sampling: {mine: 1.5}}",
    "{sampling: {Mine: 0.5}}",
    "{sampling: {rates: {events: 0.5}}}",
    "{sampling: {adaptive: {boost: 2}}}",
    "{sampling: [events]}",
    "{resources: {max_queue_size: 99}}",
    "{resources: {max_queue_size: 1000.5}}",
    "{discovery: {ring_bytes: 65537}}",
    "{discovery: {files: /a}}",
    "{http: {listen: localhost}}",
    "{probes: [{marker: b}]}",
    "{probes: {}}",
    "{probes: [{provider: a, marker: b, args: [{length: 12}]}]}",
    "{sinks: [{type: kafka}]}",
    "{handlers: [{command: x}]}",
    "{handlers: [{type: kafka}]}",
    "{handlers: [{type: http, path: /x}]}",
    "{handlers: [{type: jsonl, path: /x, url: y}]}",
    "{handlers: [{type: command, command: x, timeout_sec: 0}]}",
    "{handlers: [{type: http, url: \"http://h/\", timeout_sec: 301}]}",
    "{handlers: [{type: jsonl, path: /x, when: {status: faild}}]}",
    "{handlers: [{type: jsonl, path: /x, when: [suite]}]}",
    "{handlers: [{type: jsonl, path: /x, events: 5}]}",
    "{sinks: [{type: jsonl, file: x}]}",
];

#[test]
fn the_schema_and_loading_agree_wherever_the_section_stands() {
    for (sections, right) in [(GOOD, true), (BAD, false)] {
        for section in sections {
            for text in [
                (*section).to_owned(),
                format!("{{sidecar: {section}, other: 1}}"),
                format!("{{other: [], runtime: {{x: 1, sidecar: {section}}}, sidecar: 7}}"),
            ] {
                assert_eq!(accepts(&text), right, "the schema on {text}");
                assert_eq!(loads(&text), right, "loading {text}");
            }
        }
    }
    assert!(accepts(&example()) && accepts("# nothing\n"));
}

#[test]
fn every_key_is_described_and_its_default_is_valid() {
    let schema = schema();
    for key in KEYS {
        let mut at = &schema["$defs"]["section"];
        for name in key.name.split('.') {
            at = at.get("anyOf").map_or(at, |any| &any[1]);
            at = &at["properties"][name];
        }
        assert!(at["description"].as_str().unwrap().starts_with(key.effect), "{}", key.name);
        assert!(valid(&schema, at, &at["default"]), "{}", key.name);
    }
}
