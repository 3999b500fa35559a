//! Which part of a YAML file is this program's.

use super::keys::top_level;
use super::renamed::was_top_level;
use super::yaml::{Entry, Node, NotYaml, Tree, Want, parse};
use super::{ConfigError, Fault, Source};

/// The section of a file, or `None` where the file or the section is empty.
///
/// It is `runtime.sidecar`; else `sidecar`; else the whole file, if at least half of its top-level keys are
/// keys of the section (so that a misspelt one is still told). Everything else in the file is ignored.
pub(super) fn section(file: &str, text: &str) -> Result<Option<Node>, ConfigError> {
    let not_yaml = |NotYaml { at, what }| ConfigError::NotYaml {
        file: file.to_owned(),
        line: at.line,
        column: at.column,
        what,
    };
    let outline = parse(text, Want::Outline("runtime")).map_err(not_yaml)?;
    let top = match outline.tree {
        Tree::Map(entries) if entries.is_empty() => return Ok(None),
        Tree::Map(entries) => entries,
        Tree::Scalar(super::scalar::Scalar::Null) => return Ok(None),
        Tree::Scalar(_) | Tree::List(_) | Tree::Skipped => {
            return Err(ConfigError::Value {
                at: Source::File { file: file.into(), line: outline.line.max(1) },
                key: "the file".to_owned(),
                fault: Fault::Type {
                    wants: "a mapping of keys to values".to_owned(),
                    found: "a list or a single value".to_owned(),
                },
            });
        }
    };
    let path: &[&str] = if once(file, &top, "runtime")?.is_some_and(has_sidecar) {
        let runtime = top.iter().find(|entry| entry.key == "runtime");
        if let Some(Entry { node: Node { tree: Tree::Map(entries), .. }, .. }) = runtime {
            once(file, entries, "sidecar")?;
        }
        &["runtime", "sidecar"]
    } else if once(file, &top, "sidecar")?.is_some() {
        &["sidecar"]
    } else if is_section(&top) {
        &[]
    } else {
        let found: Vec<_> = top.iter().take(8).map(|entry| super::scalar::shown(&entry.key)).collect();
        return Err(ConfigError::NoSection {
            file: file.to_owned(),
            known: top_level().join(", "),
            found: found.join(", "),
        });
    };
    let want = if path.is_empty() { Want::All } else { Want::Path(path) };
    let mut node = Some(parse(text, want).map_err(not_yaml)?);
    for key in path {
        node = node.and_then(|node| child(node, key));
    }
    Ok(node)
}

fn has_sidecar(runtime: &Entry) -> bool {
    match &runtime.node.tree {
        Tree::Map(entries) => entries.iter().any(|entry| entry.key == "sidecar"),
        Tree::Scalar(_) | Tree::List(_) | Tree::Skipped => false,
    }
}

fn child(node: Node, key: &str) -> Option<Node> {
    match node.tree {
        Tree::Map(entries) => entries.into_iter().find(|entry| entry.key == key).map(|entry| entry.node),
        Tree::Scalar(_) | Tree::List(_) | Tree::Skipped => None,
    }
}

/// The entry of a key, which must not occur twice.
fn once<'a>(file: &str, entries: &'a [Entry], key: &str) -> Result<Option<&'a Entry>, ConfigError> {
    let mut found = entries.iter().filter(|entry| entry.key == key);
    let first = found.next();
    if let (Some(first), Some(second)) = (first, found.next()) {
        return Err(ConfigError::Value {
            at: Source::File { file: file.into(), line: second.line },
            key: key.to_owned(),
            fault: Fault::Duplicate { first: first.line },
        });
    }
    Ok(first)
}

fn is_section(top: &[Entry]) -> bool {
    let known = top_level();
    let is_ours = |entry: &&Entry| known.contains(&entry.key.as_str()) || was_top_level(&entry.key);
    let ours = top.iter().filter(is_ours).count();
    ours > 0 && ours * 2 >= top.len()
}
