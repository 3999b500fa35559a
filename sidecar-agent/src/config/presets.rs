//! The names of the ready sets of mappings that the key `presets` takes.

use super::nearest;

/// Every preset.
pub const PRESETS: [&str; 7] = ["googletest", "jvm", "libc", "libstdcxx", "nextest", "python", "sidecar"];
/// Those that are on where the key is left out.
pub(super) const DEFAULT: [&str; 2] = ["nextest", "sidecar"];

/// Refuses what is no preset.
pub(super) fn preset(text: &str) -> Result<(), String> {
    if PRESETS.contains(&text) {
        return Ok(());
    }
    let near = nearest(text, PRESETS.into_iter()).unwrap_or_default();
    Err(format!("is no preset; did you mean `{near}`? There are {}", PRESETS.join(", ")))
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, FileText, Sources, load};

    fn presets(text: &str) -> Result<Vec<String>, String> {
        let file = FileText { name: "s.yml".to_owned(), text: text.to_owned() };
        let config = load(&Sources { file: Some(&file), ..Sources::default() });
        config.map(|config| config.presets).map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_takes_the_place_of_the_default_one() {
        assert_eq!(Config::default().presets, ["nextest", "sidecar"]);
        assert_eq!(presets("presets: [googletest]\n").unwrap(), ["googletest"]);
        assert_eq!(presets("presets: []\n").unwrap(), Vec::<String>::new());
    }

    #[test]
    fn an_unknown_preset_is_refused_with_the_nearest() {
        let said = presets("\npresets:\n  - gogletest\n").unwrap_err();
        assert!(said.starts_with("s.yml:3: presets[0]: `gogletest` is no preset"), "{said}");
        assert!(said.contains("did you mean `googletest`?"), "{said}");
    }
}
