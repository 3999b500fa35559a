//! The runtime's own figures: its cost, the governor, boosts, handlers, reloads and streams.

use super::collector::Page;
use super::families;
use super::series::clean;
use super::snapshot::{GateFigures, GateState, RuntimeFigures, SignalBoost};
use crate::handlers::{HandlerStats, Reason};

/// Series of one handler: what it received, an outcome each, the queue, what is in flight, and the failures in a row.
const HANDLER_SERIES: usize = 1 + Reason::COUNT + 4;

impl Page<'_> {
    /// At most `sidecar_common::MAX_SIGNALS` signals, so they need no cap.
    pub(super) fn boosts(&mut self, signals: &[SignalBoost]) {
        for signal in signals {
            let name = clean(&signal.signal);
            for (family, value) in [
                (families::ANOMALIES, signal.anomalies),
                (families::BOOSTS, signal.boosts),
                (families::BOOSTS_REFUSED, signal.refused),
                (families::BOOSTED, u64::from(signal.boosted)),
            ] {
                self.add(family, [name.as_str()], value as f64);
            }
        }
    }

    pub(super) fn runtime(&mut self, figures: &RuntimeFigures) {
        let none = [""; 0];
        let usage = &figures.usage;
        let ratio = |percent: Option<f64>| percent.map(|percent| percent / 100.0);
        let number = |count: Option<u64>| count.map(|count| count as f64);
        for (family, value) in [
            (families::CPU, ratio(usage.cpu_percent)),
            (families::BPF_CPU, ratio(usage.bpf_cpu_percent)),
            (families::MEMORY, number(usage.memory_bytes)),
            (families::MAP_MEMORY, number(usage.map_bytes)),
            (families::THREADS, number(usage.threads)),
        ] {
            // What is not known has no sample, rather than 0.
            if let Some(value) = value {
                self.add(family, none, value);
            }
        }
        let governor = &figures.governor;
        self.add(families::CPU_BUDGET, none, governor.budget.cpu_percent / 100.0);
        self.add(families::MEMORY_BUDGET, none, governor.budget.memory_bytes as f64);
        self.add(families::STEP, none, f64::from(governor.level.depth()));
        for (cause, count) in [
            ("cpu", governor.steps_down_cpu),
            ("memory", governor.steps_down_memory),
            ("recovered", governor.steps_up),
        ] {
            self.add(families::STEPS, [cause], count as f64);
        }
        for (outcome, count) in [("succeeded", figures.reloads), ("refused", figures.reloads_refused)] {
            self.add(families::RELOADS, [outcome], count as f64);
        }
        self.add(families::RELOAD_SUCCESSFUL, none, f64::from(u8::from(figures.last_reload_succeeded)));
        self.add(families::RELOAD_TIME, none, figures.last_reload_ns as f64 / 1e9);
        self.add(families::STREAMS, none, figures.streams as f64);
        let events = &figures.stream_events;
        self.add(families::STREAM_OFFERED, none, events.offered as f64);
        self.add(families::STREAM_TAKEN, none, events.taken as f64);
        self.add(families::STREAM_LOST, none, events.lost as f64);
        self.add(families::STREAM_LEFT, none, events.left as f64);
        self.add(families::STREAM_WAITING, none, events.waiting as f64);
        self.add(families::ENABLED, none, f64::from(u8::from(figures.enabled)));
        figures.handlers.iter().for_each(|handler| self.handler(handler));
        if let Some(gate) = &figures.gate {
            self.gate(gate);
        }
    }

    fn gate(&mut self, gate: &GateFigures) {
        let none = [""; 0];
        let holding = u8::from(gate.state == GateState::Holding);
        self.add(families::GATE_HOLDING, none, holding.into());
        for (outcome, count) in &gate.outcomes {
            self.add(families::GATE_EXECS, [outcome], *count as f64);
        }
        self.add(families::GATE_WAITING, none, gate.waiting as f64);
        self.add(families::GATE_LONGEST, none, gate.longest_ns as f64 / 1e9);
    }

    fn handler(&mut self, stats: &HandlerStats) {
        let name = self.admit("handler", HANDLER_SERIES, &stats.name);
        let name = name.as_str();
        self.add(families::HANDLER_RECEIVED, [name], stats.received as f64);
        self.add(families::HANDLER_IN_FLIGHT, [name], stats.in_flight as f64);
        self.add(families::HANDLER_EVENTS, [name, "handled"], stats.handled as f64);
        for (reason, count) in stats.reasons() {
            self.add(families::HANDLER_EVENTS, [name, reason.name()], count as f64);
        }
        self.add(families::HANDLER_QUEUE, [name], stats.waiting as f64);
        self.add(families::HANDLER_FAILURES, [name], stats.consecutive_failures as f64);
        self.add(families::ERRORS, ["handlers"], stats.failed() as f64);
    }
}
