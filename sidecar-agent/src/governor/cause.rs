//! Why a step was taken, and the record of it.

use std::fmt;

use serde::Serialize;

use super::Level;

/// What a budget is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resource {
    /// Time on processors.
    Cpu,
    /// Memory.
    Memory,
}

impl Resource {
    /// The word in metrics and health.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
        }
    }
}

/// Why the ladder is where it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Cause {
    /// Nothing has happened yet.
    Start,
    /// More time on processors than the budget.
    OverCpu {
        /// Percent of one core, as measured.
        percent: f64,
        /// Percent of one core, as allowed.
        budget: f64,
    },
    /// More memory than the budget.
    OverMemory {
        /// Bytes, as measured.
        bytes: u64,
        /// Bytes, as allowed.
        budget: u64,
    },
    /// Clearly within the budget for a while.
    Calm,
    /// Just within the budget for long: a try.
    Try,
    /// The budget or the switch was changed.
    Reset,
}

impl Cause {
    /// What was over its budget.
    #[must_use]
    pub const fn resource(&self) -> Option<Resource> {
        match self {
            Self::OverCpu { .. } => Some(Resource::Cpu),
            Self::OverMemory { .. } => Some(Resource::Memory),
            Self::Start | Self::Calm | Self::Try | Self::Reset => None,
        }
    }

    /// The word in metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::OverCpu { .. } => "over_cpu",
            Self::OverMemory { .. } => "over_memory",
            Self::Calm => "calm",
            Self::Try => "try",
            Self::Reset => "reset",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("no reason to give anything up so far"),
            Self::OverCpu { percent, budget } => {
                write!(f, "the agent takes {percent:.1} % of a core, its budget is {budget} %")
            }
            Self::OverMemory { bytes, budget } => {
                let (bytes, budget) = (*bytes as f64 / 1e6, *budget as f64 / 1e6);
                write!(f, "the agent takes {bytes:.1} MB, its budget is {budget} MB")
            }
            Self::Calm => f.write_str("clearly within the budget again"),
            Self::Try => f.write_str("within the budget for long; tried whether there is room for more"),
            Self::Reset => f.write_str("the budget was changed"),
        }
    }
}

/// A step that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Transition {
    /// When, in nanoseconds of CLOCK_MONOTONIC.
    pub at_ns: u64,
    /// From which step.
    pub from: Level,
    /// To which.
    pub to: Level,
    /// Why.
    pub cause: Cause,
}

impl Transition {
    /// Whether it gives something up.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.to > self.from
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}: {}", self.from.name(), self.to.name(), self.cause)
    }
}
