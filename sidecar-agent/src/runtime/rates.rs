//! The rates of all signals: configured, set since by the API, boosted on request, and scaled by the governor.

use std::collections::BTreeMap;

use sidecar_common::SignalState;

use crate::{
    config::{Adaptive, Config, threshold},
    sampling::{Manual, Rate, signal_state},
};

/// What is wanted of each signal.
pub(super) struct Rates {
    adaptive: Adaptive,
    governor: f64,
    signals: BTreeMap<String, Rate>,
}

impl Rates {
    pub(super) fn new(config: &Config) -> Self {
        let mut rates =
            Self { adaptive: config.sampling.adaptive.clone(), governor: 1.0, signals: BTreeMap::new() };
        rates.reload(config);
        rates
    }

    /// Takes the rates of a configuration over. Boosts go on; rates that the API had set do not.
    pub(super) fn reload(&mut self, config: &Config) {
        self.adaptive = config.sampling.adaptive.clone();
        for signal in config.signals() {
            let manual = self.signals.get(&signal.name).and_then(|rate| rate.manual);
            self.signals.insert(signal.name, Rate { threshold: signal.threshold, manual });
        }
    }

    /// The governor's factor.
    pub(super) fn govern(&mut self, factor: f64) {
        self.governor = factor;
    }

    pub(super) fn adaptive(&self) -> &Adaptive {
        &self.adaptive
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.signals.keys()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Rate> {
        self.signals.get(name)
    }

    /// Sets a configured rate; false if there is no such signal or it is no rate.
    pub(super) fn set(&mut self, name: &str, rate: f64) -> bool {
        match (self.signals.get_mut(name), threshold(rate)) {
            (Some(signal), Some(threshold)) => {
                signal.threshold = threshold;
                true
            }
            _ => false,
        }
    }

    /// Sets or ends an operator's boost; false if there is no such signal.
    pub(super) fn set_manual(&mut self, name: &str, manual: Option<Manual>) -> bool {
        self.signals.get_mut(name).map(|signal| signal.manual = manual).is_some()
    }

    /// What the kernel gets of a signal.
    pub(super) fn state(&self, name: &str) -> Option<SignalState> {
        self.signals.get(name).map(|rate| signal_state(&self.adaptive, rate, self.governor))
    }

    /// What the kernel gets of every signal.
    pub(super) fn states(&self) -> Vec<(String, SignalState)> {
        let state = |(name, rate): (&String, &Rate)| {
            (name.clone(), signal_state(&self.adaptive, rate, self.governor))
        };
        self.signals.iter().map(state).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::rate_of;

    #[test]
    fn a_reload_takes_configured_rates_over_and_keeps_boosts() {
        let mut config = Config::default();
        let mut rates = Rates::new(&config);
        assert!(rates.set("events", 1.0) && !rates.set("nobody", 1.0) && !rates.set("events", 2.0));
        assert!(rates.set_manual("events", Manual::new(4.0, 1000, 0).ok()));
        config.sampling.events = 0.25;
        rates.reload(&config);
        let state = rates.state("events").unwrap();
        assert_eq!((rate_of(state.threshold), rate_of(state.forced)), (0.25, 1.0));
        rates.govern(0.5);
        assert_eq!(rate_of(rates.state("events").unwrap().threshold), 0.125);
        assert_eq!(rates.states().len(), rates.names().count());
    }
}
