//! The answers of `sidecar check`, for people and for programs.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::Unusable;
use crate::config::{Config, ConfigError, KEYS, Source};

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

/// Where a configuration is wrong, and why.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Place {
    /// The kind of source with its members, as of a value.
    origin: Map<String, Value>,
    key: Option<String>,
    reason: String,
}

impl Place {
    pub(super) fn of(error: &Unusable) -> Self {
        let (source, key, reason) = match error {
            Unusable::Mapping(error) => (Some(&error.at), Some(&error.key), error.problem.to_string()),
            Unusable::Config(error) => match error {
                ConfigError::Value { at, key, fault } => (Some(at), Some(key), fault.to_string()),
                ConfigError::Unreadable { path, error } => return Self::file(path, error.to_string()),
                ConfigError::TooLong { path, most } => {
                    return Self::file(path, format!("longer than {most} bytes"));
                }
                ConfigError::NotText { path, what } => return Self::file(path, (*what).to_owned()),
                ConfigError::NotYaml { file, line, column: _, what } => {
                    let mut place = Self::file(Path::new(file), what.clone());
                    place.origin.insert("line".to_owned(), json!(line));
                    return place;
                }
                ConfigError::NoSection { file, .. } => {
                    return Self::file(Path::new(file), "no section of sidecar".to_owned());
                }
            },
        };
        let mut place = Self { origin: Map::new(), key: key.cloned(), reason };
        if let Some(source) = source {
            origin(source, &mut place.origin);
        }
        place
    }

    fn file(path: &Path, reason: String) -> Self {
        let file = json!(path.display().to_string());
        let origin = [("source".to_owned(), json!("file")), ("file".to_owned(), file)];
        Self { origin: origin.into_iter().collect(), key: None, reason }
    }

    /// The answer for programs.
    pub(super) fn json(self, message: &str) -> Value {
        let mut error = self.origin;
        error.insert("key".to_owned(), json!(self.key));
        error.insert("reason".to_owned(), json!(self.reason));
        error.insert("message".to_owned(), json!(message));
        json!({ "valid": false, "error": error })
    }
}
