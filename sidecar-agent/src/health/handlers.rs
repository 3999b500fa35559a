//! What the counters of the handlers say: each is a component of its own.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::checks::{Losses, REMEMBER};
use super::registry::Health;
use super::report::Component;
use super::states::{
    HANDLER_DROPPED, HANDLER_ENDED, HANDLER_FAILING, HANDLER_PREFIX, HANDLER_UNRELIABLE, HANDLER_WORKING,
};
use crate::handlers::{HandlerStats, Reason};

/// Share of failures, in percent of what was tried lately, above which a handler is degraded.
pub(super) const UNRELIABLE_PERCENT: u64 = 10;
/// So many have to have been tried lately for that.
pub(super) const LEAST_TRIED: u64 = 10;
/// Counts are remembered no closer to each other than this.
const APART: Duration = Duration::from_secs(1);

/// The counts of a handler at some moment.
#[derive(Clone, Copy, Debug)]
struct Counts {
    at: Instant,
    handled: u64,
    failed: u64,
}

/// What is remembered of the handlers.
#[derive(Debug, Default)]
pub(super) struct Handlers {
    losses: Losses,
    outcomes: HashMap<String, VecDeque<Counts>>,
}

impl Handlers {
    /// Sets a component for each of them, and forgets those that are no more.
    pub(super) fn update(&mut self, health: &Health, all: &[HandlerStats], threshold: u64, now: Instant) {
        let names: Vec<String> = all.iter().map(|stats| format!("{HANDLER_PREFIX}{}", stats.name)).collect();
        self.losses.keep_only(&names);
        self.outcomes.retain(|name, _| names.contains(name));
        health.keep_handlers(&names);
        for (name, stats) in names.iter().zip(all) {
            health.set(name, self.check(name, stats, threshold, now));
        }
    }

    fn check(&mut self, name: &str, stats: &HandlerStats, threshold: u64, now: Instant) -> Component {
        // Compared every time, whatever is said.
        let no_room = [Reason::QueueFullOldest, Reason::QueueFullNewest, Reason::SpoolFull];
        let no_room = self.losses.grew(name, no_room.map(|reason| stats.count(reason)).iter().sum(), now);
        let (tried, failed) =
            lately(self.outcomes.entry(name.to_owned()).or_default(), stats.handled, stats.failed(), now);
        let last = stats.last_error.as_ref().map_or("none known", |error| &error.text);
        let component = if !stats.running {
            Component::with(&HANDLER_ENDED, format_args!("the last failure: {last}"))
        } else if stats.consecutive_failures >= threshold {
            let count = stats.consecutive_failures;
            Component::with(&HANDLER_FAILING, format_args!("{count} failures in a row, the last: {last}"))
        } else if tried >= LEAST_TRIED && failed * 100 > tried * UNRELIABLE_PERCENT {
            Component::with(&HANDLER_UNRELIABLE, format_args!("{failed} of {tried}, the last: {last}"))
        } else if no_room {
            Component::of(&HANDLER_DROPPED)
        } else {
            Component::of(&HANDLER_WORKING)
        };
        component
            .count("received", stats.received)
            .count("handled", stats.handled)
            .count("failed", stats.failed())
            .count("consecutive_failures", stats.consecutive_failures)
            .count("dropped", stats.dropped())
            .count("waiting", stats.waiting)
    }
}

/// How many were tried since [`REMEMBER`] ago, or a little longer, and how many of them failed.
fn lately(seen: &mut VecDeque<Counts>, handled: u64, failed: u64, now: Instant) -> (u64, u64) {
    while seen.get(1).is_some_and(|next| now.saturating_duration_since(next.at) >= REMEMBER) {
        seen.pop_front();
    }
    // A handler that was replaced by one of the same name begins at zero.
    if seen.front().is_some_and(|base| handled < base.handled || failed < base.failed) {
        seen.clear();
    }
    match seen.back() {
        None => seen.push_back(Counts { at: now, handled: 0, failed: 0 }),
        Some(last) if now.saturating_duration_since(last.at) >= APART => {
            seen.push_back(Counts { at: now, handled, failed });
        }
        Some(_) => {}
    }
    let base = seen.front().map_or((0, 0), |base| (base.handled, base.failed));
    let failed = failed - base.1;
    (handled - base.0 + failed, failed)
}
