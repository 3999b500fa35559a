//! What the gate counts.

use std::time::Duration;

/// Counts since the gate began.
///
/// `events = own + unwatched + known + held + overload + stalled`, and
/// `held = answered + expired + released + (still held)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GateStats {
    /// Questions of the kernel.
    pub events: u64,
    /// Let go at once: asked for the agent or the gate itself.
    pub own: u64,
    /// Let go at once: the process is not in the watched tree.
    pub unwatched: u64,
    /// Let go at once: the agent has answered for this very image before.
    pub known: u64,
    /// Held until an answer or the deadline.
    pub held: u64,
    /// Held, and let go by the agent's answer (or killed before it came; the kernel does not tell).
    pub answered: u64,
    /// Held, and let go by the deadline: the first events of these may be missing.
    pub expired: u64,
    /// Held, and let go because the gate was shut down.
    pub released: u64,
    /// Let go at once: too many were held, or the agent's socket was full. First events may be missing.
    pub overload: u64,
    /// Let go at once: the agent had missed a deadline and said nothing since. First events may be missing.
    pub stalled: u64,
    /// Times the kernel's own queue overflowed; it lets go what does not fit. First events may be missing.
    pub overflows: u64,
    /// The longest hold in nanoseconds.
    pub max_hold_ns: u64,
}

impl GateStats {
    /// Number of counts.
    pub(super) const FIELDS: usize = 12;

    /// Whether every exec of the tree that the gate saw waited for its probes.
    #[must_use]
    pub fn guaranteed(&self) -> bool {
        self.expired == 0 && self.overload == 0 && self.stalled == 0 && self.overflows == 0
    }

    /// The longest hold.
    #[must_use]
    pub fn max_hold(&self) -> Duration {
        Duration::from_nanos(self.max_hold_ns)
    }

    /// The counts in the order of their declaration.
    pub(super) fn to_array(self) -> [u64; Self::FIELDS] {
        let Self { events, own, unwatched, known, held, answered, expired, .. } = self;
        let Self { released, overload, stalled, overflows, max_hold_ns, .. } = self;
        [
            events,
            own,
            unwatched,
            known,
            held,
            answered,
            expired,
            released,
            overload,
            stalled,
            overflows,
            max_hold_ns,
        ]
    }

    /// The reverse of [`GateStats::to_array`].
    pub(super) fn from_array(counts: [u64; Self::FIELDS]) -> Self {
        let [events, own, unwatched, known, held, answered, expired, rest @ ..] = counts;
        let [released, overload, stalled, overflows, max_hold_ns] = rest;
        Self {
            events,
            own,
            unwatched,
            known,
            held,
            answered,
            expired,
            released,
            overload,
            stalled,
            overflows,
            max_hold_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_go_through_the_array_unchanged() {
        let mut counts = [0; GateStats::FIELDS];
        for (count, value) in counts.iter_mut().zip(1..) {
            *count = value;
        }
        let stats = GateStats::from_array(counts);
        assert_eq!((stats.events, stats.max_hold_ns), (1, 12));
        assert_eq!(stats.to_array(), counts);
    }

    #[test]
    fn only_an_unheld_start_breaks_the_guarantee() {
        let whole = GateStats { events: 9, held: 5, answered: 5, known: 4, ..GateStats::default() };
        assert!(whole.guaranteed());
        for broken in [
            GateStats { expired: 1, ..whole },
            GateStats { overload: 1, ..whole },
            GateStats { stalled: 1, ..whole },
            GateStats { overflows: 1, ..whole },
        ] {
            assert!(!broken.guaranteed(), "{broken:?}");
        }
    }
}
