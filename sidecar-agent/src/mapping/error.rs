//! What can be wrong with a mapping of the configuration.

use crate::config::Source;

/// A mapping that can't be used, with its place and key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {key}: {problem}")]
pub struct MappingError {
    /// Where the probe stands.
    pub at: Source,
    /// The dotted key, as in `probes[2].args[0].length`.
    pub key: String,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with one key of a mapping.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A word that is none of those known.
    #[error("unknown word `{word}`; did you mean `{nearest}`? Known: {known}")]
    UnknownWord {
        /// The word found.
        word: String,
        /// The known word that is most like it.
        nearest: String,
        /// All known words.
        known: String,
    },
    /// An empty or overlong text, or one with a character that no marker has.
    #[error("wants 1 to {most} printable characters without blanks")]
    Text {
        /// Most characters.
        most: usize,
    },
    /// More arguments than a marker can have.
    #[error("has {found} arguments; a marker has at most {most}")]
    TooManyArgs {
        /// Arguments found.
        found: usize,
        /// Most arguments.
        most: usize,
    },
    /// A role that only one argument can have.
    #[error("argument {first} has the role `{role}` already; only data, json, plain and ignore occur twice")]
    RoleTwice {
        /// The role's word.
        role: &'static str,
        /// Position of the first argument with the role.
        first: usize,
    },
    /// A name that the event's data keeps for itself.
    #[error("names that begin with `_` are kept for what could not be read")]
    ReservedName,
    /// Two arguments of one name.
    #[error("argument {first} has the name `{name}` already")]
    NameTwice {
        /// The name.
        name: String,
        /// Position of the first argument with the name.
        first: usize,
    },
    /// A type that the role can't have.
    #[error("the role `{role}` wants the type {wants}")]
    Kind {
        /// The role's word.
        role: &'static str,
        /// The types that it can have.
        wants: &'static str,
    },
    /// A key that says nothing here.
    #[error("has no effect here: it goes with {goes_with}")]
    NoEffect {
        /// What the key goes with.
        goes_with: &'static str,
    },
    /// Bytes without a length.
    #[error("the type bytes wants `length`: the position of the argument that holds their number")]
    NoLength,
    /// A length that is no argument's position, or not that of an integer.
    #[error("wants the position (0 to {last}) of another argument of type integer")]
    Length {
        /// The last position.
        last: usize,
    },
    /// A test's start or end without a test.
    #[error("wants an argument of the role test_id, test_name or attempt_id")]
    NoTest,
    /// More values than the kernel's table has rows.
    #[error("has {found} values; at most {most} are possible")]
    TooManyStatuses {
        /// Values found.
        found: usize,
        /// Most values.
        most: usize,
    },
    /// A value that occurs twice.
    #[error("the value occurs twice")]
    StatusTwice,
    /// A value that is not of the status argument's type.
    #[error("the status argument is {is}, so this wants {wants}")]
    StatusValue {
        /// The argument's type.
        is: &'static str,
        /// What the value should be.
        wants: &'static str,
    },
    /// Status values that are words need a table.
    #[error("the status argument is a string, so `status` must say which word means which status")]
    NoStatusTable,
    /// A text that says no argument's place.
    #[error(
        "`{found}` is no place here; as in arg2, *(arg1 + 32), *(*(arg1 + 8) + 16), and for the result in result"
    )]
    Place {
        /// The text found.
        found: String,
    },
    /// A start or an end of a test at a function that returns.
    #[error(
        "a test's start or end, or an anomaly, goes with `on: entry`: an event for each return would be another"
    )]
    EntryOnly,
    /// A result that claims what is measured.
    #[error("the duration of a call is measured: neither role nor name of the result can be `duration`")]
    Measured,
    /// A pattern that can't be used.
    #[error("{0}")]
    Pattern(String),
    /// Two probes for one marker.
    #[error("{provider}:{marker} is mapped by probes[{first}] already")]
    MarkerTwice {
        /// The provider.
        provider: String,
        /// The marker.
        marker: String,
        /// Index of the first probe for it.
        first: usize,
    },
}
