//! Where a configuration is wrong, in parts: what the check, the API and health tell to programs.

use std::path::Path;

use serde::Serialize;

use super::{Change, ConfigError, Source};

/// Where a configuration is wrong, and why. What is not known is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The line's column, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The environment variable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<&'static str>,
    /// The flag of the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flag: Option<&'static str>,
    /// The dotted key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What is wrong there.
    pub reason: String,
}

impl Place {
    /// A value that can't be used.
    #[must_use]
    pub fn of_value(at: &Source, key: &str, reason: impl Into<String>) -> Self {
        let place = Self { key: Some(key.to_owned()), reason: reason.into(), ..Self::default() };
        match at {
            Source::Default => place,
            Source::File { file, line } => Self { file: Some(file.to_string()), line: Some(*line), ..place },
            Source::Env(name) => Self { variable: Some(name), ..place },
            Source::Flag(name) => Self { flag: Some(name), ..place },
        }
    }

    /// A change that a running agent can't make.
    #[must_use]
    pub fn of_change(change: &Change) -> Self {
        Self::of_value(&change.at, &change.key, format!("needs a restart: {}", change.why))
    }

    fn of_file(path: &Path, reason: impl Into<String>) -> Self {
        Self { file: Some(path.display().to_string()), reason: reason.into(), ..Self::default() }
    }
}

impl ConfigError {
    /// The parts of it.
    #[must_use]
    pub fn place(&self) -> Place {
        match self {
            Self::Unreadable { path, error } => Place::of_file(path, error.to_string()),
            Self::TooLong { path, most } => Place::of_file(path, format!("longer than {most} bytes")),
            Self::NotText { path, what } => Place::of_file(path, *what),
            Self::NotYaml { file, line, column, what } => Place {
                line: (*line > 0).then_some(*line),
                column: (*column > 0).then_some(*column),
                ..Place::of_file(Path::new(file), what.clone())
            },
            Self::NoSection { file, .. } => Place::of_file(Path::new(file), "no section of sidecar"),
            Self::Value { at, key, fault } => Place::of_value(at, key, fault.to_string()),
        }
    }
}
