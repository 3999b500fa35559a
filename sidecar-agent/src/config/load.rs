//! From the sources to a [`Config`].

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use sidecar_common::MAX_SIGNALS;

use super::env::near_misses;
use super::expand::expand;
use super::key::Field;
use super::keys::{KEYS, below, find, is_group};
use super::nearest::distance;
use super::renamed::{elsewhere, renamed_below};
use super::scalar::{Scalar, shown};
use super::section::section;
use super::yaml::{Entry, Node, Tree};
use super::{BUILTIN_SIGNALS, Config, ConfigError, Fault, FileText, Source, nearest, threshold};

/// The key by which YAML 1.1 merges mappings.
const MERGE: &str = "<<";

/// A value from the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Override {
    /// The flag, as in `--listen`.
    pub flag: &'static str,
    /// The dotted key that it sets; one of [`KEYS`] that holds a single value.
    pub key: &'static str,
    /// The value as text.
    pub value: String,
}

/// All that a configuration is made of. Later fields win.
#[derive(Clone, Debug, Default)]
pub struct Sources<'a> {
    /// The file.
    pub file: Option<&'a FileText>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// The flags.
    pub flags: &'a [Override],
}

/// Makes a configuration of its sources, checked as a whole.
///
/// # Errors
/// The first thing that is wrong, with file and line (or variable, or flag) and the dotted key.
pub fn load(sources: &Sources<'_>) -> Result<Config, ConfigError> {
    let file: Arc<str> = sources.file.map_or_else(|| "".into(), |file| file.name.as_str().into());
    let mut loader = Loader { config: Config::default(), file, env: &sources.env };
    if let Some(file) = sources.file
        && let Some(mut node) = section(&file.name, &file.text)?
    {
        loader.expand(&mut String::new(), &mut node)?;
        loader.group("", &node)?;
    }
    for key in KEYS {
        if let Some(name) = key.env
            && let Some(value) = sources.env.get(name).filter(|value| !value.trim().is_empty())
        {
            loader.override_with(key.name, value, Source::Env(name))?;
        }
    }
    for flag in sources.flags {
        loader.override_with(flag.key, &flag.value, Source::Flag(flag.flag))?;
    }
    loader.check_signals()?;
    loader.config.hints = near_misses(&sources.env);
    Ok(loader.config)
}

/// A configuration in the making.
pub(super) struct Loader<'a> {
    pub(super) config: Config,
    file: Arc<str>,
    env: &'a BTreeMap<String, String>,
}

impl Loader<'_> {
    /// Expands variables in every scalar, and types what they expand to.
    fn expand(&self, key: &mut String, node: &mut Node) -> Result<(), ConfigError> {
        let length = key.len();
        match &mut node.tree {
            Tree::Scalar(Scalar::Text(text)) => {
                let expanded = expand(text, self.env).map_err(|fault| self.fault(node.line, key, fault))?;
                if let Some(text) = expanded {
                    node.tree = Tree::Scalar(Scalar::of_text(&text));
                }
            }
            Tree::Scalar(_) | Tree::Skipped => {}
            Tree::List(items) => {
                for (i, item) in items.iter_mut().enumerate() {
                    key.push_str(&format!("[{i}]"));
                    self.expand(key, item)?;
                    key.truncate(length);
                }
            }
            Tree::Map(entries) => {
                for entry in entries {
                    if length > 0 {
                        key.push('.');
                    }
                    key.push_str(&shown(&entry.key));
                    self.expand(key, &mut entry.node)?;
                    key.truncate(length);
                }
            }
        }
        Ok(())
    }

    /// Reads a mapping of keys; `""` is the section itself.
    fn group(&mut self, group: &str, node: &Node) -> Result<(), ConfigError> {
        let entries = match &node.tree {
            Tree::Map(entries) => entries,
            Tree::Scalar(Scalar::Null) => return Ok(()),
            Tree::Scalar(_) | Tree::List(_) | Tree::Skipped => {
                let key = if group.is_empty() { "the section" } else { group };
                return Err(self.wants(node, key, "a mapping of keys to values"));
            }
        };
        self.no_duplicates(group, entries)?;
        for Entry { key, line, node } in entries {
            let name = if group.is_empty() { key.clone() } else { format!("{group}.{key}") };
            if let Some(key) = find(&name) {
                match (&key.field, &node.tree) {
                    (
                        Field::Texts { .. }
                        | Field::Probes
                        | Field::Sinks
                        | Field::Handlers
                        | Field::Functions,
                        _,
                    ) => {
                        self.list(key, *line, node)?;
                    }
                    (_, Tree::Scalar(scalar)) => {
                        let set = key.set(&mut self.config, scalar);
                        set.map_err(|fault| self.fault(*line, key.name, fault))?;
                    }
                    (_, Tree::List(_) | Tree::Map(_) | Tree::Skipped) => {
                        return Err(self.wants(node, key.name, &key.range()));
                    }
                }
                self.config.sources.insert(name, self.at(*line));
            } else if name == "sampling.adaptive" && !matches!(&node.tree, Tree::Map(_)) {
                self.adaptive_word(*line, node)?;
            } else if is_group(&name) {
                self.group(&name, node)?;
            } else if let Some((line, key, fault)) = renamed_below(&name, *line, node) {
                return Err(self.fault(line, &shown(&key), fault));
            } else if group == "sampling" && key != MERGE {
                self.user_signal(key, *line, node)?;
            } else {
                return Err(self.fault(*line, &shown(&name), unknown(key, &below(group))));
            }
        }
        Ok(())
    }

    /// `adaptive: enabled` is short for `adaptive: {enabled: true}`.
    fn adaptive_word(&mut self, line: u32, node: &Node) -> Result<(), ConfigError> {
        let enabled = self.scalar("sampling.adaptive", node, Scalar::switch)?;
        self.config.sampling.adaptive.enabled = enabled;
        self.config.sources.insert("sampling.adaptive.enabled".to_owned(), self.at(line));
        Ok(())
    }

    /// `sampling.NAME` for any other name is the user's own signal.
    fn user_signal(&mut self, name: &str, line: u32, node: &Node) -> Result<(), ConfigError> {
        /// A name this near to a known one is taken for a slip.
        const SLIP: usize = 2;
        const LONGEST: usize = 64;

        let key = format!("sampling.{}", shown(name));
        let fault = |fault| Err(self.fault(line, &key, fault));
        let known = below("sampling");
        if let Some(nearest) = nearest(name, known.into_iter()).filter(|known| distance(name, known) <= SLIP)
        {
            return fault(Fault::NearMiss { nearest: nearest.to_owned() });
        }
        let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.len() > LONGEST || !name.chars().all(good) {
            let problem = format!("is no name of a signal: 1 to {LONGEST} of a-z, 0-9 and _");
            return fault(Fault::Text { found: shown(name), problem });
        }
        if BUILTIN_SIGNALS.len() + self.config.sampling.user.len() >= MAX_SIGNALS {
            return fault(Fault::TooManySignals { most: MAX_SIGNALS });
        }
        let rate = self.scalar(&key, node, |scalar| scalar.number(0.0, 1.0))?;
        if threshold(rate).is_some() {
            self.config.sampling.user.push((name.to_owned(), rate));
            self.config.sources.insert(key, self.at(line));
        }
        Ok(())
    }

    fn override_with(&mut self, name: &str, value: &str, source: Source) -> Result<(), ConfigError> {
        let error = |fault| ConfigError::Value { at: source.clone(), key: name.to_owned(), fault };
        let Some(key) = find(name) else {
            let nearest = nearest(name, KEYS.iter().map(|key| key.name)).unwrap_or_default().to_owned();
            return Err(error(Fault::UnknownKey { nearest }));
        };
        key.set(&mut self.config, &Scalar::of_text(value.trim())).map_err(error)?;
        self.config.sources.insert(name.to_owned(), source);
        Ok(())
    }

    fn no_duplicates(&self, group: &str, entries: &[Entry]) -> Result<(), ConfigError> {
        let mut lines = HashMap::new();
        for Entry { key, line, .. } in entries {
            if let Some(first) = lines.insert(key.as_str(), *line) {
                let dot = if group.is_empty() { "" } else { "." };
                return Err(self.fault(
                    *line,
                    &format!("{group}{dot}{}", shown(key)),
                    Fault::Duplicate { first },
                ));
            }
        }
        Ok(())
    }

    /// The entries of a mapping whose keys are all known.
    pub(super) fn entries<'n>(
        &self,
        name: &str,
        node: &'n Node,
        known: &[&'static str],
    ) -> Result<&'n [Entry], ConfigError> {
        let Tree::Map(entries) = &node.tree else {
            return Err(self.wants(node, name, &format!("a mapping with keys of {}", known.join(", "))));
        };
        self.no_duplicates(name, entries)?;
        for Entry { key, line, .. } in entries {
            if !known.contains(&key.as_str()) {
                let nearest = nearest(key, known.iter().copied()).unwrap_or_default().to_owned();
                let fault = if key == MERGE { Fault::MergeKey } else { Fault::UnknownKey { nearest } };
                return Err(self.fault(*line, &format!("{name}.{}", shown(key)), fault));
            }
        }
        Ok(entries)
    }

    /// The items of a list; nothing is an empty list.
    pub(super) fn items<'n>(&self, name: &str, line: u32, node: &'n Node) -> Result<&'n [Node], ConfigError> {
        match &node.tree {
            Tree::List(items) => Ok(items),
            Tree::Scalar(Scalar::Null) => Ok(&[]),
            Tree::Scalar(_) | Tree::Map(_) | Tree::Skipped => {
                let node = Node { line, tree: node.tree.clone() };
                Err(self.wants(&node, name, "a list"))
            }
        }
    }

    pub(super) fn text(&self, name: &str, node: &Node) -> Result<String, ConfigError> {
        self.scalar(name, node, Scalar::text)
    }

    pub(super) fn scalar<T>(
        &self,
        name: &str,
        node: &Node,
        read: impl FnOnce(&Scalar) -> Result<T, Fault>,
    ) -> Result<T, ConfigError> {
        match &node.tree {
            Tree::Scalar(scalar) => read(scalar).map_err(|fault| self.fault(node.line, name, fault)),
            Tree::List(_) | Tree::Map(_) | Tree::Skipped => Err(self.wants(node, name, "a single value")),
        }
    }

    pub(super) fn wants(&self, node: &Node, key: &str, wants: &str) -> ConfigError {
        let found = match &node.tree {
            Tree::Scalar(scalar) => scalar.describe(),
            Tree::List(_) => "a list".to_owned(),
            Tree::Map(_) | Tree::Skipped => "a mapping".to_owned(),
        };
        self.fault(node.line, key, Fault::Type { wants: wants.to_owned(), found })
    }

    pub(super) fn fault(&self, line: u32, key: &str, fault: Fault) -> ConfigError {
        ConfigError::Value { at: self.at(line), key: key.to_owned(), fault }
    }

    pub(super) fn at(&self, line: u32) -> Source {
        Source::File { file: Arc::clone(&self.file), line }
    }
}

/// What is said of a key that a group does not have.
fn unknown(key: &str, known: &[&'static str]) -> Fault {
    if key == MERGE {
        return Fault::MergeKey;
    }
    let near = nearest(key, known.iter().copied()).unwrap_or_default();
    let nearest = match elsewhere(key) {
        // A whole word at another place is more like it than a slip at this one.
        Some(name) if distance(key, near) > 2 => name.to_owned(),
        Some(_) | None => near.to_owned(),
    };
    Fault::UnknownKey { nearest }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "bad_input_tests.rs"]
mod bad_input;
