//! The shape of the answers.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::sinks::QueueStats;

/// How well something works, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should.
    Healthy,
    /// Something is missing or lost; the agent goes on.
    Degraded,
    /// The agent does not do its work.
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
}

impl Component {
    /// A component that works.
    #[must_use]
    pub fn healthy(message: impl Into<String>) -> Self {
        Self::new(Level::Healthy, message)
    }

    /// A component that works in part.
    #[must_use]
    pub fn degraded(message: impl Into<String>) -> Self {
        Self::new(Level::Degraded, message)
    }

    /// A component that does not work.
    #[must_use]
    pub fn unhealthy(message: impl Into<String>) -> Self {
        Self::new(Level::Unhealthy, message)
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

    fn new(status: Level, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), numbers: BTreeMap::new() }
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
        let runtime = ("runtime".to_owned(), Component::unhealthy("it does not run; start it"));
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
