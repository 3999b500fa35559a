//! A JSON schema of the configuration for editors, made of [`KEYS`](super::KEYS): what `sidecar config schema`
//! prints. It is as strict as a schema can be; what it can't say (globs, words that depend on each other),
//! loading says.

use serde_json::{Map, Value, json};

use super::Config;
use super::key::{Field, Key};
use super::keys::{below, find};
use super::renamed::was_top_level;
use super::shapes::{Kind, Part, Shape, Takes};

/// The schema (draft 2020-12) of a whole file: the section under `runtime.sidecar`, under `sidecar`, or bare.
#[must_use]
pub fn schema() -> Value {
    let section = json!({ "$ref": "#/$defs/section" });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of sidecar",
        "description": "sidecar.yml, or the section `runtime.sidecar` or `sidecar` of a file that holds much else.",
        "type": ["object", "null"],
        "if": {
            "type": "object",
            "required": ["runtime"],
            "properties": { "runtime": { "type": "object", "required": ["sidecar"] } },
        },
        "then": { "properties": { "runtime": { "properties": { "sidecar": section } } } },
        "else": {
            "if": { "type": "object", "required": ["sidecar"] },
            "then": { "properties": { "sidecar": section } },
            "else": section,
        },
        "$defs": {
            "section": group(""),
            "switch": {
                "enum": [
                    true, false, "true", "false", "enabled", "disabled", "yes", "no", "on", "off", 1, 0, "1", "0",
                ],
            },
            "text": { "type": ["string", "number", "boolean"] },
            "variable": {
                "description": "${NAME} or ${NAME:-default}",
                "type": "string",
                "pattern": "\\$\\{",
            },
        },
    })
}

/// The mapping of a group's keys. Nothing at all is an empty mapping.
fn group(name: &str) -> Value {
    let mut properties = Map::new();
    for below in below(name) {
        let dotted = if name.is_empty() { below.to_owned() } else { format!("{name}.{below}") };
        let value = match find(&dotted) {
            Some(key) => key_schema(key),
            None => group(&dotted),
        };
        properties.insert(below.to_owned(), value);
    }
    let mut schema = json!({ "type": ["object", "null"], "additionalProperties": false });
    if name == "sampling" {
        // Another name is a signal of the user's own.
        schema["additionalProperties"] = or_variable(json!({ "type": "number", "minimum": 0, "maximum": 1 }));
        schema["propertyNames"] =
            json!({ "pattern": "^[a-z0-9_]{1,64}$", "not": { "enum": old("sampling") } });
    }
    schema["properties"] = Value::Object(properties);
    if name == "sampling.adaptive" {
        schema = json!({ "anyOf": [{ "$ref": "#/$defs/switch" }, schema, { "$ref": "#/$defs/variable" }] });
    }
    schema
}

/// Names of older files, which no signal has.
fn old(group: &str) -> Vec<&'static str> {
    let names = ["rates", "signals"];
    names.into_iter().filter(|name| was_top_level(&format!("{group}.{name}"))).collect()
}

fn key_schema(key: &Key) -> Value {
    let mut schema = match &key.field {
        Field::Switch(_) => or_variable(json!({ "$ref": "#/$defs/switch" })),
        Field::Number { min, max, .. } => {
            or_variable(json!({ "type": "number", "minimum": number(*min), "maximum": number(*max) }))
        }
        Field::Count { min, max, power_of_two: false, .. } => {
            or_variable(json!({ "type": "integer", "minimum": min, "maximum": max }))
        }
        Field::Count { min, max, power_of_two: true, .. } => {
            let powers = (0..63).map(|power| 1_u64 << power).filter(|power| (min..=max).contains(&power));
            or_variable(json!({ "enum": powers.collect::<Vec<_>>() }))
        }
        Field::FirstEvent(_) => {
            or_variable(json!({ "enum": super::FirstEvent::ALL.map(super::FirstEvent::name) }))
        }
        Field::Address(_) => or_variable(json!({ "type": "string", "pattern": ":[0-9]{1,5}$" })),
        Field::Path(_) => or_variable(json!({ "type": ["string", "null"], "pattern": "^(/.*)?$" })),
        Field::Texts { .. } => list(json!({ "$ref": "#/$defs/text" })),
        Field::Probes | Field::Sinks | Field::Handlers | Field::Functions => {
            key.field.shape().map_or(Value::Bool(true), |shape| list(items(shape)))
        }
    };
    let mut description = key.effect.to_owned();
    if let Some(env) = key.env {
        description.push_str(&format!(" Variable {env}."));
    }
    if let Some(why) = key.restart {
        description.push_str(&format!(" Needs a restart: {why}."));
    }
    schema["description"] = json!(description);
    schema["default"] = match &key.field {
        Field::Number { .. } => number(key.json(&Config::default()).as_f64().unwrap_or_default()),
        Field::Switch(_)
        | Field::Count { .. }
        | Field::FirstEvent(_)
        | Field::Address(_)
        | Field::Path(_)
        | Field::Texts { .. }
        | Field::Probes
        | Field::Sinks
        | Field::Handlers
        | Field::Functions => key.json(&Config::default()),
    };
    schema
}

/// A number, without a fraction where it has none.
fn number(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { json!(value as i64) } else { json!(value) }
}

fn or_variable(schema: Value) -> Value {
    json!({ "anyOf": [schema, { "$ref": "#/$defs/variable" }] })
}

fn list(items: Value) -> Value {
    json!({ "type": ["array", "null"], "items": items })
}

/// A list of items, or one item.
fn one_or_more(one: Value, item: Value) -> Value {
    json!({ "anyOf": [one, list(item)] })
}

/// The items of a shape: one mapping, or one for each word of `type`.
fn items(shape: &Shape) -> Value {
    if shape.kinds.is_empty() {
        return mapping(shape.parts);
    }
    let kind = |kind: &Kind| {
        let mut schema = mapping(shape.parts.iter().chain(kind.parts));
        schema["properties"]["type"] = or_variable(json!({ "enum": [kind.word] }));
        schema["properties"]["type"]["description"] = json!(kind.effect);
        schema
    };
    json!({ "anyOf": shape.kinds.iter().map(kind).collect::<Vec<_>>() })
}

/// A mapping, or a text that is short for it.
fn item(parts: &[Part]) -> Value {
    json!({ "anyOf": [{ "$ref": "#/$defs/text" }, mapping(parts.iter())] })
}

fn mapping<'p>(parts: impl IntoIterator<Item = &'p Part>) -> Value {
    let mut required = Vec::new();
    let property = |part: &Part| {
        let mut schema = match &part.takes {
            Takes::Text => json!({ "$ref": "#/$defs/text" }),
            Takes::Word(words) => or_variable(json!({ "enum": words })),
            Takes::Whole { min, max } => {
                or_variable(json!({ "type": "integer", "minimum": min, "maximum": max }))
            }
            Takes::Number { min, max } => {
                or_variable(json!({ "type": "number", "minimum": number(*min), "maximum": number(*max) }))
            }
            Takes::Switch => or_variable(json!({ "$ref": "#/$defs/switch" })),
            Takes::Words(words) => {
                json!({ "type": "object", "additionalProperties": or_variable(json!({ "enum": words })) })
            }
            Takes::Items(parts) => list(item(parts)),
            Takes::Item(parts) => item(parts),
            Takes::Texts => one_or_more(json!({ "type": "string" }), json!({ "$ref": "#/$defs/text" })),
            Takes::WordList(words) => {
                let word = or_variable(json!({ "enum": words }));
                one_or_more(word.clone(), word)
            }
            Takes::Named => json!({ "type": "object", "additionalProperties": { "$ref": "#/$defs/text" } }),
            Takes::Group(parts) => mapping(parts.iter()),
        };
        schema["description"] = json!(part.effect);
        if part.required {
            required.push(part.name);
        }
        (part.name.to_owned(), schema)
    };
    let properties = parts.into_iter().map(property).collect::<Map<_, _>>();
    json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
