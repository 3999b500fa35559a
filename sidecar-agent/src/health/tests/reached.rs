//! Each state of each component is reached from figures that an agent can have.

use std::time::Duration;

use super::super::parts::{self, HttpFigures, Programs};
use super::super::registry::{STALLED_DEGRADED, STALLED_UNHEALTHY};
use super::super::report::{Component, Report};
use super::super::states::{self, State};
use super::{Bench, THRESHOLD, fail};
use crate::config::Place;
use crate::governor::{Level as Step, Sample};
use crate::handlers::Reason;
use crate::metrics::{GateFigures, GateState};

/// The component after a change of a working agent's figures, which a check has seen before.
fn after(name: &str, change: impl FnOnce(&mut Bench)) -> Component {
    let mut bench = Bench::new();
    bench.component(name);
    change(&mut bench);
    bench.component(name)
}

fn handler(change: impl FnOnce(&mut Bench)) -> Component {
    after("handler_h", change)
}

fn gate(change: impl FnOnce(&mut GateFigures)) -> Component {
    let mut bench = Bench::new();
    let mut figures = GateFigures {
        state: GateState::Holding,
        outcomes: Vec::new(),
        waiting: 0,
        missed: 0,
        longest_ns: 0,
        filesystems: 1,
        left_out: 0,
    };
    change(&mut figures);
    bench.snapshot.runtime.as_mut().unwrap().gate = Some(figures);
    bench.component("gate")
}

/// The path of events after a silence.
fn silent(silence: Duration) -> Component {
    let bench = Bench::new();
    bench.health.beat(bench.now);
    bench.health.report(bench.now + silence).components.remove(states::DATA_PATH).unwrap()
}

fn http(crowded: u64, ended: bool) -> Component {
    let mut bench = Bench::new();
    let figures = HttpFigures { places: "127.0.0.1:9808".to_owned(), open: 1, limit: 64, crowded, ended };
    bench.checks.update_http(&bench.health, &figures, bench.now);
    bench.health.report(bench.now).components.remove("http").unwrap()
}

/// A governor that has gone down to this step or further.
fn governed(step: Step) -> Component {
    after("governor", |bench| {
        let mut governor = crate::governor::Governor::new(crate::governor::Budget {
            cpu_percent: 5.0,
            memory_bytes: 100_000_000,
        });
        for second in 0..1000 {
            if governor.view().level >= step {
                break;
            }
            governor.observe(&Sample {
                now_ns: second * 1_000_000_000,
                cpu_percent: Some(6.0),
                memory_bytes: None,
                hits_per_second: None,
            });
        }
        assert!(governor.view().level >= step);
        bench.snapshot.runtime.as_mut().unwrap().governor = governor.view();
    })
}

/// Components in states of theirs; together they are in each.
pub(super) fn all() -> Vec<(&'static str, Component)> {
    let place = Place { key: Some("sampling.events".to_owned()), ..Place::default() };
    let lost = sidecar_common::Counters { lost: 1, ..Default::default() };
    let sink = |change: fn(&mut crate::sinks::SinkStats)| {
        after("sinks", |bench| change(&mut bench.snapshot.sinks[0]))
    };
    let report = Report::stopped().components.remove("runtime").unwrap();
    let mut all: Vec<(&'static str, Component)> = vec![
        ("kernel", parts::kernel(None)),
        ("kernel", parts::kernel(Some("no privilege for BPF"))),
        ("kernel_programs", parts::programs(Programs::Watching)),
        ("kernel_programs", parts::programs(Programs::Missing)),
        ("kernel_programs", parts::programs(Programs::Off)),
        ("kernel_programs", parts::programs(Programs::Suspended)),
        ("attachments", after("attachments", |_| {})),
        ("attachments", after("attachments", |bench| bench.snapshot.attach_refusals = vec![("kernel", 1)])),
        ("ring", after("ring", |_| {})),
        ("ring", after("ring", |bench| bench.snapshot.probes[0].counters = lost)),
        ("data_path", silent(STALLED_DEGRADED - Duration::from_millis(1))),
        ("data_path", silent(STALLED_DEGRADED)),
        ("data_path", silent(STALLED_UNHEALTHY)),
        ("queue", after("queue", |_| {})),
        ("queue", after("queue", |bench| bench.snapshot.queue.dropped_newest = 1)),
        ("queue", after("queue", |bench| bench.snapshot.queue.len = 81)),
        ("sinks", sink(|_| {})),
        ("sinks", sink(|sink| sink.last_error = Some("No space left on device".to_owned()))),
        ("sinks", sink(|sink| sink.write_failed = 1)),
        ("sinks", sink(|sink| sink.queue.dropped_oldest = 1)),
        ("sinks", sink(|sink| sink.queue.len = 81)),
        ("handler_NAME", handler(|_| {})),
        ("handler_NAME", handler(|bench| bench.handler().consecutive_failures = THRESHOLD)),
        ("handler_NAME", handler(|bench| fail(bench.handler(), 10))),
        ("handler_NAME", handler(|bench| bench.handler().counts[Reason::QueueFullNewest as usize] = 1)),
        ("handler_NAME", handler(|bench| bench.handler().running = false)),
        ("config", parts::config(None, 1, 0)),
        ("config", parts::config(Some(("a.yml:1: sampling.events: 7", &place)), 1, 1)),
        ("http", http(0, false)),
        ("http", http(1, false)),
        ("http", http(0, true)),
        ("gate", gate(|_| {})),
        ("gate", gate(|gate| gate.missed = 1)),
        ("gate", gate(|gate| gate.state = GateState::Ended("the gate process has ended".to_owned()))),
        ("gate", gate(|gate| gate.state = GateState::Missing("needs CAP_SYS_ADMIN".to_owned()))),
        ("runtime", report),
    ];
    all.extend(Step::ALL.into_iter().map(|step| ("governor", governed(step))));
    all
}

/// The states that a component can be in, by what it says.
pub(super) fn states_of(name: &str, component: &Component) -> Vec<&'static State> {
    let (status, message) = (component.status, &component.message);
    let says =
        |state: &&&State| state.component == name && state.level == status && message.contains(state.text);
    states::ALL.iter().filter(says).copied().collect()
}

#[test]
fn every_state_is_reached_and_each_component_is_in_one_of_them() {
    let all = all();
    let found: Vec<_> = all.iter().map(|(name, component)| states_of(name, component)).collect();
    for (states, component) in found.iter().zip(&all) {
        assert_eq!(states.len(), 1, "{component:?}: {states:?}");
    }
    let never: Vec<_> = states::ALL.iter().filter(|state| !found.contains(&vec![**state])).collect();
    assert!(never.is_empty(), "{never:?}");
}
