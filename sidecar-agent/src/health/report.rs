//! The shape of the answers.

use std::collections::BTreeMap;
use std::fmt::Display;

use serde::Serialize;

use super::states::{RUNTIME_STOPPED, State};
use crate::config::Place;
use crate::sinks::QueueStats;

/// How well something works, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should.
    Healthy,
    /// Something is missing or lost; the agent goes on.
    Degraded,
    /// A part of the agent's work is not done, and only a restart brings it back.
    Unhealthy,
}

/// A figure of a component.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Number {
    /// A count.
    Count(u64),
    /// A measure.
    Measure(f64),
}

/// The state of one component.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Component {
    /// How well it works.
    pub status: Level,
    /// Why, in a sentence a person can act on.
    pub message: String,
    /// Figures, beside `status` and `message` in the answer.
    #[serde(flatten)]
    pub numbers: BTreeMap<&'static str, Number>,
    /// Where the configuration is wrong, if that is the trouble.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<Box<Place>>,
}

impl Component {
    /// In this state.
    pub(super) fn of(state: &State) -> Self {
        Self::says(state.level, state.text.to_owned())
    }

    /// In this state, with details.
    pub(super) fn with(state: &State, details: impl Display) -> Self {
        Self::says(state.level, format!("{}: {details}", state.text))
    }

    /// With a message of its own.
    pub(super) fn says(status: Level, message: String) -> Self {
        Self { status, message, numbers: BTreeMap::new(), fault: None }
    }

    /// With one more count.
    #[must_use]
    pub fn count(mut self, name: &'static str, value: u64) -> Self {
        self.numbers.insert(name, Number::Count(value));
        self
    }

    /// With one more measure.
    #[must_use]
    pub fn measure(mut self, name: &'static str, value: f64) -> Self {
        self.numbers.insert(name, Number::Measure(value));
        self
    }
}

#[cfg(test)]
impl Component {
    /// One that no agent has, for tests of what shows components.
    pub(crate) fn made_up(status: Level, message: &str) -> Self {
        Self::says(status, message.to_owned())
    }
}

/// What the agent itself uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Resources {
    /// User and system time since the start, in seconds.
    pub cpu_seconds: f64,
    /// Memory in RAM, in bytes.
    pub rss_bytes: u64,
    /// Percent of one core at the last measurement, its BPF programs included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<f64>,
    /// Memory in RAM and in the kernel's maps at the last measurement, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

/// The answer of `/health`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The worst of the components.
    pub status: Level,
    /// Time since the start, in seconds.
    pub uptime_seconds: f64,
    /// The components by name.
    pub components: BTreeMap<String, Component>,
    /// The agent's queue, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueStats>,
    /// What the agent uses, once known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
}

impl Report {
    /// That of an agent that does not run.
    #[must_use]
    pub fn stopped() -> Self {
        let runtime = (RUNTIME_STOPPED.component.to_owned(), Component::of(&RUNTIME_STOPPED));
        Self {
            status: Level::Unhealthy,
            uptime_seconds: 0.0,
            components: [runtime].into(),
            queue: None,
            resources: None,
        }
    }
}

/// One step of the start-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// It is complete.
    pub done: bool,
    /// What it waits for, or how it went.
    pub note: String,
}
