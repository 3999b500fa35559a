//! Which events a subscriber wants.

use globset::{GlobBuilder, GlobMatcher};
use sidecar_common::Status;

use crate::config::nearest;
use crate::event::Event;

/// Most values of one key.
const MOST_VALUES: usize = 32;
/// Longest value, in bytes.
const LONGEST_VALUE: usize = 1024;
/// The keys of a filter.
const KEYS: [&str; 5] = ["event_type", "status", "signal", "provider", "test_id"];

/// Why a filter can't be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// There is no such key.
    #[error("there is no filter `{key}`")]
    UnknownKey {
        /// The key.
        key: String,
        /// What to do.
        hint: String,
    },
    /// There is no such status.
    #[error("there is no status `{status}`")]
    UnknownStatus {
        /// The word.
        status: String,
        /// What to do.
        hint: String,
    },
    /// The pattern is no glob.
    #[error("`{pattern}` is no pattern: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why not.
        reason: String,
    },
    /// A key has too many values or a value is too long.
    #[error("`{key}` takes at most {MOST_VALUES} values of {LONGEST_VALUE} bytes each")]
    TooMuch {
        /// The key.
        key: String,
    },
    /// A key has no value.
    #[error("`{key}` has no value")]
    Empty {
        /// The key.
        key: String,
    },
}

impl FilterError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::UnknownKey { hint, .. } | Self::UnknownStatus { hint, .. } => hint.clone(),
            Self::Pattern { .. } => {
                "* stands for any text, ? for one character, [ab] for one of them; \\[ is a bracket"
                    .to_owned()
            }
            Self::TooMuch { .. } => "ask for less, or filter what arrives".to_owned(),
            Self::Empty { .. } => "leave it out to get everything".to_owned(),
        }
    }
}

/// Conditions that an event has to meet, all of them; of the values of one condition, any.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    event_types: Vec<String>,
    statuses: Vec<Status>,
    signals: Vec<String>,
    providers: Vec<String>,
    test_ids: Vec<GlobMatcher>,
}

impl Filter {
    /// A filter of keys and values. A value is a list with commas; a key may come more than once.
    ///
    /// # Errors
    /// See [`FilterError`].
    pub fn of<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, FilterError> {
        let mut filter = Self::default();
        for (key, list) in pairs {
            for value in list.split(',').map(str::trim).filter(|value| !value.is_empty()) {
                filter.add(key, value)?;
            }
            if !KEYS.contains(&key) {
                return Err(unknown_key(key));
            }
            if list.split(',').all(|value| value.trim().is_empty()) {
                return Err(FilterError::Empty { key: key.to_owned() });
            }
        }
        Ok(filter)
    }

    fn add(&mut self, key: &str, value: &str) -> Result<(), FilterError> {
        let room = |len: usize| {
            let fits = len < MOST_VALUES && value.len() <= LONGEST_VALUE;
            fits.then_some(()).ok_or_else(|| FilterError::TooMuch { key: key.to_owned() })
        };
        match key {
            "event_type" => {
                room(self.event_types.len())?;
                self.event_types.push(value.to_owned());
            }
            "status" => {
                room(self.statuses.len())?;
                self.statuses.push(status(value)?);
            }
            "signal" => {
                room(self.signals.len())?;
                self.signals.push(value.to_owned());
            }
            "provider" => {
                room(self.providers.len())?;
                self.providers.push(value.to_owned());
            }
            "test_id" => {
                room(self.test_ids.len())?;
                let glob = GlobBuilder::new(value).build().map_err(|error| FilterError::Pattern {
                    pattern: value.to_owned(),
                    reason: error.kind().to_string(),
                })?;
                self.test_ids.push(glob.compile_matcher());
            }
            _ => return Err(unknown_key(key)),
        }
        Ok(())
    }

    /// Whether an event meets every condition.
    #[must_use]
    pub fn passes(&self, event: &Event) -> bool {
        let is =
            |wanted: &[String], value: &str| wanted.is_empty() || wanted.iter().any(|word| word == value);
        let status =
            || self.statuses.is_empty() || event.status.is_some_and(|status| self.statuses.contains(&status));
        let test = || {
            let matches = |id: &str| self.test_ids.iter().any(|glob| glob.is_match(id));
            self.test_ids.is_empty() || event.test_id.as_deref().is_some_and(matches)
        };
        is(&self.event_types, &event.event_type)
            && status()
            && is(&self.signals, &event.signal)
            && is(&self.providers, &event.provider)
            && test()
    }
}

fn unknown_key(key: &str) -> FilterError {
    let hint = match nearest(key, KEYS.into_iter()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("there are {}", KEYS.join(", ")),
    };
    FilterError::UnknownKey { key: key.chars().take(64).collect(), hint }
}

fn status(word: &str) -> Result<Status, FilterError> {
    Status::from_name(word).ok_or_else(|| {
        let words = Status::ALL.map(Status::name);
        FilterError::UnknownStatus {
            status: word.chars().take(64).collect(),
            hint: format!("there are {}", words.join(", ")),
        }
    })
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
