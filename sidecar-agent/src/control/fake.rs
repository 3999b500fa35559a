//! An agent in memory, for tests of what calls it.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::*;

/// Two signals, some figures, and a gate at which every call can be held.
pub(crate) struct Fake {
    signals: Mutex<BTreeMap<String, SignalState>>,
    /// What the next reload answers.
    pub(crate) reload: Mutex<Result<ReloadReport, ReloadRefused>>,
    /// Every writing call that was carried out.
    pub(crate) calls: Mutex<Vec<String>>,
    /// The name of the one test.
    pub(crate) test_id: Mutex<String>,
    shut: Mutex<bool>,
    opened: Condvar,
}

/// The signal whose boost is always refused.
pub(crate) const EXHAUSTED: &str = "traces";
/// The signal whose rate can't be set.
pub(crate) const UNAVAILABLE: &str = "profiling";

impl Default for Fake {
    fn default() -> Self {
        let signal = SignalState {
            configured_rate: 0.1,
            effective_rate: 0.1,
            total_signals: 10,
            sampled_signals: 1,
            dropped_signals: 9,
            ..SignalState::default()
        };
        let names = ["events", EXHAUSTED, UNAVAILABLE];
        Self {
            signals: Mutex::new(names.map(|name| (name.to_owned(), signal.clone())).into()),
            reload: Mutex::new(Ok(ReloadReport {
                changed: vec!["sampling.events".to_owned()],
                duration_seconds: 0.002,
            })),
            calls: Mutex::default(),
            test_id: Mutex::new("suite::test".to_owned()),
            shut: Mutex::default(),
            opened: Condvar::new(),
        }
    }
}

impl Fake {
    /// Holds every call from now on, or lets them all go.
    pub(crate) fn hold(&self, shut: bool) {
        *self.shut.lock().unwrap() = shut;
        self.opened.notify_all();
    }

    fn enter(&self) {
        let mut shut = self.shut.lock().unwrap();
        while *shut {
            shut = self.opened.wait(shut).unwrap();
        }
    }

    fn change(
        &self,
        call: String,
        signal: &str,
        with: impl FnOnce(&mut SignalState),
    ) -> Result<SignalState, Refused> {
        self.enter();
        let mut signals = self.signals.lock().unwrap();
        let state = signals.get_mut(signal).ok_or_else(|| Refused::UnknownSignal {
            signal: signal.to_owned(),
            nearest: signal.starts_with("event").then(|| "events".to_owned()),
        })?;
        with(state);
        self.calls.lock().unwrap().push(call);
        Ok(state.clone())
    }
}

impl Control for Fake {
    fn stats(&self) -> Stats {
        self.enter();
        let dropped = Drops { by_reason: [("queue_full".to_owned(), 2)].into() };
        let balance = Balance {
            hits: 100,
            kept: 10,
            sampled_out: 85,
            lost: 3,
            disabled: 2,
            received: 10,
            processed: 8,
            dropped,
            balanced: true,
            ..Balance::default()
        };
        let not_done = Drops { by_reason: [("timeout".to_owned(), 1)].into() };
        let notify =
            Account { name: "notify".to_owned(), received: 3, done: 2, not_done, ..Account::default() };
        let count = EventCount { kept: 10, estimate: 100.0, standard_error: 30.0 };
        let order = EventType { event_type: "order_placed".to_owned(), count };
        Stats {
            events_received: 10,
            events_sampled_out: 85,
            running: true,
            balance,
            handlers: vec![notify],
            event_types: EventTypes { types: vec![order], ..EventTypes::default() },
            ..Stats::default()
        }
    }

    fn sampling(&self) -> Sampling {
        self.enter();
        Sampling { enabled: true, adaptive: true, signals: self.signals.lock().unwrap().clone() }
    }

    fn profile(&self, window: Duration) -> Profile {
        self.enter();
        let summary = Summary {
            window_seconds: window.as_secs_f64(),
            sample_count: 60,
            memory_growth_bytes: -4096,
            ..Summary::default()
        };
        Profile { current: Some(Current { cpu_percent: 0.5, ..Current::default() }), summary: Some(summary) }
    }

    fn budget(&self) -> Budget {
        self.enter();
        let limits = BudgetLimits { cpu_percent: 5.0, memory_bytes: 100_000_000 };
        Budget { limits, step: "full".to_owned(), reason: "within budget".to_owned(), ..Budget::default() }
    }

    fn probes(&self) -> Probes {
        self.enter();
        Probes { probes: vec![Probe { provider: "sidecar".to_owned(), hits: 100, ..Probe::default() }] }
    }

    fn images(&self) -> Images {
        self.enter();
        let image =
            Image { path: "/a/suite".to_owned(), build_id: Some("ab12".to_owned()), ..Image::default() };
        Images { images: vec![image], omitted: 0 }
    }

    fn tests(&self) -> Tests {
        self.enter();
        let test_id = self.test_id.lock().unwrap().clone();
        let test = Test { test_id, running: true, duration_seconds: Some(1.5), ..Test::default() };
        Tests { tests: vec![test], omitted: 3 }
    }

    fn config(&self) -> ConfigReport {
        self.enter();
        let value = ConfigValue {
            key: "security.token_file".to_owned(),
            value: "(set)".to_owned(),
            source: "a.yml:3".to_owned(),
        };
        ConfigReport { file: Some("a.yml".to_owned()), values: vec![value], ..ConfigReport::default() }
    }

    fn reload(&self) -> Result<ReloadReport, ReloadRefused> {
        self.enter();
        self.calls.lock().unwrap().push("reload".to_owned());
        self.reload.lock().unwrap().clone()
    }

    fn set_rate(&self, signal: &str, rate: f64) -> Result<SignalState, Refused> {
        if signal == UNAVAILABLE {
            return Err(Refused::Unavailable { reason: "nothing is watched".to_owned() });
        }
        self.change(format!("rate {signal} {rate}"), signal, |state| {
            (state.configured_rate, state.effective_rate) = (rate, rate);
        })
    }

    fn boost(&self, signal: &str, factor: f64, duration: Duration) -> Result<SignalState, Refused> {
        if signal == EXHAUSTED {
            let reason = "the signal was boosted for 10 minutes of this hour".to_owned();
            return Err(Refused::Exhausted { reason, retry_after: Duration::from_millis(90_500) });
        }
        if signal == UNAVAILABLE {
            let (reason, hint) = ("the rate is 1 already".to_owned(), "nothing to raise".to_owned());
            return Err(Refused::Value { reason, hint });
        }
        self.change(format!("boost {signal} {factor} {duration:?}"), signal, |state| {
            (state.has_boost, state.boost_factor) = (true, Some(factor));
            state.boost_remaining_seconds = Some(duration.as_secs_f64());
        })
    }

    fn clear_boost(&self, signal: &str) -> Result<SignalState, Refused> {
        self.change(format!("clear {signal}"), signal, |state| {
            (state.has_boost, state.boost_factor) = (false, None);
        })
    }

    fn report_anomaly(&self, signal: &str, kind: &str) -> Result<Anomaly, Refused> {
        let state = self.change(format!("anomaly {signal} {kind}"), signal, |state| {
            state.anomalies_in_window += 1;
        })?;
        Ok(Anomaly {
            signal: signal.to_owned(),
            kind: kind.to_owned(),
            anomalies_in_window: state.anomalies_in_window,
            has_boost: state.has_boost,
        })
    }
}
