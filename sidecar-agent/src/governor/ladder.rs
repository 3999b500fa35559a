//! The steps, from everything to nothing.

use serde::Serialize;

/// A step of the ladder. Failures and exact counts survive every step but the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Rates as configured.
    #[default]
    Full,
    /// Half of them.
    Half,
    /// A quarter.
    Quarter,
    /// An eighth.
    Eighth,
    /// A sixteenth, and records carry no messages and data.
    NoPayloads,
    /// Only failures are kept, without messages and data; the rest is counted.
    CountOnly,
    /// No probe is attached.
    Detached,
}

impl Level {
    /// Every step, from the top.
    pub const ALL: [Self; 7] = [
        Self::Full,
        Self::Half,
        Self::Quarter,
        Self::Eighth,
        Self::NoPayloads,
        Self::CountOnly,
        Self::Detached,
    ];

    /// The word in metrics, health and the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Half => "half",
            Self::Quarter => "quarter",
            Self::Eighth => "eighth",
            Self::NoPayloads => "no_payloads",
            Self::CountOnly => "count_only",
            Self::Detached => "detached",
        }
    }

    /// Steps below the top.
    #[must_use]
    pub const fn depth(self) -> u8 {
        self as u8
    }

    /// What rates are multiplied by.
    #[must_use]
    pub const fn rate_factor(self) -> f64 {
        match self {
            Self::Full => 1.0,
            Self::Half => 0.5,
            Self::Quarter => 0.25,
            Self::Eighth => 0.125,
            Self::NoPayloads => 0.0625,
            Self::CountOnly | Self::Detached => 0.0,
        }
    }

    /// Whether records carry messages and data.
    #[must_use]
    pub const fn payloads(self) -> bool {
        match self {
            Self::Full | Self::Half | Self::Quarter | Self::Eighth => true,
            Self::NoPayloads | Self::CountOnly | Self::Detached => false,
        }
    }

    /// Whether probes are attached.
    #[must_use]
    pub const fn attached(self) -> bool {
        match self {
            Self::Full | Self::Half | Self::Quarter | Self::Eighth | Self::NoPayloads | Self::CountOnly => {
                true
            }
            Self::Detached => false,
        }
    }

    /// The step above, if there is one.
    #[must_use]
    pub fn up(self) -> Option<Self> {
        Self::ALL.get(usize::from(self.depth()).checked_sub(1)?).copied()
    }

    /// The step that is to come when the cost is `ratio` times the budget. Each halving of the rates is taken for a
    /// halving of the cost, so a flood does not take the steps one by one; but the steps that lose more than
    /// detail of passed tests are only ever taken from the step before.
    #[must_use]
    pub fn down(self, ratio: f64) -> Self {
        let at = usize::from(self.depth());
        let deepest = if self < Self::NoPayloads { usize::from(Self::NoPayloads.depth()) } else { at + 1 };
        let mut steps = 1;
        while steps < Self::ALL.len() && ratio > f64::from(1u32 << steps) {
            steps += 1;
        }
        Self::ALL.get((at + steps).min(deepest)).copied().unwrap_or(Self::Detached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_down_keeps_less_and_each_step_up_is_the_one_above() {
        for (i, level) in Level::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(level.depth()), i);
            assert_eq!(level.up(), i.checked_sub(1).map(|above| Level::ALL[above]));
            if let Some(above) = level.up() {
                assert!(level.rate_factor() <= above.rate_factor());
                assert!(!level.payloads() || above.payloads());
                assert!(!level.attached() || above.attached());
                assert_eq!(above.down(1.1), level);
            }
        }
        assert_eq!(Level::Detached.down(100.0), Level::Detached);
    }

    #[test]
    fn far_over_the_budget_steps_are_skipped_but_never_into_the_last_two() {
        assert_eq!(Level::Full.down(2.0), Level::Half);
        assert_eq!(Level::Full.down(2.1), Level::Quarter);
        assert_eq!(Level::Full.down(8.0), Level::Eighth);
        assert_eq!(Level::Full.down(1e9), Level::NoPayloads);
        assert_eq!(Level::Eighth.down(f64::INFINITY), Level::NoPayloads);
        assert_eq!(Level::NoPayloads.down(64.0), Level::CountOnly);
        assert_eq!(Level::CountOnly.down(64.0), Level::Detached);
        assert_eq!(Level::Full.down(f64::NAN), Level::Half);
    }
}
