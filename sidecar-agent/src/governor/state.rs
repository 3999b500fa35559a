//! The governor: when a step is taken, down and up.

use std::collections::VecDeque;

use serde::Serialize;

use super::{
    Budget, Cause, Decision, Level, Sample, Shed, Transition,
    hold::{Ground, Hold},
    streaks::{Collected, Collector, Reading, SECOND, Streaks},
};

/// Over the budget for this long: a step down.
const OVER: u64 = 3 * SECOND;
/// The same when it is twice the budget, or a step was taken just before.
const FAR_OVER: u64 = 2 * SECOND;
/// The same for the last step, which loses failures and counts.
const OVER_LAST: u64 = 10 * SECOND;
/// A reading may be a little shorter than a second.
const SLACK: u64 = SECOND / 2;
/// A step was taken just before.
const JUST: u64 = 10 * SECOND;

/// Clearly within the budget for this long, and this long since the step before: a step up.
const CALM: u64 = 5 * SECOND;
/// Shortest time without probes.
const DETACHED: u64 = 20 * SECOND;
/// Just within the budget for this long: a step up is tried.
const PATIENCE: u64 = 60 * SECOND;

/// Memory over its budget for this long: payloads are given up; for this long again: all but counts and failures.
const MEMORY_OVER: u64 = 2 * SECOND;
const MEMORY_STILL_OVER: u64 = 10 * SECOND;
/// Least time between two requests to give the same memory up.
const SHED_QUEUE_EVERY: u64 = 5 * SECOND;
const SHED_CACHES_EVERY: u64 = 60 * SECOND;

/// Steps that are remembered one by one.
pub const MOST_TRANSITIONS: usize = 64;

/// The state of the ladder.
#[derive(Clone, Debug)]
pub struct Governor {
    budget: Budget,
    level: Level,
    cause: Cause,
    since_ns: u64,
    collector: Collector,
    streaks: Streaks,
    hold: Hold,
    shed_ns: [Option<u64>; 2],
    last: Option<Reading>,
    now_ns: u64,
    transitions: VecDeque<Transition>,
    steps_down: [u64; 2],
    steps_up: u64,
    clock_jumps: u64,
    time_ns: [u64; Level::ALL.len()],
}

/// The state for health, metrics and the API.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// The budget.
    pub budget: Budget,
    /// The step.
    pub level: Level,
    /// Why.
    pub cause: Cause,
    /// Since when, in nanoseconds of CLOCK_MONOTONIC.
    pub since_ns: u64,
    /// Processor time of the last reading, in percent of one core; `None` while it is not known.
    pub cpu_percent: Option<f64>,
    /// Memory of the last reading in bytes.
    pub memory_bytes: Option<u64>,
    /// Nanoseconds from the last step down to the first step up, if the load has gone.
    pub hold_ns: u64,
    /// The same, if it is not known whether it has.
    pub hold_unknown_ns: u64,
    /// The same, if it has not and the step is a try.
    pub hold_try_ns: u64,
    /// Steps down for processor time.
    pub steps_down_cpu: u64,
    /// Steps down for memory.
    pub steps_down_memory: u64,
    /// Steps up.
    pub steps_up: u64,
    /// Samples that were not used because the clock had gone back.
    pub clock_jumps: u64,
    /// Nanoseconds spent on each step, from the top.
    pub time_ns: [u64; Level::ALL.len()],
    /// The last steps, oldest first; at most [`MOST_TRANSITIONS`].
    pub transitions: Vec<Transition>,
}

impl Governor {
    /// On the top step.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            level: Level::Full,
            cause: Cause::Start,
            since_ns: 0,
            collector: Collector::default(),
            streaks: Streaks::default(),
            hold: Hold::default(),
            shed_ns: [None; 2],
            last: None,
            now_ns: 0,
            transitions: VecDeque::new(),
            steps_down: [0; 2],
            steps_up: 0,
            clock_jumps: 0,
            time_ns: [0; Level::ALL.len()],
        }
    }

    /// What is to be done as things are.
    #[must_use]
    pub fn decision(&self) -> Decision {
        Decision {
            level: self.level,
            rate_factor: self.level.rate_factor(),
            payloads: self.level.payloads(),
            attached: self.level.attached(),
            shed: Shed::Nothing,
            cause: self.cause,
            since_ns: self.since_ns,
            changed: false,
        }
    }

    /// Takes a sample in. A second's worth of samples makes a reading; a step is taken on readings only.
    pub fn observe(&mut self, sample: &Sample) -> Decision {
        let before = self.now_ns;
        self.now_ns = sample.now_ns;
        let mut decision = self.decision();
        match self.collector.add(sample) {
            Collected::More => self.count_time(before),
            Collected::ClockJump => self.jump(),
            Collected::Reading(reading) => {
                self.count_time(before);
                self.streaks.add(&reading, &self.budget);
                self.last = Some(reading);
                let level = self.level;
                let shed = self.shed(&reading);
                self.step(&reading);
                decision = Decision { shed, changed: level != self.level, ..self.decision() };
            }
        }
        decision
    }

    /// Another budget: up to now nothing counts, and the ladder is at its top.
    pub fn reset(&mut self, budget: Budget, now_ns: u64) {
        self.budget = budget;
        self.now_ns = now_ns;
        self.hold = Hold::default();
        if self.level == Level::Full {
            self.streaks = Streaks::default();
        } else {
            self.go(Level::Full, Cause::Reset);
        }
    }

    /// The state for health, metrics and the API.
    #[must_use]
    pub fn view(&self) -> View {
        View {
            budget: self.budget,
            level: self.level,
            cause: self.cause,
            since_ns: self.since_ns,
            cpu_percent: self.last.and_then(|reading| reading.cpu_percent),
            memory_bytes: self.last.and_then(|reading| reading.memory_bytes),
            hold_ns: self.hold.wait_ns(Ground::Load),
            hold_unknown_ns: self.hold.wait_ns(Ground::Hope),
            hold_try_ns: self.hold.wait_ns(Ground::Doubt),
            steps_down_cpu: self.steps_down[0],
            steps_down_memory: self.steps_down[1],
            steps_up: self.steps_up,
            clock_jumps: self.clock_jumps,
            time_ns: self.time_ns,
            transitions: self.transitions.iter().copied().collect(),
        }
    }

    fn count_time(&mut self, before_ns: u64) {
        if before_ns > 0 {
            self.time_ns[usize::from(self.level.depth())] += self.now_ns.saturating_sub(before_ns);
        }
    }

    /// The clock went back: what was to come at a time comes as long after now as it would have at most.
    fn jump(&mut self) {
        self.clock_jumps += 1;
        self.streaks = Streaks::default();
        let now = self.now_ns;
        self.since_ns = self.since_ns.min(now);
        self.hold.jump(now);
        self.shed_ns = [None; 2];
    }

    fn since(&self, at: Option<u64>) -> Option<u64> {
        at.map(|at| self.now_ns.saturating_sub(at))
    }

    /// Memory that is to be given up now.
    fn shed(&mut self, reading: &Reading) -> Shed {
        let (place, every, shed) = if self.streaks.memory_over > 0 {
            (1, SHED_QUEUE_EVERY, Shed::Queue)
        } else if Streaks::memory_presses(reading, &self.budget) {
            (0, SHED_CACHES_EVERY, Shed::Caches)
        } else {
            return Shed::Nothing;
        };
        if self.since(self.shed_ns[place]).is_some_and(|passed| passed < every) {
            return Shed::Nothing;
        }
        self.shed_ns[place] = Some(self.now_ns);
        shed
    }

    fn step(&mut self, reading: &Reading) {
        if let Some((level, cause)) = self.step_down(reading) {
            self.hold.down(self.level, reading, self.now_ns);
            self.steps_down[usize::from(matches!(cause, Cause::OverMemory { .. }))] += 1;
            self.go(level, cause);
        } else if let Some((level, cause, ground)) = self.step_up(reading) {
            self.hold.up(ground, self.now_ns);
            self.steps_up += 1;
            self.go(level, cause);
        } else {
            self.hold.rest(self.now_ns);
        }
    }

    fn step_down(&self, reading: &Reading) -> Option<(Level, Cause)> {
        if let Some(percent) = reading.cpu_percent {
            let ratio = percent / self.budget.cpu_percent;
            let just = self.since(self.hold.last_down_ns.max(self.hold.last_up_ns));
            let just = just.is_some_and(|passed| passed < JUST);
            let needed = match self.level {
                Level::CountOnly => OVER_LAST,
                Level::Full | Level::Half | Level::Quarter | Level::Eighth | Level::NoPayloads
                    if just || ratio >= 2.0 =>
                {
                    FAR_OVER
                }
                Level::Full | Level::Half | Level::Quarter | Level::Eighth | Level::NoPayloads => OVER,
                Level::Detached => u64::MAX,
            };
            if self.streaks.cpu_over.saturating_add(SLACK) >= needed {
                let cause = Cause::OverCpu { percent, budget: self.budget.cpu_percent };
                return Some((self.level.down(ratio), cause));
            }
        }
        let cause = Cause::OverMemory { bytes: reading.memory_bytes?, budget: self.budget.memory_bytes };
        let over = self.streaks.memory_over.saturating_add(SLACK);
        if self.level < Level::NoPayloads && over >= MEMORY_OVER {
            return Some((Level::NoPayloads, cause));
        }
        // Without probes nothing takes less memory than with probes that only count.
        (self.level == Level::NoPayloads && over >= MEMORY_STILL_OVER).then_some((Level::CountOnly, cause))
    }

    fn step_up(&self, reading: &Reading) -> Option<(Level, Cause, Ground)> {
        let above = self.level.up()?;
        let ground = self.hold.ground(above, reading, &self.budget);
        let wait = self.hold.wait_ns(ground);
        // The wait is for the first step up. The others follow as fast as calm can be told.
        let wait = match self.level {
            Level::Detached => wait.max(DETACHED),
            Level::Full
            | Level::Half
            | Level::Quarter
            | Level::Eighth
            | Level::NoPayloads
            | Level::CountOnly
                if self.hold.is_down() =>
            {
                wait
            }
            Level::Full
            | Level::Half
            | Level::Quarter
            | Level::Eighth
            | Level::NoPayloads
            | Level::CountOnly => CALM,
        };
        if self.now_ns.saturating_sub(self.since_ns).saturating_add(SLACK) < wait {
            return None;
        }
        if self.streaks.calm.saturating_add(SLACK) >= CALM {
            return Some((above, Cause::Calm, ground));
        }
        (self.streaks.within >= PATIENCE.max(wait)).then_some((above, Cause::Try, ground))
    }

    fn go(&mut self, level: Level, cause: Cause) {
        if self.transitions.len() >= MOST_TRANSITIONS {
            self.transitions.pop_front();
        }
        let transition = Transition { at_ns: self.now_ns, from: self.level, to: level, cause };
        self.transitions.push_back(transition);
        self.level = level;
        self.cause = cause;
        self.since_ns = self.now_ns;
        self.streaks = Streaks::default();
    }
}
