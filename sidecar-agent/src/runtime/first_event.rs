//! Holds programs of the node until their probes are on, where the configuration wants that.

use std::{sync::OnceLock, time::Duration};

use crate::{
    config::{Config, FirstEvent},
    gate::{self, GateStats},
    metrics::{GateFigures, GateState},
    observe::{GateHandle, Holding, Images},
};

/// Why a program that holds the agent as a library has no gate.
const NOT_HERE: &str = "only `sidecar run` can do that";

/// What is known of the gate: nothing if none is wanted.
#[derive(Default)]
pub(super) struct FirstEvents(OnceLock<Result<GateHandle, String>>);

impl FirstEvents {
    /// Starts to hold, if that is wanted. Where it can't be, that is said and programs are looked at as best they can be.
    /// `able`: this program has the verb that the gate process is started by. `images` is none where nothing is watched.
    pub(super) fn hold(&self, config: &Config, able: bool, images: Option<Images>) -> Option<Holding> {
        let discovery = &config.discovery;
        match discovery.first_event {
            FirstEvent::BestEffort => return None,
            FirstEvent::Guarantee => {}
        }
        let options = gate::Options {
            deadline: Duration::from_secs_f64(discovery.first_event_deadline),
            node: Some(discovery.files.clone()),
            ..gate::Options::default()
        };
        let started = match images {
            _ if !able => Err(NOT_HERE.to_owned()),
            None => Err("nothing is watched".to_owned()),
            Some(images) => Holding::start(options, images).map_err(|error| error.to_string()),
        };
        let (holding, known) = match started {
            Ok(holding) => {
                let handle = holding.handle();
                let (filesystems, left_out) = handle.filesystems();
                tracing::info!(
                    "programs are held until their probes are on, for {} ms at most, on {filesystems} filesystems \
                     ({left_out} left out)",
                    (discovery.first_event_deadline * 1e3).round()
                );
                (Some(holding), Ok(handle))
            }
            Err(why) => {
                tracing::warn!(
                    "discovery.first_event: guarantee can't be kept, first events may be missing: {why}"
                );
                (None, Err(why))
            }
        };
        // There is one.
        let _ = self.0.set(known);
        holding
    }

    /// What metrics and health show of it.
    pub(super) fn figures(&self) -> Option<GateFigures> {
        Some(match self.0.get()? {
            Err(why) => figures(GateState::Missing(why.clone()), &GateStats::default(), (0, 0)),
            Ok(handle) => {
                let state = match handle.ended() {
                    Some(why) => GateState::Ended(why.to_owned()),
                    None => GateState::Holding,
                };
                figures(state, &handle.stats(), handle.filesystems())
            }
        })
    }
}

fn figures(state: GateState, stats: &GateStats, (filesystems, left_out): (u64, u64)) -> GateFigures {
    let GateStats { events: _, own, unwatched, known, held, answered, expired, .. } = *stats;
    let GateStats { released, overload, stalled, overflows, max_hold_ns, .. } = *stats;
    let waiting = match state {
        GateState::Holding => held.saturating_sub(answered + expired + released),
        // Whoever waited then went on.
        GateState::Missing(_) | GateState::Ended(_) => 0,
    };
    GateFigures {
        state,
        outcomes: vec![
            ("own", own),
            ("unwatched", unwatched),
            ("known", known),
            ("answered", answered),
            ("expired", expired),
            ("released", released),
            ("overload", overload),
            ("stalled", stalled),
            ("overflow", overflows),
        ],
        waiting,
        missed: expired + overload + stalled + overflows,
        longest_ns: max_hold_ns,
        filesystems,
        left_out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_on_unheld_is_missed_and_the_rest_adds_up() {
        let stats = GateStats {
            events: 40,
            own: 1,
            unwatched: 2,
            known: 3,
            held: 20,
            answered: 10,
            expired: 4,
            released: 1,
            overload: 6,
            stalled: 8,
            overflows: 7,
            max_hold_ns: 9,
        };
        let found = figures(GateState::Holding, &stats, (2, 1));
        assert_eq!((found.waiting, found.missed, found.longest_ns), (5, 25, 9));
        let outcomes: u64 =
            found.outcomes.iter().filter(|(word, _)| *word != "overflow").map(|(_, n)| n).sum();
        assert_eq!(outcomes + found.waiting, stats.events);
        assert_eq!(figures(GateState::Ended(String::new()), &stats, (2, 1)).waiting, 0);
    }

    #[test]
    fn where_it_is_not_wanted_nothing_is_said_and_where_it_can_not_be_the_reason() {
        let (mut config, events) = (Config::default(), FirstEvents::default());
        assert!(events.hold(&config, true, None).is_none() && events.figures().is_none());
        config.discovery.first_event = FirstEvent::Guarantee;
        assert!(events.hold(&config, false, None).is_none());
        assert_eq!(events.figures().unwrap().state, GateState::Missing(NOT_HERE.to_owned()));
    }
}
