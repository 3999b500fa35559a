//! The answers of `sidecar check`, for people and for programs.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::Unusable;
use crate::config::{Config, KEYS, Place, Source};

/// A line a key, in columns; then a line that says that all is well.
pub(super) fn text(file: Option<&Path>, config: &Config) -> String {
    let rows: Vec<_> =
        config.effective().into_iter().map(|(key, value, source)| (key, plain(&value), source)).collect();
    let set = rows.iter().filter(|(_, _, source)| *source != Source::Default).count();
    let width = |of: fn(&(String, String, Source)) -> usize| rows.iter().map(of).max().unwrap_or_default();
    let keys = width(|(key, _, _)| key.chars().count());
    // A long list must not push every source out of sight.
    let values = width(|(_, value, _)| Some(value.chars().count()).filter(|long| *long <= 32).unwrap_or(0));
    let mut out = String::new();
    for (key, value, source) in &rows {
        out.push_str(&format!("{key:keys$}  {value:values$}  {}\n", plain(&source.to_string())));
    }
    let name = file.map_or("the configuration".to_owned(), |file| plain(&file.display().to_string()));
    out.push_str(&format!(
        "\n{name} can be used: {set} of {} values are set, the others are defaults.\n",
        rows.len()
    ));
    out
}

/// Nothing of a value may steer a terminal or begin a new line.
fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Every value with its type, and where it came from.
pub(super) fn json(file: Option<&Path>, config: &Config, warnings: &[String]) -> Value {
    let values: Vec<Value> = config
        .effective()
        .into_iter()
        .map(|(name, _, source)| {
            let (value, live) = match KEYS.iter().find(|key| key.name == name) {
                Some(key) => (key.json(config), key.live()),
                None => {
                    let user = config.sampling.user.iter();
                    let rate = user.filter(|(user, _)| name.strip_prefix("sampling.") == Some(user));
                    (rate.map(|(_, rate)| json!(rate)).next().unwrap_or_default(), true)
                }
            };
            let mut row = Map::new();
            row.insert("key".to_owned(), json!(name));
            row.insert("value".to_owned(), value);
            origin(&source, &mut row);
            row.insert("live".to_owned(), json!(live));
            Value::Object(row)
        })
        .collect();
    let file = file.map(|file| file.display().to_string());
    json!({ "valid": true, "file": file, "values": values, "warnings": warnings })
}

fn origin(source: &Source, row: &mut Map<String, Value>) {
    let (kind, member) = match source {
        Source::Default => ("default", None),
        Source::File { file, line } => {
            row.insert("line".to_owned(), json!(line));
            ("file", Some(("file", json!(file))))
        }
        Source::Env(name) => ("environment", Some(("variable", json!(name)))),
        Source::Flag(name) => ("flag", Some(("flag", json!(name)))),
    };
    row.insert("source".to_owned(), json!(kind));
    if let Some((name, value)) = member {
        row.insert(name.to_owned(), value);
    }
}

/// What is wrong, for programs: the kind of source with its members, as of a value; key, reason, and the whole message.
pub(super) fn fault(error: &Unusable) -> Value {
    let place = error.place();
    let Place { file, line, column, variable, flag, key, reason } = &place;
    let mut row = Map::new();
    let kind = match (file, variable, flag) {
        (Some(_), _, _) => "file",
        (None, Some(_), _) => "environment",
        (None, None, Some(_)) => "flag",
        (None, None, None) => "default",
    };
    row.insert("source".to_owned(), json!(kind));
    let members = [
        ("file", json!(file)),
        ("line", json!(line)),
        ("column", json!(column)),
        ("variable", json!(variable)),
        ("flag", json!(flag)),
    ];
    row.extend(members.into_iter().filter(|(_, v)| !v.is_null()).map(|(name, v)| (name.to_owned(), v)));
    row.insert("key".to_owned(), json!(key));
    row.insert("reason".to_owned(), json!(reason));
    row.insert("message".to_owned(), json!(error.to_string()));
    json!({ "valid": false, "error": row })
}
