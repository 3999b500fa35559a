//! What can be wrong with a configuration.

use std::path::PathBuf;

use super::Source;

/// The exit status for a configuration that can't be used, as sysexits.h has it.
pub const EX_CONFIG: u8 = 78;

/// A configuration that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be opened or read.
    #[error("cannot read the configuration {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is longer than a configuration is.
    #[error("the configuration {} is longer than {most} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Most bytes.
        most: u64,
    },
    /// The file is no regular file, or not UTF-8.
    #[error("the configuration {} is {what}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// What it is.
        what: &'static str,
    },
    /// The text is not YAML.
    #[error("{}: not YAML that can be used: {what}", at(file, *line, *column))]
    NotYaml {
        /// The file.
        file: String,
        /// The line, from 1; 0 if it is not known.
        line: u32,
        /// The column, from 1; 0 if it is not known.
        column: u32,
        /// What is wrong there.
        what: String,
    },
    /// The file has no section for this program.
    #[error(
        "{file} has neither a section `runtime.sidecar` nor `sidecar`, and its top level is not such a section \
         (which would have some of: {known}); its keys are: {found}"
    )]
    NoSection {
        /// The file.
        file: String,
        /// The keys that the section has.
        known: String,
        /// The keys found.
        found: String,
    },
    /// A value that can't be used.
    #[error("{at}: {key}: {fault}")]
    Value {
        /// Where it stands.
        at: Source,
        /// The dotted key.
        key: String,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// A place in a file, as far as it is known.
fn at(file: &str, line: u32, column: u32) -> String {
    match (line, column) {
        (0, _) => file.to_owned(),
        (_, 0) => format!("{file}:{line}"),
        (_, _) => format!("{file}:{line}:{column}"),
    }
}

/// What is wrong with one key or its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A key that is not known.
    #[error("unknown key; did you mean `{nearest}`?")]
    UnknownKey {
        /// The known key that is most like it.
        nearest: String,
    },
    /// A key of the sidecar that this one follows, which has another name here.
    #[error("renamed: {to}")]
    Renamed {
        /// The name here.
        to: String,
    },
    /// A key of the sidecar that this one follows, for which there is none here.
    #[error("is no key here: {why}")]
    Gone {
        /// What there is instead.
        why: &'static str,
    },
    /// The key `<<`.
    #[error("merge keys are not read; write the keys out, or give a whole value an alias")]
    MergeKey,
    /// An environment variable that is not UTF-8.
    #[error("its value is not UTF-8")]
    NotUtf8,
    /// A key that occurs twice in one mapping.
    #[error("the key stands in line {first} already")]
    Duplicate {
        /// The line of the first.
        first: u32,
    },
    /// A value of the wrong type.
    #[error("wants {wants}, not {found}")]
    Type {
        /// What is wanted.
        wants: String,
        /// What was found.
        found: String,
    },
    /// A number out of its range.
    #[error("{found} is out of range: wants {range}")]
    Range {
        /// The number found.
        found: String,
        /// The range.
        range: String,
    },
    /// A text that can't be used.
    #[error("`{found}` {problem}")]
    Text {
        /// The text.
        found: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A key that must be there.
    #[error("the key `{key}` is missing")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// Not one of several keys, or more than one of them.
    #[error("wants exactly one of {keys}")]
    OneOf {
        /// The keys.
        keys: &'static str,
    },
    /// A variable without a value and without a default.
    #[error(
        "the environment variable {name} is not set (or not UTF-8); set it, or write a default as in ${{{name}:-value}}"
    )]
    Unset {
        /// The variable.
        name: String,
    },
    /// A `${` that is not closed, or holds no name.
    #[error("wants ${{NAME}} or ${{NAME:-default}} (and $$ for a dollar sign), not `{found}`")]
    Expansion {
        /// The text from the dollar sign on.
        found: String,
    },
    /// A default that holds a `${` of its own.
    #[error("a default can't hold another ${{...}}; give each variable a default of its own")]
    NestedDefault,
    /// A user's signal whose name is too like another key.
    #[error("is too like `{nearest}` to be a signal of its own; correct it, or choose another name")]
    NearMiss {
        /// The key that it is like.
        nearest: String,
    },
    /// More signals than the kernel has rates for.
    #[error("is one signal too many: {most} are possible, the built-in ones included")]
    TooManySignals {
        /// Most signals.
        most: usize,
    },
    /// A probe names a signal that has no rate.
    #[error("no signal `{found}`; give it a rate under `sampling`, or did you mean `{nearest}`?")]
    NoSignal {
        /// The name found.
        found: String,
        /// The signal that is most like it.
        nearest: String,
    },
}
