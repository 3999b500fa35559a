//! The key `functions`: functions of programs and libraries that are watched without a marker in them.

use serde_json::{Map, Value, json};

use super::lists::{ARG_KEYS, library, path_glob};
use super::load::Loader;
use super::scalar::{Scalar, shown};
use super::shapes::{ARGS, Part, STATUSES, Shape, Takes, object, part};
use super::yaml::{Entry, Node};
use super::{ArgConfig, ConfigError, Fault, Source};

/// One entry of `functions`, as it stands in the file: the words are checked when it becomes a mapping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionConfig {
    /// Where it stands.
    pub at: Source,
    /// In which files.
    pub place: FunctionPlace,
    /// Which functions of them.
    pub which: FunctionName,
    /// `on`: entry or entry_and_return.
    pub on: Option<String>,
    /// `provider`: what events and metrics call the file.
    pub provider: Option<String>,
    /// `event`: event, test_start, test_end or anomaly.
    pub event: Option<String>,
    /// `event_type`.
    pub event_type: Option<String>,
    /// `signal`; it has a rate under `sampling`.
    pub signal: Option<String>,
    /// `args`, by the calling convention.
    pub args: Vec<ArgConfig>,
    /// `result`.
    pub result: Option<ArgConfig>,
    /// `status`: value and status word.
    pub status: Vec<(String, String)>,
    /// `never_unwinds`: no exception leaves the functions.
    pub never_unwinds: bool,
}

/// In which files functions are looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionPlace {
    /// `file`: an absolute path, or a glob of them.
    File(String),
    /// `library`: a file name or an absolute path.
    Library(String),
    /// Every file that is looked at. Only presets have it.
    Any,
}

/// Which functions of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FunctionName {
    /// `symbol`: this name.
    Symbol(String),
    /// `glob`: names that match as a whole.
    Glob(String),
    /// `regex`: names in which it matches.
    Regex(String),
    /// `offset`: the instruction at this offset in the file.
    Offset(u64),
}

pub(super) const FUNCTION_KEYS: [&str; 15] = [
    "file",
    "library",
    "symbol",
    "glob",
    "regex",
    "offset",
    "on",
    "provider",
    "event",
    "event_type",
    "signal",
    "args",
    "result",
    "status",
    "never_unwinds",
];
pub(super) const FUNCTION_ARG_KEYS: [&str; 6] = {
    let [role, kind, name, unit, length, _] = ARG_KEYS;
    [role, kind, name, unit, length, "at"]
};

pub(super) static FUNCTIONS: Shape = Shape {
    parts: &[
        part("file", Takes::Text, "The absolute path of a program or library, or a glob. This or `library`."),
        part("library", Takes::Text, "A library's file name, as programs find it, or its absolute path."),
        part("symbol", Takes::Text, "The function's name, mangled or not. One of these four is needed."),
        part("glob", Takes::Text, "Functions whose whole demangled name matches."),
        part("regex", Takes::Text, "Functions in whose demangled name it matches."),
        part(
            "offset",
            Takes::Whole { min: 1, max: i64::MAX as u64 },
            "The function that begins at this offset of the file: for programs without symbols.",
        ),
        part(
            "on",
            Takes::Word(&["entry", "entry_and_return"]),
            "Whether returns are watched too, and with them how long each call takes; `entry` if left out.",
        ),
        part("provider", Takes::Text, "What events and metrics call the file; its name if left out."),
        part(
            "event",
            Takes::Word(&["event", "test_start", "test_end", "anomaly"]),
            "What a call is; `event` if left out. A start and an end need an argument that names the test.",
        ),
        part("event_type", Takes::Text, "The type of its events; a return's has `_return` behind it."),
        part("signal", Takes::Text, "The signal whose rate applies; it has a rate under `sampling`."),
        part(
            "args",
            Takes::Items(FUNCTION_ARGS),
            "The arguments in the function's order, at most 12, but for floating point ones; ROLE or ROLE:TYPE is short.",
        ),
        part("result", Takes::Item(FUNCTION_ARGS), "What it returns; with `on: entry_and_return`."),
        part("status", Takes::Words(STATUSES), "What the values of the status argument mean."),
        part(
            "never_unwinds",
            Takes::Switch,
            "Your word that no exception or panic leaves the functions. A program that it leaves through a watched return ends \
             at once, so that without it returns of C++ and Rust are not watched.",
        ),
    ],
    kinds: &[],
    example: "\
- library: libmydb.so.1
  symbol: mydb_query
  on: entry_and_return
  args:
    - ignore
    - {name: statement, type: string}
  result: {name: rows, type: i32}
- {file: /opt/tests/**, regex: '^checkout::.*_slow$', signal: traces}
",
};

/// What the argument of a function takes: the types of C, and where it is.
static FUNCTION_ARGS: &[Part] = &{
    let [role, _, name, unit, length, _] = ARGS;
    [
        *role,
        part(
            "type",
            Takes::Word(&["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "string", "bytes"]),
            "What it is; else the role says.",
        ),
        *name,
        *unit,
        *length,
        part(
            "at",
            Takes::Text,
            "Where it is: `arg2`, or behind a pointer, as in `*(arg1 + 32)` and `*(*(arg1 + 8) + 16)`; the argument at its \
             position if left out, and the result `result`.",
        ),
    ]
};

impl Loader<'_> {
    pub(super) fn function(&self, key: &str, node: &Node) -> Result<FunctionConfig, ConfigError> {
        let (mut file, mut library_name) = (None, None);
        let mut which = Vec::new();
        let mut function = FunctionConfig {
            at: self.at(node.line),
            place: FunctionPlace::File(String::new()),
            which: FunctionName::Offset(0),
            on: None,
            provider: None,
            event: None,
            event_type: None,
            signal: None,
            args: Vec::new(),
            result: None,
            status: Vec::new(),
            never_unwinds: false,
        };
        for Entry { key: name, line, node } in self.entries(key, node, &FUNCTION_KEYS)? {
            let dotted = format!("{key}.{name}");
            let text = || self.text(&dotted, node);
            match name.as_str() {
                "file" => file = Some(self.checked(&dotted, node, path_glob)?),
                "library" => library_name = Some(self.checked(&dotted, node, library)?),
                "symbol" => which.push(FunctionName::Symbol(text()?)),
                "glob" => which.push(FunctionName::Glob(text()?)),
                "regex" => which.push(FunctionName::Regex(text()?)),
                "offset" => {
                    let count = |value: &Scalar| value.count(1, i64::MAX as u64);
                    which.push(FunctionName::Offset(self.scalar(&dotted, node, count)?));
                }
                "on" => function.on = Some(text()?),
                "provider" => function.provider = Some(text()?),
                "event" => function.event = Some(text()?),
                "event_type" => function.event_type = Some(text()?),
                "signal" => function.signal = Some(text()?),
                "args" => {
                    let items = self.items(&dotted, *line, node)?.iter().enumerate();
                    let args =
                        items.map(|(i, item)| self.arg(&format!("{dotted}[{i}]"), item, &FUNCTION_ARG_KEYS));
                    function.args = args.collect::<Result<_, _>>()?;
                }
                "result" => function.result = Some(self.arg(&dotted, node, &FUNCTION_ARG_KEYS)?),
                "status" => function.status = self.statuses(&dotted, node)?,
                _ => function.never_unwinds = self.scalar(&dotted, node, Scalar::switch)?,
            }
        }
        let fault = |fault| self.fault(node.line, key, fault);
        function.place = match (file, library_name) {
            (Some(file), None) => FunctionPlace::File(file),
            (None, Some(name)) => FunctionPlace::Library(name),
            (None, None) | (Some(_), Some(_)) => return Err(fault(Fault::OneOf { keys: "file, library" })),
        };
        let one = which.pop().filter(|_| which.is_empty());
        function.which = one.ok_or_else(|| fault(Fault::OneOf { keys: "symbol, glob, regex, offset" }))?;
        Ok(function)
    }

    fn checked(
        &self,
        name: &str,
        node: &Node,
        check: fn(&str) -> Result<(), String>,
    ) -> Result<String, ConfigError> {
        let text = self.text(name, node)?;
        check(&text)
            .map_err(|problem| self.fault(node.line, name, Fault::Text { found: shown(&text), problem }))?;
        Ok(text)
    }
}

impl FunctionConfig {
    /// File and function, for people.
    pub(super) fn shown(&self) -> String {
        let place = match &self.place {
            FunctionPlace::File(place) | FunctionPlace::Library(place) => place,
            FunctionPlace::Any => "*",
        };
        match &self.which {
            FunctionName::Symbol(name) | FunctionName::Glob(name) => format!("{place}:{name}"),
            FunctionName::Regex(text) => format!("{place}:/{text}/"),
            FunctionName::Offset(offset) => format!("{place}:+{offset:#x}"),
        }
    }

    /// The entry as it could stand in the file. Where it stands is left out.
    pub(super) fn json(&self) -> Value {
        let status: Map<_, _> =
            self.status.iter().map(|(value, word)| (value.clone(), json!(word))).collect();
        let args: Vec<_> = self.args.iter().map(ArgConfig::json).collect();
        let word = |word: &Option<String>| word.as_ref().map(|word| json!(word));
        let (file, library) = match &self.place {
            FunctionPlace::File(file) => (Some(json!(file)), None),
            FunctionPlace::Library(name) => (None, Some(json!(name))),
            FunctionPlace::Any => (None, None),
        };
        let (which, value) = match &self.which {
            FunctionName::Symbol(name) => ("symbol", json!(name)),
            FunctionName::Glob(glob) => ("glob", json!(glob)),
            FunctionName::Regex(regex) => ("regex", json!(regex)),
            FunctionName::Offset(offset) => ("offset", json!(offset)),
        };
        object([
            ("file", file),
            ("library", library),
            (which, Some(value)),
            ("on", word(&self.on)),
            ("provider", word(&self.provider)),
            ("event", word(&self.event)),
            ("event_type", word(&self.event_type)),
            ("signal", word(&self.signal)),
            ("args", Some(json!(args)).filter(|_| !args.is_empty())),
            ("result", self.result.as_ref().map(ArgConfig::json)),
            ("status", Some(Value::Object(status)).filter(|_| !self.status.is_empty())),
            ("never_unwinds", Some(json!(true)).filter(|_| self.never_unwinds)),
        ])
    }
}

#[cfg(test)]
#[path = "functions_tests.rs"]
mod tests;
