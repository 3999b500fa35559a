//! When a process is looked at again, because a program maps libraries after it was executed: soon at first, then more
//! and more seldom. How much of the time that takes is bounded; what is over it comes later.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    time::{Duration, Instant},
};

/// After how many milliseconds from the look before. The last one repeats. Within its first second, an interpreter loads what
/// it needs for its tests.
const STEPS_MS: [u64; 24] = {
    let mut steps = [50; 24];
    steps[0] = 10;
    steps[1] = 40;
    steps[21] = 1_000;
    steps[22] = 2_000;
    steps[23] = 10_000;
    steps
};
/// One hundredth of a processor's time.
const SHARE: u32 = 100;
/// What may be spent at once after a quiet time.
const BURST: Duration = Duration::from_millis(20);

/// The processes that are looked at again.
#[derive(Debug)]
pub(super) struct Schedule {
    most: usize,
    /// When, which, and its serial number.
    due: BinaryHeap<Reverse<(Instant, u32, u64)>>,
    /// The next step of each, and the serial number of its entry. Other entries are void.
    steps: HashMap<u32, (usize, u64)>,
    serial: u64,
    /// Time that may be spent, as of `at`; what was spent beyond it is owed.
    credit: Duration,
    debt: Duration,
    at: Instant,
}

impl Schedule {
    /// At most `most` processes. Beyond them, none is added.
    pub(super) fn new(most: usize, now: Instant) -> Self {
        let (due, steps) = (BinaryHeap::new(), HashMap::new());
        Self { most, due, steps, serial: 0, credit: BURST, debt: Duration::ZERO, at: now }
    }

    /// A process has just executed a program.
    pub(super) fn executed(&mut self, pid: u32, now: Instant) {
        self.put(pid, 0, now);
    }

    /// A process was found. It may be known already.
    pub(super) fn found(&mut self, pid: u32, now: Instant) {
        if !self.steps.contains_key(&pid) {
            self.put(pid, 0, now);
        }
    }

    fn put(&mut self, pid: u32, step: usize, now: Instant) {
        if self.steps.len() >= self.most && !self.steps.contains_key(&pid) {
            return;
        }
        self.serial += 1;
        self.steps.insert(pid, (step, self.serial));
        let after = STEPS_MS.get(step).or(STEPS_MS.last()).copied().unwrap_or_default();
        self.due.push(Reverse((now + Duration::from_millis(after), pid, self.serial)));
    }

    /// How long nothing is to be done.
    pub(super) fn rest(&self, now: Instant) -> Option<Duration> {
        let Reverse((at, _, _)) = self.due.peek()?;
        let paid = self.at + self.debt.saturating_mul(SHARE);
        Some((*at).max(paid).saturating_duration_since(now))
    }

    /// The next process that is due, if there is time for it. Its next look is due by [`Schedule::spent`].
    pub(super) fn next(&mut self, now: Instant) -> Option<u32> {
        self.earn(now);
        if !self.debt.is_zero() {
            return None;
        }
        loop {
            let Reverse((at, pid, serial)) = *self.due.peek()?;
            if at > now {
                return None;
            }
            self.due.pop();
            if self.steps.get(&pid).is_some_and(|(_, current)| *current == serial) {
                return Some(pid);
            }
        }
    }

    /// A look took so long; `alive`: the process is to be looked at again.
    pub(super) fn spent(&mut self, pid: u32, took: Duration, alive: bool, now: Instant) {
        self.debt += took.saturating_sub(self.credit);
        self.credit = self.credit.saturating_sub(took);
        match self.steps.get(&pid) {
            Some((step, _)) if alive => self.put(pid, (step + 1).min(STEPS_MS.len() - 1), now),
            _ => {
                self.steps.remove(&pid);
            }
        }
    }

    fn earn(&mut self, now: Instant) {
        let earned = now.saturating_duration_since(self.at) / SHARE;
        self.at = now;
        self.credit = (self.credit + earned.saturating_sub(self.debt)).min(BURST);
        self.debt = self.debt.saturating_sub(earned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_process_is_looked_at_soon_and_then_more_and_more_seldom() {
        let start = Instant::now();
        let mut schedule = Schedule::new(10, start);
        schedule.executed(7, start);
        let mut looks = Vec::new();
        for ms in 0..40_000 {
            let now = start + MS * ms;
            if let Some(pid) = schedule.next(now) {
                looks.push(ms);
                schedule.spent(pid, MS / 10, true, now);
            }
        }
        let first: Vec<u32> = std::iter::once(10).chain((50..=1_000).step_by(50)).collect();
        assert_eq!(looks[..first.len()], first);
        assert_eq!(looks[first.len()..], [2_000, 4_000, 14_000, 24_000, 34_000]);
        // Another program in the same process begins anew, and the entry of before is void.
        schedule.executed(7, start + MS * 40_000);
        assert_eq!(schedule.rest(start + MS * 40_000), Some(MS * 10));
        assert_eq!(schedule.next(start + MS * 40_010), Some(7));
        schedule.spent(7, MS, false, start + MS * 40_010);
        assert_eq!(schedule.next(start + MS * 99_000), None, "it has ended");
        assert_eq!(schedule.rest(start + MS * 99_000), None);
    }

    #[test]
    fn no_more_than_a_hundredth_of_the_time_is_spent_and_nobody_is_forgotten() {
        let start = Instant::now();
        let mut schedule = Schedule::new(1_000, start);
        for pid in 1..=1_000 {
            schedule.executed(pid, start);
        }
        let (mut spent, mut seen) = (Duration::ZERO, std::collections::HashSet::new());
        for ms in 0..200_000 {
            let now = start + MS * ms;
            while let Some(pid) = schedule.next(now) {
                seen.insert(pid);
                spent += MS;
                schedule.spent(pid, MS, true, now);
            }
        }
        assert!(spent <= MS * 2_000 + BURST + MS, "{spent:?}");
        assert!(spent >= MS * 1_900, "{spent:?}");
        assert_eq!(seen.len(), 1_000);
    }

    #[test]
    fn the_number_of_processes_is_bounded() {
        let start = Instant::now();
        let mut schedule = Schedule::new(2, start);
        for pid in 1..=3 {
            schedule.found(pid, start);
        }
        schedule.executed(1, start);
        let later = start + Duration::from_secs(60);
        let mut due: Vec<_> = std::iter::from_fn(|| schedule.next(later)).collect();
        due.sort_unstable();
        assert_eq!(due, [1, 2]);
    }
}
