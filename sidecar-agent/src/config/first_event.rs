//! Whether programs wait for their probes.

/// What is done so that no event of a program passes before its probes are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstEvent {
    /// Programs are looked at while they run already.
    BestEffort,
    /// Programs are held until their probes are on, or until the deadline.
    Guarantee,
}

impl FirstEvent {
    /// Each, with the default first.
    pub const ALL: [Self; 2] = [Self::BestEffort, Self::Guarantee];

    /// The word of the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::BestEffort => "best_effort",
            Self::Guarantee => "guarantee",
        }
    }

    /// The one with this word.
    pub(super) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|which| which.name() == word)
    }
}
