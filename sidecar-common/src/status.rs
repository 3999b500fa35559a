//! The outcome of a test, as markers carry it and counters index it.

/// The outcome of a test. The numbers are the ABI of the `sidecar` markers' `status` argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Status {
    /// No status, or one that no mapping knows.
    Unknown = 0,
    /// The test passed.
    Passed = 1,
    /// An assertion failed.
    Failed = 2,
    /// The test was not run.
    Skipped = 3,
    /// The test could not be run to its end (set-up, infrastructure).
    Error = 4,
    /// The test ran past its time limit.
    Timeout = 5,
    /// The test's process died, or the run was cancelled.
    Aborted = 6,
    /// The test failed and was expected to.
    Xfail = 7,
    /// The test passed and was expected to fail.
    Xpass = 8,
}

impl Status {
    /// Number of statuses; counters are arrays of this length.
    pub const COUNT: usize = 9;

    /// Every status in the order of its number.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Unknown,
        Self::Passed,
        Self::Failed,
        Self::Skipped,
        Self::Error,
        Self::Timeout,
        Self::Aborted,
        Self::Xfail,
        Self::Xpass,
    ];

    /// The status of a number; numbers outside the range are [`Status::Unknown`].
    #[inline(always)]
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        if number < Self::COUNT as u64 { Self::ALL[number as usize] } else { Self::Unknown }
    }

    /// The word used in events, metrics and config.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Error => "error",
            Self::Timeout => "timeout",
            Self::Aborted => "aborted",
            Self::Xfail => "xfail",
            Self::Xpass => "xpass",
        }
    }

    /// The status of a word, if it is one.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether the test went wrong: failed, error, timeout or aborted.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Error | Self::Timeout | Self::Aborted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_go_both_ways() {
        for (number, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!(status as usize, number);
            assert_eq!(Status::from_number(number as u64), status);
            assert_eq!(Status::from_name(status.name()), Some(status));
        }
        assert_eq!(Status::from_number(9), Status::Unknown);
        assert_eq!(Status::from_number(u64::MAX), Status::Unknown);
        assert_eq!(Status::from_name("flaky"), None);
    }
}
