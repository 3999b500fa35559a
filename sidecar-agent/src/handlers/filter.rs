//! Which events a handler is given.

use globset::{Glob, GlobMatcher};
use sidecar_common::Status;

use crate::config::When;
use crate::event::Event;

/// Conditions on an event; all of them must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Empty: every type.
    types: Vec<String>,
    /// Empty: every status, also none.
    status: Vec<Status>,
    provider: Option<GlobMatcher>,
    suite: Option<GlobMatcher>,
    test_id: Option<GlobMatcher>,
    signal: Option<GlobMatcher>,
    min_duration_ns: Option<u64>,
}

impl Filter {
    /// Every event.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Events of these types; of any type if there are none.
    pub fn types<T: Into<String>>(types: impl IntoIterator<Item = T>) -> Self {
        Self { types: types.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Events of these types (any if there are none) that fulfil a condition.
    ///
    /// # Errors
    /// A text of the condition is no glob.
    pub fn new(types: &[String], when: &When) -> Result<Self, globset::Error> {
        let glob = |glob: &Option<String>| {
            glob.as_deref().map(|glob| Glob::new(glob).map(|glob| glob.compile_matcher())).transpose()
        };
        Ok(Self {
            types: types.to_vec(),
            status: when.status.clone(),
            provider: glob(&when.provider)?,
            suite: glob(&when.suite)?,
            test_id: glob(&when.test_id)?,
            signal: glob(&when.signal)?,
            // Rounded, because 0.1 ms is not a whole number in binary.
            min_duration_ns: when.min_duration_ms.map(|ms| (ms * 1e6).round() as u64),
        })
    }

    /// Whether the event is one of them.
    #[must_use]
    pub fn matches(&self, event: &Event) -> bool {
        (self.types.is_empty() || self.types.iter().any(|known| **known == *event.event_type))
            && (self.status.is_empty() || event.status.is_some_and(|status| self.status.contains(&status)))
            && self.min_duration_ns.is_none_or(|least| event.duration_ns.is_some_and(|ns| ns >= least))
            && fits(self.signal.as_ref(), Some(&event.signal))
            && fits(self.provider.as_ref(), Some(&event.provider))
            && fits(self.suite.as_ref(), event.suite.as_deref())
            && fits(self.test_id.as_ref(), event.test_id.as_deref())
    }
}

fn fits(glob: Option<&GlobMatcher>, text: Option<&str>) -> bool {
    glob.is_none_or(|glob| text.is_some_and(|text| glob.is_match(text)))
}
