//! The keys that hold lists: probes, sinks, and the entries of `discovery`.

use super::key::Field;
use super::load::Loader;
use super::scalar::{Scalar, shown};
use super::yaml::{Entry, Node, Tree};
use super::{ConfigError, Fault, Key, Source, nearest};

/// Where events go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// JSON lines.
    Jsonl {
        /// A file, or `-` for standard output.
        path: String,
    },
}

/// One entry of `probes`, as it stands in the file: the words are checked when it becomes a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeConfig {
    /// Where it stands.
    pub at: Source,
    /// `provider`.
    pub provider: String,
    /// `marker`.
    pub marker: String,
    /// `event`: event, test_start, test_end or anomaly.
    pub event: Option<String>,
    /// `event_type`.
    pub event_type: Option<String>,
    /// `signal`; it has a rate under `sampling`.
    pub signal: Option<String>,
    /// `args`, by position.
    pub args: Vec<ArgConfig>,
    /// `status`: value and status word.
    pub status: Vec<(String, String)>,
}

/// One entry of a probe's `args`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArgConfig {
    /// `role`.
    pub role: Option<String>,
    /// `type`: integer, string or bytes.
    pub kind: Option<String>,
    /// `name`.
    pub name: Option<String>,
    /// `unit`: ns, us, ms or s.
    pub unit: Option<String>,
    /// `length`: position of the argument that holds the number of bytes.
    pub length: Option<u64>,
    /// `signed`.
    pub signed: Option<bool>,
    /// `at`: where a function's argument is.
    pub at: Option<String>,
}

pub(super) const PROBE_KEYS: [&str; 7] =
    ["provider", "marker", "event", "event_type", "signal", "args", "status"];
pub(super) const ARG_KEYS: [&str; 6] = ["role", "type", "name", "unit", "length", "signed"];
pub(super) const SINK_KEYS: [&str; 2] = ["type", "path"];

impl Loader<'_> {
    /// Reads the value of a key that holds a list.
    pub(super) fn list(&mut self, key: &Key, line: u32, node: &Node) -> Result<(), ConfigError> {
        let items = self.items(key.name, line, node)?;
        match &key.field {
            Field::Texts { place, check, .. } => {
                let mut texts = Vec::new();
                for (i, item) in items.iter().enumerate() {
                    let name = format!("{}[{i}]", key.name);
                    let text = self.text(&name, item)?;
                    check(&text).map_err(|problem| {
                        self.fault(item.line, &name, Fault::Text { found: shown(&text), problem })
                    })?;
                    texts.push(text);
                }
                *place(&mut self.config) = texts;
            }
            Field::Probes => {
                let probes =
                    items.iter().enumerate().map(|(i, item)| self.probe(&format!("probes[{i}]"), item));
                self.config.probes = probes.collect::<Result<_, _>>()?;
            }
            Field::Sinks => {
                let sinks = items.iter().enumerate().map(|(i, item)| self.sink(&format!("sinks[{i}]"), item));
                self.config.sinks = sinks.collect::<Result<_, _>>()?;
            }
            Field::Handlers => self.config.handlers = self.handlers(items)?,
            Field::Functions => {
                let functions =
                    items.iter().enumerate().map(|(i, item)| self.function(&format!("functions[{i}]"), item));
                self.config.functions = functions.collect::<Result<_, _>>()?;
            }
            Field::Switch(_)
            | Field::Number { .. }
            | Field::Count { .. }
            | Field::FirstEvent(_)
            | Field::Address(_)
            | Field::Path(_) => {}
        }
        Ok(())
    }

    fn sink(&self, key: &str, node: &Node) -> Result<Sink, ConfigError> {
        let entries = self.entries(key, node, &SINK_KEYS)?;
        let (mut kind, mut path) = (None, "-".to_owned());
        for Entry { key: name, node, .. } in entries {
            let dotted = format!("{key}.{name}");
            match name.as_str() {
                "type" => kind = Some((node.line, self.text(&dotted, node)?)),
                _ => path = self.text(&dotted, node)?,
            }
        }
        let Some((line, kind)) = kind else {
            return Err(self.fault(node.line, key, Fault::Missing { key: "type" }));
        };
        if kind != "jsonl" {
            let problem = "is no type of sink; there is jsonl".to_owned();
            return Err(self.fault(
                line,
                &format!("{key}.type"),
                Fault::Text { found: shown(&kind), problem },
            ));
        }
        if path.is_empty() || path.contains('\0') {
            let problem = "is no path of a file (and - is standard output)".to_owned();
            return Err(self.fault(
                node.line,
                &format!("{key}.path"),
                Fault::Text { found: shown(&path), problem },
            ));
        }
        Ok(Sink::Jsonl { path })
    }

    fn probe(&self, key: &str, node: &Node) -> Result<ProbeConfig, ConfigError> {
        let (mut provider, mut marker) = (None, None);
        let mut probe = ProbeConfig {
            at: self.at(node.line),
            provider: String::new(),
            marker: String::new(),
            event: None,
            event_type: None,
            signal: None,
            args: Vec::new(),
            status: Vec::new(),
        };
        for Entry { key: name, line, node } in self.entries(key, node, &PROBE_KEYS)? {
            let dotted = format!("{key}.{name}");
            match name.as_str() {
                "provider" => provider = Some(self.text(&dotted, node)?),
                "marker" => marker = Some(self.text(&dotted, node)?),
                "event" => probe.event = Some(self.text(&dotted, node)?),
                "event_type" => probe.event_type = Some(self.text(&dotted, node)?),
                "signal" => probe.signal = Some(self.text(&dotted, node)?),
                "args" => {
                    let items = self.items(&dotted, *line, node)?.iter().enumerate();
                    let args = items.map(|(i, item)| self.arg(&format!("{dotted}[{i}]"), item, &ARG_KEYS));
                    probe.args = args.collect::<Result<_, _>>()?;
                }
                _ => probe.status = self.statuses(&dotted, node)?,
            }
        }
        let missing = |name| self.fault(node.line, key, Fault::Missing { key: name });
        probe.provider = provider.ok_or_else(|| missing("provider"))?;
        probe.marker = marker.ok_or_else(|| missing("marker"))?;
        Ok(probe)
    }

    /// The mapping of a status argument's values to statuses.
    pub(super) fn statuses(&self, key: &str, node: &Node) -> Result<Vec<(String, String)>, ConfigError> {
        let Tree::Map(entries) = &node.tree else {
            return Err(self.wants(node, key, "a mapping of values to statuses"));
        };
        let status = |Entry { key: value, node, .. }: &Entry| {
            Ok((value.clone(), self.text(&format!("{key}.{}", shown(value)), node)?))
        };
        entries.iter().map(status).collect()
    }

    /// One argument, of which these keys are known.
    pub(super) fn arg(
        &self,
        key: &str,
        node: &Node,
        known: &[&'static str],
    ) -> Result<ArgConfig, ConfigError> {
        let mut arg = ArgConfig::default();
        if let Tree::Scalar(_) = &node.tree {
            // The short form: ROLE or ROLE:TYPE.
            let text = self.text(key, node)?;
            let (role, kind) = match text.split_once(':') {
                Some((role, kind)) => (role, Some(kind.trim().to_owned())),
                None => (text.as_str(), None),
            };
            arg.role = Some(role.trim().to_owned());
            arg.kind = kind;
            return Ok(arg);
        }
        for Entry { key: name, node, .. } in self.entries(key, node, known)? {
            let dotted = format!("{key}.{name}");
            match name.as_str() {
                "role" => arg.role = Some(self.text(&dotted, node)?),
                "type" => arg.kind = Some(self.text(&dotted, node)?),
                "name" => arg.name = Some(self.text(&dotted, node)?),
                "unit" => arg.unit = Some(self.text(&dotted, node)?),
                "length" => arg.length = Some(self.scalar(&dotted, node, |value| value.count(0, 11))?),
                "at" => arg.at = Some(self.text(&dotted, node)?),
                _ => arg.signed = Some(self.scalar(&dotted, node, Scalar::switch)?),
            }
        }
        Ok(arg)
    }

    /// The signal of every probe and function must have a rate.
    pub(super) fn check_signals(&self) -> Result<(), ConfigError> {
        let signals = self.config.signals();
        let probes = self.config.probes.iter().map(|probe| (&probe.at, &probe.signal)).enumerate();
        let functions =
            self.config.functions.iter().map(|function| (&function.at, &function.signal)).enumerate();
        let named = probes.map(|found| ("probes", found)).chain(functions.map(|found| ("functions", found)));
        for (list, (i, (at, signal))) in named {
            let Some(name) = signal else { continue };
            if !signals.iter().any(|signal| signal.name == *name) {
                let known = signals.iter().map(|signal| signal.name.as_str());
                let nearest = nearest(name, known).unwrap_or_default().to_owned();
                return Err(ConfigError::Value {
                    at: at.clone(),
                    key: format!("{list}[{i}].signal"),
                    fault: Fault::NoSignal { found: shown(name), nearest },
                });
            }
        }
        Ok(())
    }
}

/// Refuses what is no glob of absolute paths.
pub(super) fn path_glob(text: &str) -> Result<(), String> {
    if !text.starts_with('/') && !text.starts_with("**") {
        return Err("is not absolute: begin with / or **".to_owned());
    }
    let built = globset::GlobBuilder::new(text).literal_separator(true).build();
    built.map(|_| ()).map_err(|error| format!("is no glob: {}", error.kind()))
}

/// Refuses what is neither a library's file name nor an absolute path.
pub(super) fn library(text: &str) -> Result<(), String> {
    if text.is_empty() || text.contains('\0') {
        return Err("is no file name".to_owned());
    }
    if text.contains('/') && !text.starts_with('/') {
        return Err("is neither a file name nor an absolute path".to_owned());
    }
    Ok(())
}
