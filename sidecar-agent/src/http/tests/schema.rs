//! A validator for the part of JSON Schema that docs/openapi.json uses. It is stricter than the standard: a member
//! that is not described is a fault.

use serde_json::Value;

/// Panics unless the value is as the schema says. `document` holds what is referred to.
pub(super) fn validate(document: &Value, schema: &Value, value: &Value) {
    if let Err(fault) = check(document, schema, value, "$") {
        panic!("{fault}: {:.300}", value.to_string());
    }
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if *schema == Value::Bool(true) {
        return Ok(());
    }
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(&reference[1..]).ok_or(format!("{reference} leads nowhere"))?;
        return check(document, target, value, at);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let faults: Vec<_> = choices.iter().map(|choice| check(document, choice, value, at)).collect();
        return if faults.iter().any(Result::is_ok) { Ok(()) } else { Err(format!("{faults:?}")) };
    }
    if let Some(words) = schema["enum"].as_array() {
        return words.contains(value).then_some(()).ok_or(format!("{at} is none of {words:?}"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::Array(types) => types.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    if !types.iter().any(|name| is(name, value)) {
        return Err(format!("{at} is no {types:?}"));
    }
    if let (Some(least), Some(number)) = (schema["minimum"].as_f64(), value.as_f64())
        && number < least
    {
        return Err(format!("{at} is below {least}"));
    }
    if let (Some(items), Some(list)) = (schema.get("items"), value.as_array()) {
        for (i, item) in list.iter().enumerate() {
            check(document, items, item, &format!("{at}[{i}]"))?;
        }
    }
    let Some(members) = value.as_object() else { return Ok(()) };
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        members.get(name).ok_or(format!("{at}.{name} is missing"))?;
    }
    for (name, member) in members {
        let inner = schema["properties"].get(name).or(schema.get("additionalProperties"));
        let inner = inner.ok_or(format!("{at}.{name} is not described"))?;
        check(document, inner, member, &format!("{at}.{name}"))?;
    }
    Ok(())
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

#[test]
fn the_validator_finds_faults() {
    let document = serde_json::json!({"a": {"type": "object", "required": ["x"], "properties": {
        "x": {"type": "integer", "minimum": 0}, "y": {"type": ["string", "null"]},
        "z": {"type": "array", "items": {"enum": ["p", "q"]}}}}});
    let schema = serde_json::json!({"$ref": "#/a"});
    let good = |value: Value| check(&document, &schema, &value, "$").is_ok();
    assert!(good(serde_json::json!({"x": 1, "y": null, "z": ["p"]})));
    for bad in [
        serde_json::json!({}),
        serde_json::json!({"x": -1}),
        serde_json::json!({"x": "1"}),
        serde_json::json!({"x": 1, "y": 2}),
        serde_json::json!({"x": 1, "z": ["r"]}),
        serde_json::json!({"x": 1, "other": 1}),
        serde_json::json!([]),
    ] {
        assert!(!good(bad.clone()), "{bad}");
    }
}
