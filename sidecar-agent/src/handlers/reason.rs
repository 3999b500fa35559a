//! Why a handler did not handle an event: a closed set, whose names are labels of metrics.

use serde::{Serialize, Serializer};

/// Why an event was not handled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// The queue was full, and this was its oldest event.
    QueueFullOldest,
    /// The queue was full, and this event was refused.
    QueueFullNewest,
    /// More than the handler's rate allows.
    RateLimited,
    /// More waited for the server than the spool holds.
    SpoolFull,
    /// It took longer than the handler's timeout.
    Timeout,
    /// The program ended with a status other than 0, or by a signal.
    ExitStatus,
    /// The program could not be started.
    SpawnFailed,
    /// The server answered that it does not take the event.
    HttpStatus,
    /// There was no connection to the server, or no HTTP over it.
    Unreachable,
    /// The file could not be written.
    WriteFailed,
    /// The function gave an error.
    FunctionFailed,
    /// The function panicked.
    Panicked,
    /// It waited when the handler was ended.
    Shutdown,
}

impl Reason {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 13] = [
        Self::QueueFullOldest,
        Self::QueueFullNewest,
        Self::RateLimited,
        Self::SpoolFull,
        Self::Timeout,
        Self::ExitStatus,
        Self::SpawnFailed,
        Self::HttpStatus,
        Self::Unreachable,
        Self::WriteFailed,
        Self::FunctionFailed,
        Self::Panicked,
        Self::Shutdown,
    ];

    /// The word for metrics, health and logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFullOldest => "queue_full_oldest",
            Self::QueueFullNewest => "queue_full_newest",
            Self::RateLimited => "rate_limited",
            Self::SpoolFull => "spool_full",
            Self::Timeout => "timeout",
            Self::ExitStatus => "exit_status",
            Self::SpawnFailed => "spawn_failed",
            Self::HttpStatus => "http_status",
            Self::Unreachable => "unreachable",
            Self::WriteFailed => "write_failed",
            Self::FunctionFailed => "function_failed",
            Self::Panicked => "panicked",
            Self::Shutdown => "shutdown",
        }
    }

    /// Whether the event was dropped before anything was tried; else the handler tried it and failed.
    #[must_use]
    pub const fn is_drop(self) -> bool {
        match self {
            Self::QueueFullOldest
            | Self::QueueFullNewest
            | Self::RateLimited
            | Self::SpoolFull
            | Self::Shutdown => true,
            Self::Timeout
            | Self::ExitStatus
            | Self::SpawnFailed
            | Self::HttpStatus
            | Self::Unreachable
            | Self::WriteFailed
            | Self::FunctionFailed
            | Self::Panicked => false,
        }
    }
}

impl Serialize for Reason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_complete_and_in_order() {
        for (position, reason) in Reason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, position, "{}", reason.name());
        }
    }
}
