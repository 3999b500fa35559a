//! The commented example, made of [`KEYS`](super::KEYS): what `sidecar config default` prints.

use serde_json::Value;

use super::Config;
use super::key::{Field, Key};
use super::keys::{below, find};
use super::shapes::{Part, Takes};

/// Longest line of a comment, its indentation included.
const WIDTH: usize = 100;

const HEAD: &str = "\
# Every key of sidecar with its default. A file needs only what differs from it.
#
# This can be a file of its own (sidecar.yml), or stand under `runtime.sidecar` or `sidecar` in a file that holds
# much else. The environment wins over the file, and flags win over both. ${NAME} and ${NAME:-default} are expanded.
# `sidecar check --config FILE` says whether a file is right, and what is in force.
#
# A key marked \"needs a restart\" can't change while the agent runs; a reload that tries is refused.
";

/// Every key with its default, and its range, variable and effect as a comment. It parses to the defaults.
#[must_use]
pub fn example() -> String {
    let mut out = HEAD.to_owned();
    group(&mut out, "", 0);
    out
}

fn group(out: &mut String, group_name: &str, depth: usize) {
    let indent = "  ".repeat(depth);
    for name in below(group_name) {
        let dotted = if group_name.is_empty() { name.to_owned() } else { format!("{group_name}.{name}") };
        out.push('\n');
        match find(&dotted) {
            Some(key) => one(out, key, name, &indent),
            None => {
                out.push_str(&format!("{indent}{name}:"));
                group(out, &dotted, depth + 1);
            }
        }
    }
    if group_name == "sampling" {
        out.push('\n');
        comment(out, &indent, "Signals of your own: any other name (a-z, 0-9 and _) with its rate.");
        comment(out, &indent, "flaky_signals: 0.5");
    }
}

fn one(out: &mut String, key: &Key, name: &str, indent: &str) {
    let defaults = Config::default();
    comment(out, indent, key.effect);
    let mut notes = match key.field.shape() {
        Some(_) => "A list of mappings.".to_owned(),
        None => {
            let range = key.range();
            let mut letters = range.chars();
            let first = letters.next().map(|c| c.to_ascii_uppercase()).into_iter();
            format!("{}.", first.chain(letters).collect::<String>())
        }
    };
    if let Some(env) = key.env {
        notes.push_str(&format!(" Variable {env}."));
    }
    if !key.live() {
        notes.push_str(" Needs a restart.");
    }
    comment(out, indent, &notes);
    if let Some(shape) = key.field.shape() {
        parts(out, indent, shape.parts, 1);
        for kind in shape.kinds {
            comment(out, indent, &format!("With type {}: {}", kind.word, kind.effect));
            parts(out, indent, kind.parts, 1);
        }
        comment(out, indent, "As in:");
        for line in shape.example.lines() {
            out.push_str(&format!("{indent}#   {line}\n"));
        }
    }
    let value = match &key.field {
        Field::Switch(_) | Field::Number { .. } | Field::Count { .. } | Field::FirstEvent(_) => {
            key.value(&defaults)
        }
        Field::Address(_)
        | Field::Path(_)
        | Field::Texts { .. }
        | Field::Probes
        | Field::Sinks
        | Field::Handlers
        | Field::Functions => flow(&key.json(&defaults)),
    };
    out.push_str(&format!("{indent}{name}: {value}\n"));
}

/// The keys of an item, a line each.
fn parts(out: &mut String, indent: &str, parts_of: &[Part], depth: usize) {
    for part in parts_of {
        let required = if part.required { " Required." } else { "" };
        let takes = match &part.takes {
            Takes::Text
            | Takes::Texts
            | Takes::Named
            | Takes::Items(_)
            | Takes::Item(_)
            | Takes::Group(_) => String::new(),
            Takes::Word(words) | Takes::WordList(words) => format!(" One of {}.", words.join(", ")),
            Takes::Words(words) => format!(" A mapping of values to {}.", words.join(", ")),
            Takes::Whole { min, max } => format!(" {min} to {max}."),
            Takes::Number { min, max } => format!(" {min} to {max}."),
            Takes::Switch => " True or false.".to_owned(),
        };
        let inset = "  ".repeat(depth);
        wrapped(out, indent, &inset, &format!("{}: {}{takes}{required}", part.name, part.effect));
        if let Takes::Items(items) | Takes::Item(items) | Takes::Group(items) = &part.takes {
            parts(out, indent, items, depth + 1);
        }
    }
}

fn comment(out: &mut String, indent: &str, text: &str) {
    wrapped(out, indent, "", text);
}

/// A comment, wrapped; lines after the first stand two further in where `inset` is not empty.
fn wrapped(out: &mut String, indent: &str, inset: &str, text: &str) {
    let mut line = format!("{indent}# {inset}");
    let mut empty = true;
    for word in text.split(' ') {
        if !empty && line.chars().count() + 1 + word.chars().count() > WIDTH {
            out.push_str(&line);
            out.push('\n');
            let further = if inset.is_empty() { "" } else { "  " };
            line = format!("{indent}# {inset}{further}");
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    out.push_str(&line);
    out.push('\n');
}

/// A value in YAML's flow style.
pub(super) fn flow(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '/');
            let typed = !matches!(super::scalar::Scalar::of_text(text), super::scalar::Scalar::Text(_));
            let safe =
                text.chars().all(plain) && text.starts_with(|c: char| c != ':') && !text.ends_with(':');
            if safe && !typed { text.clone() } else { value.to_string() }
        }
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                format!("{}: {}", flow(&Value::String(name.clone())), flow(value))
            };
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{FileText, KEYS, Source, Sources, changes, load};

    /// The document is what the code makes. `UPDATE_DOCS=1 cargo test -p sidecar-agent example` writes it.
    #[test]
    fn the_committed_example_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/sidecar.example.yml");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, example()).unwrap();
        }
        let held = std::fs::read_to_string(path).unwrap();
        assert_eq!(held, example(), "run the test with UPDATE_DOCS=1, which writes the file");
    }

    #[test]
    fn the_example_sets_every_key_to_its_default_wherever_it_stands() {
        let section: String = example().lines().map(|line| format!("    {line}\n")).collect();
        for text in [example(), format!("other: 1\nruntime:\n  sidecar:\n{section}")] {
            let file = FileText { name: "e".to_owned(), text };
            let config = load(&Sources { file: Some(&file), ..Sources::default() }).unwrap();
            assert_eq!(changes(&Config::default(), &config), []);
            for key in KEYS {
                assert_ne!(config.source(key.name), Source::Default, "{} is not in the example", key.name);
            }
        }
    }

    #[test]
    fn values_in_flow_style_read_back() {
        for value in [
            serde_json::json!([
                "a b",
                "x",
                "-",
                "true",
                "1",
                "",
                "a: b",
                "/x/*",
                "::",
                "it's \"q\" \\ \u{1}"
            ]),
            serde_json::json!([{"type": "jsonl", "path": "-", "n": 1, "on": null}]),
        ] {
            let back: Value = serde_yaml::from_str(&flow(&value)).unwrap();
            assert_eq!(back, value, "{}", flow(&value));
        }
    }
}
