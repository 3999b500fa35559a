//! The slowest attempts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use sidecar_common::Status;

use super::text;
use crate::event::Event;

/// Number of slow attempts that are kept.
pub const SLOWEST: usize = 10;

/// An attempt and how long it took. Ordered by the duration, then by the order of arrival, later ones first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slow {
    pub(super) duration_ns: u64,
    arrival: Reverse<u64>,
    pub(super) status: Status,
    pub(super) name: String,
    pub(super) attempt: Option<u32>,
}

/// A heap of the [`SLOWEST`] attempts.
#[derive(Default)]
pub(super) struct Slowest {
    heap: BinaryHeap<Reverse<Slow>>,
    arrivals: u64,
}

impl Slowest {
    pub(super) fn observe(&mut self, event: &Event, status: Status) {
        let Some(duration_ns) = event.duration_ns.filter(|_| status != Status::Skipped) else { return };
        self.arrivals += 1;
        if self.heap.len() == SLOWEST {
            if self.heap.peek().is_some_and(|least| duration_ns <= least.0.duration_ns) {
                return;
            }
            self.heap.pop();
        }
        let arrival = Reverse(self.arrivals);
        self.heap.push(Reverse(Slow {
            duration_ns,
            arrival,
            status,
            name: text::name(event),
            attempt: event.attempt,
        }));
    }

    /// The slowest first.
    pub(super) fn sorted(&self) -> Vec<&Slow> {
        let mut list: Vec<&Slow> = self.heap.iter().map(|Reverse(slow)| slow).collect();
        list.sort_by(|a, b| b.cmp(a));
        list
    }
}
