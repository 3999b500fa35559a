//! An agent whose cost follows from its load and from the governor's decisions, and hours of load for it.

use crate::governor::{Budget, Decision, Governor, Level, Sample, Transition};

pub(super) const S: u64 = 1_000_000_000;

/// What things cost, in percent of a core.
#[derive(Clone, Copy, Debug)]
pub(super) struct Costs {
    /// With nothing to do.
    pub(super) base: f64,
    /// Counting a hit, a thousand hits a second.
    pub(super) count: f64,
    /// A kept record, a thousand records a second. Half of it is for its payload.
    pub(super) kept: f64,
}

/// What comes at the agent in a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Load {
    /// Thousands of hits a second.
    pub(super) hits: f64,
    /// The share of them that are failures.
    pub(super) failures: f64,
}

/// The agent at work.
pub(super) struct Plant {
    pub(super) governor: Governor,
    pub(super) costs: Costs,
    pub(super) rate: f64,
    pub(super) now_ns: u64,
    pub(super) cost: f64,
    pub(super) lost_failures: f64,
    /// Whether the governor is told of hits.
    pub(super) sees_hits: bool,
    noise: u64,
}

impl Plant {
    pub(super) fn new(costs: Costs) -> Self {
        let governor = Governor::new(Budget { cpu_percent: 5.0, memory_bytes: 100_000_000 });
        Self {
            governor,
            costs,
            rate: 1.0,
            now_ns: 1000 * S,
            cost: 0.0,
            lost_failures: 0.0,
            sees_hits: true,
            noise: 9,
        }
    }

    /// Between -1 and 1.
    fn noise(&mut self) -> f64 {
        self.noise =
            self.noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.noise >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    }

    /// What a load costs under a decision.
    pub(super) fn cost_of(&self, load: Load, decision: &Decision) -> f64 {
        if !decision.attached {
            return self.costs.base;
        }
        let passed = load.hits * (1.0 - load.failures) * self.rate * decision.rate_factor;
        let kept = passed + load.hits * load.failures;
        let kept_cost = self.costs.kept * if decision.payloads { 1.0 } else { 0.5 };
        self.costs.base + self.costs.count * load.hits + kept_cost * kept
    }

    /// One second under a load.
    pub(super) fn second(&mut self, load: Load) -> Decision {
        let decision = self.governor.decision();
        if !decision.attached {
            self.lost_failures += load.hits * load.failures;
        }
        self.cost = self.cost_of(load, &decision) * (1.0 + 0.05 * self.noise());
        // Ticks are neither exact nor lost.
        self.now_ns = self.now_ns + S + (self.noise() * 0.04 * S as f64) as u64 - S / 25;
        let sample = Sample {
            now_ns: self.now_ns,
            cpu_percent: Some(self.cost),
            memory_bytes: Some(40_000_000),
            hits_per_second: (decision.attached && self.sees_hits).then_some(load.hits * 1000.0),
        };
        self.governor.observe(&sample)
    }

    pub(super) fn seconds(&mut self, seconds: u64, load: Load) {
        (0..seconds).for_each(|_| _ = self.second(load));
    }

    pub(super) fn level(&self) -> Level {
        self.governor.decision().level
    }

    pub(super) fn steps(&self) -> u64 {
        let view = self.governor.view();
        view.steps_down_cpu + view.steps_down_memory + view.steps_up
    }

    pub(super) fn last(&self) -> Transition {
        *self.governor.view().transitions.last().unwrap()
    }
}

/// An hour of a day of tests, second by second, in thousands of hits: like what a build node sees.
pub(super) fn recorded_hour(seed: u64) -> impl Iterator<Item = Load> {
    let mut random = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = move |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut left = 0;
    let mut hits = 0.0;
    let mut slope = 0.0;
    (0..3600).map(move |_| {
        if left == 0 {
            left = 5 + next(240);
            (hits, slope) = match next(6) {
                0 => (0.0, 0.0),
                1 => (1.0, 0.0),
                2 => (5.0 + next(20) as f64, 0.0),
                3 => (0.0, 0.2),
                4 => (40.0, -0.15),
                _ => (30.0 + next(30) as f64, 0.0),
            };
        }
        left -= 1;
        hits = f64::max(hits + slope, 0.0);
        Load { hits, failures: 0.01 }
    })
}
