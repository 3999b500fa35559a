//! `${NAME}` and `${NAME:-default}` in values.

use std::collections::BTreeMap;

use super::Fault;
use super::scalar::shown;

/// Longest text that a value may expand to, in bytes.
const LONGEST: usize = 64 * 1024;

/// Expands `${NAME}` (an error where NAME is not set), `${NAME:-default}` (the default where NAME is not set or
/// empty) and `$$` (a dollar sign). A dollar sign before anything else stands for itself. `None`: nothing to
/// expand. The result is not expanded again.
pub(super) fn expand(text: &str, env: &BTreeMap<String, String>) -> Result<Option<String>, Fault> {
    if !text.contains("${") && !text.contains("$$") {
        return Ok(None);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("$$") {
            out.push('$');
            rest = after;
        } else if let Some(inside) = rest.strip_prefix("${") {
            let (reference, after) = inside.split_once('}').ok_or_else(|| malformed(rest))?;
            let (name, default) = match reference.split_once(":-") {
                Some((_, default)) if default.contains("${") => return Err(Fault::NestedDefault),
                Some((name, default)) => (name, Some(default)),
                None => (reference, None),
            };
            if !is_name(name) {
                return Err(malformed(rest));
            }
            match (env.get(name), default) {
                (Some(value), None) => out.push_str(value),
                (Some(value), Some(_)) if !value.is_empty() => out.push_str(value),
                (Some(_) | None, Some(default)) => out.push_str(default),
                (None, None) => return Err(Fault::Unset { name: name.to_owned() }),
            }
            rest = after;
        } else {
            out.push('$');
            rest = &rest[1..];
        }
        if out.len() > LONGEST {
            return Err(Fault::Range {
                found: format!("a text of {} bytes", out.len()),
                range: format!("at most {LONGEST} bytes"),
            });
        }
    }
    out.push_str(rest);
    Ok(Some(out))
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn malformed(text: &str) -> Fault {
    Fault::Expansion { found: shown(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<Option<String>, Fault> {
        let env = [("A", "one"), ("EMPTY", ""), ("REF", "${A}")];
        expand(text, &env.map(|(name, value)| (name.to_owned(), value.to_owned())).into())
    }

    #[test]
    fn variables_and_defaults() {
        assert_eq!(expanded("plain $ and $x"), Ok(None));
        assert_eq!(expanded("${A}"), Ok(Some("one".to_owned())));
        assert_eq!(expanded("a-${A}-${B:-two}$"), Ok(Some("a-one-two$".to_owned())));
        assert_eq!(expanded("${EMPTY}|${EMPTY:-x}|${B:-}"), Ok(Some("|x|".to_owned())));
        assert_eq!(expanded("$${A} costs $$5"), Ok(Some("${A} costs $5".to_owned())));
    }

    #[test]
    fn a_value_is_not_expanded_again() {
        assert_eq!(expanded("${REF}"), Ok(Some("${A}".to_owned())));
    }

    #[test]
    fn bad_references_are_errors() {
        assert_eq!(expanded("${NOPE}"), Err(Fault::Unset { name: "NOPE".to_owned() }));
        for text in ["${A", "${}", "${1A}", "${A-x}", "${A B}", "x ${"] {
            assert!(matches!(expanded(text), Err(Fault::Expansion { .. })), "{text}");
        }
    }

    #[test]
    fn growth_is_capped() {
        let env = [("BIG".to_owned(), "x".repeat(60_000))].into();
        assert!(matches!(expand("${BIG}${BIG}", &env), Err(Fault::Range { .. })));
    }
}
