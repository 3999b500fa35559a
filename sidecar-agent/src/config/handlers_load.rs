//! Reads `handlers`.

use std::path::PathBuf;

use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue};
use sidecar_common::Status;

use super::handlers::{Action, CommandAction, HANDLER_TYPES, HandlerConfig, HttpAction, JsonlAction, Secret};
use super::load::Loader;
use super::scalar::{Scalar, shown};
use super::yaml::{Entry, Node, Tree};
use super::{ConfigError, Fault, When, nearest};

/// Most handlers; each has a queue, and some a thread.
const MOST: usize = 64;
/// Most words of a list, and most headers.
const MOST_WORDS: usize = 64;
/// Longest glob in bytes.
const LONGEST_GLOB: usize = 1024;
/// Longest name of a handler in bytes; it is a label of metrics.
const LONGEST_NAME: usize = 64;
const DAY: f64 = 86_400.0;

pub(super) const COMMON_KEYS: [&str; 7] =
    ["name", "type", "events", "when", "queue_size", "queue_bytes", "drop_on_full"];
pub(super) const COMMAND_KEYS: [&str; 4] = ["command", "timeout_sec", "concurrency", "rate_limit"];
pub(super) const HTTP_KEYS: [&str; 7] =
    ["url", "headers", "timeout_sec", "max_attempts", "spool_events", "spool_bytes", "rate_limit"];
pub(super) const JSONL_KEYS: [&str; 4] = ["path", "max_bytes", "max_age_sec", "keep"];
pub(super) const WHEN_KEYS: [&str; 6] =
    ["status", "provider", "suite", "test_id", "signal", "min_duration_ms"];

/// One handler's mapping, with its dotted name.
struct Item<'l, 'n> {
    loader: &'l Loader<'l>,
    key: String,
    line: u32,
    entries: &'n [Entry],
}

impl Loader<'_> {
    /// The entries of `handlers`.
    pub(super) fn handlers(&self, items: &[Node]) -> Result<Vec<HandlerConfig>, ConfigError> {
        let mut handlers: Vec<HandlerConfig> = Vec::new();
        let mut unnamed = [0_u32; HANDLER_TYPES.len()];
        for (i, node) in items.iter().enumerate() {
            let key = format!("handlers[{i}]");
            if i >= MOST {
                let fault = Fault::Range { found: items.len().to_string(), range: format!("at most {MOST}") };
                return Err(self.fault(node.line, &key, fault));
            }
            let handler = self.handler(key, node, &mut unnamed)?;
            if let Some(first) = handlers.iter().position(|known| known.name == handler.name) {
                let problem = format!("is the name of handlers[{first}] already");
                let fault = Fault::Text { found: shown(&handler.name), problem };
                return Err(self.fault(node.line, &format!("handlers[{i}].name"), fault));
            }
            handlers.push(handler);
        }
        Ok(handlers)
    }

    fn handler(
        &self,
        key: String,
        node: &Node,
        unnamed: &mut [u32; HANDLER_TYPES.len()],
    ) -> Result<HandlerConfig, ConfigError> {
        let (kind, keys) = self.kind_of_handler(&key, node)?;
        let known: Vec<&'static str> = COMMON_KEYS.iter().chain(keys).copied().collect();
        let entries = self.entries(&key, node, &known)?;
        let item = Item { loader: self, key, line: node.line, entries };
        let action = match kind {
            0 => Action::Command(item.command()?),
            1 => Action::Http(item.http()?),
            _ => Action::Jsonl(item.jsonl()?),
        };
        let name = match item.text("name")? {
            Some(name) => {
                item.checked("name", name, is_name, "is no name: 1 to 64 of a-z, A-Z, 0-9, _, . and -")?
            }
            None => {
                unnamed[kind] += 1;
                format!("{}-{}", HANDLER_TYPES[kind], unnamed[kind])
            }
        };
        Ok(HandlerConfig {
            name,
            events: item.words("events")?,
            when: item.when()?,
            queue_size: item.count("queue_size", 1000, 1, 1_000_000)?,
            queue_bytes: item.count("queue_bytes", 4 << 20, 1 << 20, 1 << 30)?,
            drop_on_full: item.read("drop_on_full", Scalar::switch)?.unwrap_or(true),
            action,
        })
    }

    /// The type's position in [`HANDLER_TYPES`], and the keys that come with it.
    fn kind_of_handler(
        &self,
        key: &str,
        node: &Node,
    ) -> Result<(usize, &'static [&'static str]), ConfigError> {
        let Tree::Map(entries) = &node.tree else {
            return Err(self.wants(node, key, "a mapping with a `type` of command, http or jsonl"));
        };
        let Some(entry) = entries.iter().find(|entry| entry.key == "type") else {
            return Err(self.fault(node.line, key, Fault::Missing { key: "type" }));
        };
        let kind = self.text(&format!("{key}.type"), &entry.node)?;
        match HANDLER_TYPES.iter().position(|known| *known == kind) {
            Some(0) => Ok((0, &COMMAND_KEYS)),
            Some(1) => Ok((1, &HTTP_KEYS)),
            Some(at) => Ok((at, &JSONL_KEYS)),
            None => {
                let nearest = nearest(&kind, HANDLER_TYPES.into_iter()).unwrap_or_default();
                let problem =
                    format!("is no type of handler (command, http, jsonl); did you mean `{nearest}`?");
                let fault = Fault::Text { found: shown(&kind), problem };
                Err(self.fault(entry.node.line, &format!("{key}.type"), fault))
            }
        }
    }
}

impl<'n> Item<'_, 'n> {
    fn command(&self) -> Result<CommandAction, ConfigError> {
        let command = self.words("command")?;
        let Some(program) = command.first() else { return Err(self.missing("command")) };
        let usable = !program.is_empty() && (program.starts_with('/') || !program.contains('/'));
        let problem = "is neither an absolute path nor a name to look up in PATH";
        self.checked("command[0]", program.clone(), |_| usable, problem)?;
        for (i, word) in command.iter().enumerate() {
            let name = format!("command[{i}]");
            self.checked(&name, word.clone(), |word| !word.contains('\0'), "holds a NUL byte")?;
        }
        Ok(CommandAction {
            command,
            timeout_sec: self.number("timeout_sec", 10.0, 0.01, 3600.0)?,
            concurrency: self.count("concurrency", 1, 1, 64)?,
            rate_limit: self.number("rate_limit", 10.0, 0.001, 10_000.0)?,
        })
    }

    fn http(&self) -> Result<HttpAction, ConfigError> {
        let url = self.text("url")?.ok_or_else(|| self.missing("url"))?;
        if let Some(problem) = wrong_with_url(&url) {
            // The URL itself can hold a secret.
            let fault = Fault::Text { found: "the URL".to_owned(), problem: problem.to_owned() };
            return Err(self.fault("url", fault));
        }
        Ok(HttpAction {
            url,
            headers: self.headers()?,
            timeout_sec: self.number("timeout_sec", 5.0, 0.01, 300.0)?,
            max_attempts: self.count("max_attempts", 5, 1, 100)?,
            spool_events: self.count("spool_events", 1000, 1, 100_000)?,
            spool_bytes: self.count("spool_bytes", 4 << 20, 64 << 10, 256 << 20)?,
            rate_limit: self.number("rate_limit", 100.0, 0.001, 10_000.0)?,
        })
    }

    fn jsonl(&self) -> Result<JsonlAction, ConfigError> {
        let path = self.text("path")?.ok_or_else(|| self.missing("path"))?;
        let usable = |path: &str| path.starts_with('/') && !path.ends_with('/') && !path.contains('\0');
        let path = self.checked("path", path, usable, "is no absolute path of a file")?;
        Ok(JsonlAction {
            path: PathBuf::from(path),
            max_bytes: self.count("max_bytes", 10_000_000, 1024, 1_000_000_000_000)?,
            max_age_sec: self.read("max_age_sec", |scalar| scalar.count(1, 366 * 86_400))?,
            keep: self.count("keep", 5, 1, 1000)?,
        })
    }

    fn when(&self) -> Result<When, ConfigError> {
        let Some(node) = self.node("when") else { return Ok(When::default()) };
        let key = format!("{}.when", self.key);
        let entries = self.loader.entries(&key, node, &WHEN_KEYS)?;
        let item = Item { loader: self.loader, key, line: node.line, entries };
        let mut status = Vec::new();
        for word in item.words("status")? {
            let found = Status::from_name(&word);
            status.push(found.ok_or_else(|| {
                let nearest = nearest(&word, Status::ALL.into_iter().map(Status::name)).unwrap_or_default();
                let problem = format!("is no status; did you mean `{nearest}`?");
                item.fault("status", Fault::Text { found: shown(&word), problem })
            })?);
        }
        Ok(When {
            status,
            provider: item.glob("provider")?,
            suite: item.glob("suite")?,
            test_id: item.glob("test_id")?,
            signal: item.glob("signal")?,
            min_duration_ms: item.read("min_duration_ms", |scalar| scalar.number(0.0, DAY * 1000.0))?,
        })
    }

    fn headers(&self) -> Result<Vec<(String, Secret)>, ConfigError> {
        let Some(node) = self.node("headers") else { return Ok(Vec::new()) };
        let key = format!("{}.headers", self.key);
        let Tree::Map(entries) = &node.tree else {
            return Err(self.loader.wants(node, &key, "a mapping of header names to values"));
        };
        let mut headers: Vec<(String, Secret)> = Vec::new();
        for Entry { key: name, line, node } in entries {
            let dotted = format!("{key}.{}", shown(name));
            let fault = |problem: &str| {
                let fault = Fault::Text { found: shown(name), problem: problem.to_owned() };
                Err(self.loader.fault(*line, &dotted, fault))
            };
            let Ok(header) = HeaderName::try_from(name.as_str()) else {
                return fault("is no name of a header");
            };
            if ["host", "content-length", "transfer-encoding", "connection"].contains(&header.as_str()) {
                return fault("is a header that sidecar sets itself");
            }
            if headers.iter().any(|(known, _)| known == header.as_str()) {
                return fault("is given twice");
            }
            if headers.len() >= MOST_WORDS {
                return fault("is one header too many: 64 are possible");
            }
            let value = self.loader.text(&dotted, node)?;
            if HeaderValue::try_from(value.as_str()).is_err() {
                return fault("has a value that no header can have: a control character");
            }
            headers.push((header.as_str().to_owned(), Secret::new(value)));
        }
        Ok(headers)
    }

    fn glob(&self, name: &str) -> Result<Option<String>, ConfigError> {
        let Some(glob) = self.text(name)? else { return Ok(None) };
        let short = |glob: &str| glob.len() <= LONGEST_GLOB;
        let glob = self.checked(name, glob, short, "is longer than a pattern may be: 1024 bytes")?;
        match globset::Glob::new(&glob) {
            Ok(_) => Ok(Some(glob)),
            Err(error) => {
                let problem = format!("is no glob: {}", error.kind());
                Err(self.fault(name, Fault::Text { found: shown(&glob), problem }))
            }
        }
    }

    fn node(&self, name: &str) -> Option<&'n Node> {
        self.entries.iter().find(|entry| entry.key == name).map(|entry| &entry.node)
    }

    /// The value of a key; none where the key is missing.
    fn read<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Scalar) -> Result<T, Fault>,
    ) -> Result<Option<T>, ConfigError> {
        let key = format!("{}.{name}", self.key);
        self.node(name).map(|node| self.loader.scalar(&key, node, read)).transpose()
    }

    fn text(&self, name: &str) -> Result<Option<String>, ConfigError> {
        self.read(name, Scalar::text)
    }

    fn count(&self, name: &str, default: u64, min: u64, max: u64) -> Result<u64, ConfigError> {
        Ok(self.read(name, |scalar| scalar.count(min, max))?.unwrap_or(default))
    }

    fn number(&self, name: &str, default: f64, min: f64, max: f64) -> Result<f64, ConfigError> {
        Ok(self.read(name, |scalar| scalar.number(min, max))?.unwrap_or(default))
    }

    /// A list of texts; one text alone is a list of one.
    fn words(&self, name: &str) -> Result<Vec<String>, ConfigError> {
        let Some(node) = self.node(name) else { return Ok(Vec::new()) };
        let key = format!("{}.{name}", self.key);
        if let Tree::Scalar(Scalar::Text(word)) = &node.tree {
            return Ok(vec![word.clone()]);
        }
        let items = self.loader.items(&key, node.line, node)?;
        if items.len() > MOST_WORDS {
            let range = format!("at most {MOST_WORDS} entries");
            return Err(self.loader.fault(
                node.line,
                &key,
                Fault::Range { found: items.len().to_string(), range },
            ));
        }
        items.iter().enumerate().map(|(i, item)| self.loader.text(&format!("{key}[{i}]"), item)).collect()
    }

    fn checked(
        &self,
        name: &str,
        text: String,
        good: impl FnOnce(&str) -> bool,
        problem: &str,
    ) -> Result<String, ConfigError> {
        if good(&text) {
            return Ok(text);
        }
        Err(self.fault(name, Fault::Text { found: shown(&text), problem: problem.to_owned() }))
    }

    /// A fault of a key, at the key's own line where it stands in the file.
    fn fault(&self, name: &str, fault: Fault) -> ConfigError {
        let base = name.split_once('[').map_or(name, |(base, _)| base);
        let line = self.node(base).map_or(self.line, |node| node.line);
        self.loader.fault(line, &format!("{}.{name}", self.key), fault)
    }

    fn missing(&self, key: &'static str) -> ConfigError {
        self.loader.fault(self.line, &self.key, Fault::Missing { key })
    }
}

fn is_name(name: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(good)
}

fn wrong_with_url(url: &str) -> Option<&'static str> {
    let Ok(uri) = url.parse::<Uri>() else { return Some("can't be parsed") };
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Some("does not begin with http:// or https://");
    }
    match uri.authority() {
        None => Some("names no host"),
        Some(authority) if authority.host().is_empty() => Some("names no host"),
        Some(authority) if authority.as_str().contains('@') => {
            Some("holds a user or password: write them into an Authorization header")
        }
        Some(_) => None,
    }
}

#[cfg(test)]
#[path = "handlers_tests.rs"]
mod tests;
