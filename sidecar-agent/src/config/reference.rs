//! The table of docs/configuration.md, made of [`KEYS`].

use super::{Config, KEYS};

/// Every key with its default, range, environment variable and effect, as a Markdown table.
#[must_use]
pub fn reference_table() -> String {
    let defaults = Config::default();
    let mut table =
        "| key | default | range | environment | effect |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for key in KEYS {
        let env = key.env.map_or_else(String::new, |name| format!("`{name}`"));
        let (name, value, range, effect) = (key.name, key.value(&defaults), key.range(), key.effect);
        table.push_str(&format!("| `{name}` | {value} | {range} | {env} | {effect} |\n"));
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The document's table is this code's. `UPDATE_DOCS=1 cargo test -p sidecar-agent reference` writes it.
    #[test]
    fn the_document_holds_the_table() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (before, rest) = text.split_once("<!-- keys -->\n").unwrap();
        let (held, after) = rest.split_once("<!-- end of keys -->\n").unwrap();
        let table = reference_table();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, format!("{before}<!-- keys -->\n{table}<!-- end of keys -->\n{after}"))
                .unwrap();
            return;
        }
        assert_eq!(held, table, "run the test with UPDATE_DOCS=1, which writes the table");
    }

    /// So is its list of keys that need a restart.
    #[test]
    fn the_document_names_the_keys_that_need_a_restart() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        let text = std::fs::read_to_string(path).unwrap();
        let fixed = KEYS.iter().filter(|key| !key.live()).map(|key| format!("`{}`", key.name));
        let fixed: Vec<_> = fixed.collect();
        let (_, rest) = text.split_once("refuses the reload by name:\n").unwrap();
        let held: Vec<_> =
            rest.split_once(". All other").unwrap().0.split([',', '\n']).map(str::trim).collect();
        let held: Vec<_> = held.into_iter().filter(|name| !name.is_empty()).collect();
        assert_eq!(held, fixed);
    }

    /// The examples of the document are read without complaint.
    #[test]
    fn the_examples_of_the_document_load() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
        let text = std::fs::read_to_string(path).unwrap();
        let examples: Vec<_> =
            text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
        assert!(examples.len() >= 3);
        for example in examples {
            let file = super::super::FileText { name: "example.yml".to_owned(), text: example.to_owned() };
            let sources = super::super::Sources { file: Some(&file), ..Default::default() };
            super::super::load(&sources).unwrap_or_else(|error| panic!("{error}\n{example}"));
        }
    }
}
