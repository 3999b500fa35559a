//! Single rules of the governor: bad clocks, missing and odd samples, memory, budgets that change.

use proptest::prelude::*;

use super::plant::S;
use crate::governor::{Budget, Cause, Decision, Governor, Level, MOST_TRANSITIONS, Sample, Shed};

const BUDGET: Budget = Budget { cpu_percent: 5.0, memory_bytes: 100_000_000 };

fn feed(governor: &mut Governor, from_s: u64, seconds: u64, cpu: Option<f64>, mb: Option<u64>) -> Decision {
    let mut decision = governor.decision();
    for second in from_s..from_s + seconds {
        decision = governor.observe(&Sample {
            now_ns: second * S,
            cpu_percent: cpu,
            memory_bytes: mb.map(|mb| mb * 1_000_000),
            hits_per_second: None,
        });
    }
    decision
}

#[test]
fn three_seconds_over_the_budget_are_a_step_and_two_are_not() {
    let mut governor = Governor::new(BUDGET);
    assert_eq!(feed(&mut governor, 0, 3, Some(6.0), None).level, Level::Full);
    let decision = feed(&mut governor, 3, 1, Some(6.0), None);
    assert_eq!((decision.level, decision.changed, decision.rate_factor), (Level::Half, true, 0.5));
    assert_eq!(decision.cause, Cause::OverCpu { percent: 6.0, budget: 5.0 });
    let step = governor.view().transitions[0];
    assert_eq!(step.to_string(), "full -> half: the agent takes 6.0 % of a core, its budget is 5 %");
    assert!(!feed(&mut governor, 4, 1, Some(1.0), None).changed);
}

#[test]
fn a_single_spike_is_nothing() {
    let mut governor = Governor::new(BUDGET);
    for start in (0..600).step_by(10) {
        feed(&mut governor, start, 9, Some(1.0), None);
        feed(&mut governor, start + 9, 1, Some(90.0), None);
    }
    assert_eq!(governor.view().transitions, []);
}

#[test]
fn many_samples_a_second_are_as_one_and_rare_ones_count_as_what_they_are() {
    let mut governor = Governor::new(BUDGET);
    for tenth in 0..=25 {
        let sample = Sample {
            now_ns: tenth * S / 10,
            cpu_percent: Some(9.0),
            memory_bytes: None,
            hits_per_second: None,
        };
        assert!(!governor.observe(&sample).changed, "{tenth}");
    }
    for tenth in 26..=31 {
        governor.observe(&Sample {
            now_ns: tenth * S / 10,
            cpu_percent: Some(9.0),
            memory_bytes: None,
            hits_per_second: None,
        });
    }
    assert_eq!(governor.decision().level, Level::Half);
    let mut governor = Governor::new(BUDGET);
    for minute in 0..2 {
        governor.observe(&Sample {
            now_ns: minute * 60 * S,
            cpu_percent: Some(9.0),
            memory_bytes: None,
            hits_per_second: None,
        });
    }
    assert_eq!(governor.decision().level, Level::Half);
}

#[test]
fn what_is_unknown_changes_nothing() {
    let mut governor = Governor::new(BUDGET);
    feed(&mut governor, 0, 5, Some(6.0), None);
    assert_eq!(governor.decision().level, Level::Half);
    for odd in [None, Some(f64::NAN), Some(f64::INFINITY), Some(-3.0)] {
        let start = governor.view().since_ns / S + 100;
        assert_eq!(feed(&mut governor, start, 1000, odd, None).level, Level::Half, "{odd:?}");
    }
    assert_eq!(governor.view().cpu_percent, None);
}

#[test]
fn a_clock_that_goes_back_is_counted_and_does_not_hold_the_ladder() {
    let mut governor = Governor::new(BUDGET);
    feed(&mut governor, 100_000, 4, Some(30.0), None);
    assert!(governor.decision().level > Level::Full);
    // A day back: no hold-off may wait for the old time to come round again.
    feed(&mut governor, 10, 60, Some(0.5), None);
    assert_eq!(governor.view().clock_jumps, 1);
    assert_eq!(governor.decision().level, Level::Full);
}

#[test]
fn a_clock_that_leaps_forward_is_no_time_of_calm() {
    let mut governor = Governor::new(BUDGET);
    feed(&mut governor, 100, 12, Some(100.0), None);
    assert_eq!(governor.decision().level, Level::CountOnly);
    let leapt = feed(&mut governor, 1_000_000, 1, Some(1.0), None);
    assert_eq!(leapt.level, Level::NoPayloads);
    assert!(!feed(&mut governor, 1_000_001, 1, Some(1.0), None).changed);
}

#[test]
fn memory_over_the_budget_gives_up_queue_and_payloads_and_then_all_but_failures() {
    let mut governor = Governor::new(BUDGET);
    assert_eq!(feed(&mut governor, 0, 2, Some(1.0), Some(90)).shed, Shed::Caches);
    assert_eq!(feed(&mut governor, 2, 30, Some(1.0), Some(90)).shed, Shed::Nothing);
    assert_eq!(governor.decision().level, Level::Full);
    let decision = feed(&mut governor, 32, 1, Some(1.0), Some(120));
    assert_eq!((decision.shed, decision.level), (Shed::Queue, Level::Full));
    let decision = feed(&mut governor, 33, 1, Some(1.0), Some(120));
    assert_eq!((decision.shed, decision.level), (Shed::Nothing, Level::NoPayloads));
    assert!(matches!(decision.cause, Cause::OverMemory { bytes: 120_000_000, .. }));
    feed(&mut governor, 34, 11, Some(1.0), Some(120));
    assert_eq!(governor.decision().level, Level::CountOnly);
    // Detaching would free nothing.
    assert_eq!(feed(&mut governor, 45, 3600, Some(1.0), Some(120)).level, Level::CountOnly);
    assert_eq!(governor.view().steps_down_memory, 2);
    assert_eq!(feed(&mut governor, 3645, 60, Some(1.0), Some(50)).level, Level::Full);
}

#[test]
fn another_budget_starts_again_at_the_top() {
    let mut governor = Governor::new(BUDGET);
    feed(&mut governor, 0, 12, Some(30.0), None);
    let larger = Budget { cpu_percent: 50.0, ..BUDGET };
    governor.reset(larger, 12 * S);
    assert_eq!((governor.decision().level, governor.decision().cause), (Level::Full, Cause::Reset));
    assert_eq!(feed(&mut governor, 13, 100, Some(30.0), None).level, Level::Full);
    assert_eq!(governor.view().budget, larger);
}

#[test]
fn time_on_each_step_is_counted() {
    let mut governor = Governor::new(BUDGET);
    feed(&mut governor, 1, 31, Some(30.0), None);
    let view = governor.view();
    assert_eq!(view.time_ns.iter().sum::<u64>(), 30 * S);
    assert!(view.time_ns[0] >= 2 * S && view.time_ns[6] > 0, "{view:?}");
    assert!(serde_json::to_string(&view).unwrap().contains(r#""level":"detached""#));
}

proptest! {
    #[test]
    fn whatever_is_measured_the_ladder_stays_a_ladder(
        samples in proptest::collection::vec(
            (0u64..20_000_000_000, proptest::option::of(-10.0..1000.0f64), proptest::option::of(0u64..300_000_000)),
            1..2000,
        ),
        backwards in proptest::collection::vec(0usize..2000, 0..5),
    ) {
        let mut governor = Governor::new(BUDGET);
        let mut now_ns = 1u64 << 50;
        let mut level = Level::Full;
        let mut steps = 0u64;
        for (i, (step, cpu_percent, memory_bytes)) in samples.into_iter().enumerate() {
            now_ns = if backwards.contains(&i) { now_ns / 2 } else { now_ns + step };
            let decision = governor.observe(&Sample { now_ns, cpu_percent, memory_bytes, hits_per_second: cpu_percent.map(|c| c * 7.0) });
            prop_assert_eq!(decision.changed, decision.level != level);
            prop_assert_eq!(decision.rate_factor, decision.level.rate_factor());
            if decision.changed {
                // Up by one step only; the last two steps by one step only.
                steps += 1;
                let (from, to) = (level.depth(), decision.level.depth());
                prop_assert!(to + 1 == from || to == from + 1 || decision.level <= Level::NoPayloads);
                prop_assert!(to + 1 >= from);
            }
            level = decision.level;
        }
        let view = governor.view();
        prop_assert_eq!(view.steps_up + view.steps_down_cpu + view.steps_down_memory, steps);
        prop_assert!(view.transitions.len() <= MOST_TRANSITIONS);
        prop_assert!((5 * S..=600 * S).contains(&view.hold_ns));
    }
}
