//! How long the ladder waits before it climbs, and how that grows when it climbs too early.

use super::{Budget, Level, streaks::CALM_CPU, streaks::Reading, streaks::SECOND};

/// Shortest waits by [`Ground`], and the longest.
const LEAST: [u64; 3] = [5 * SECOND, 15 * SECOND, 60 * SECOND];
const MOST: u64 = 600 * SECOND;
/// A step down so soon after a step up doubles the wait.
const RELAPSE: u64 = 300 * SECOND;
/// So long after a step up without a step down, waits are halved.
const FORGIVE: u64 = 600 * SECOND;

/// What a step up relies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ground {
    /// There are so few hits that the step above will do.
    Load = 0,
    /// Only that the cost is within the budget now: hits are not known.
    Hope = 1,
    /// Nothing: there are so many hits that it should not do. But a part of the cost may not come from hits.
    Doubt = 2,
}

/// What a hit costs while rates are as configured, by the reading that began the descent.
#[derive(Clone, Copy, Debug)]
struct UnitCost(f64);

/// The waits, and what they are judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    waits: [u64; 3],
    ground: Ground,
    unit: Option<UnitCost>,
    pub(super) last_down_ns: Option<u64>,
    pub(super) last_up_ns: Option<u64>,
    forgiven_ns: u64,
}

impl Default for Hold {
    fn default() -> Self {
        Self {
            waits: LEAST,
            ground: Ground::Hope,
            unit: None,
            last_down_ns: None,
            last_up_ns: None,
            forgiven_ns: 0,
        }
    }
}

impl Hold {
    /// Whether no step up has come since the last step down.
    pub(super) fn is_down(&self) -> bool {
        self.last_down_ns > self.last_up_ns
    }

    /// Nanoseconds from the last step down to the first step up.
    pub(super) fn wait_ns(&self, ground: Ground) -> u64 {
        self.waits[ground as usize]
    }

    /// Notes a step down from `level`.
    pub(super) fn down(&mut self, level: Level, reading: &Reading, now_ns: u64) {
        // All steps of a descent are one relapse, and its first tells what hits cost.
        if !self.is_down() {
            if self.last_up_ns.is_some_and(|at| now_ns.saturating_sub(at) < RELAPSE) {
                let wait = &mut self.waits[self.ground as usize];
                *wait = (*wait * 2).min(MOST);
            }
            let factor = level.rate_factor();
            let unit = reading.cpu_percent.zip(reading.hits_per_second);
            let unit = unit.filter(|(_, hits)| *hits > 0.0 && factor > 0.0);
            self.unit = unit.map(|(percent, hits)| UnitCost(percent / (hits * factor))).or(self.unit);
        }
        self.last_down_ns = Some(now_ns);
    }

    /// Notes a step up.
    pub(super) fn up(&mut self, ground: Ground, now_ns: u64) {
        // Of several steps up the first, which had to wait, is the one that may prove wrong.
        if self.last_up_ns <= self.last_down_ns {
            self.ground = ground;
        }
        self.last_up_ns = Some(now_ns);
        self.forgiven_ns = now_ns;
    }

    /// Notes that nothing happened.
    pub(super) fn rest(&mut self, now_ns: u64) {
        if self.last_up_ns > self.last_down_ns && now_ns.saturating_sub(self.forgiven_ns) >= FORGIVE {
            for (wait, least) in self.waits.iter_mut().zip(LEAST) {
                *wait = (*wait / 2).max(least);
            }
            self.forgiven_ns = now_ns;
        }
    }

    /// What a step up to `level` can rely on.
    pub(super) fn ground(&self, level: Level, reading: &Reading, budget: &Budget) -> Ground {
        let expected =
            self.unit.zip(reading.hits_per_second).map(|(unit, hits)| unit.0 * hits * level.rate_factor());
        match expected {
            Some(percent) if percent <= budget.cpu_percent * CALM_CPU => Ground::Load,
            Some(_) => Ground::Doubt,
            None => Ground::Hope,
        }
    }

    /// The clock went back: nothing is to come later than it would have.
    pub(super) fn jump(&mut self, now_ns: u64) {
        for at in [&mut self.last_down_ns, &mut self.last_up_ns] {
            *at = at.map(|at| at.min(now_ns));
        }
        self.forgiven_ns = self.forgiven_ns.min(now_ns);
    }
}
