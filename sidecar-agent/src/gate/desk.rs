//! Who waits at the gate and for how long. Makes no system call and reads no clock.

use super::identity::Identity;
use super::recent::Recent;
use super::stats::GateStats;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Half of the number of images that are remembered.
const REMEMBERED: usize = 4_096;

/// Whose exec it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// The agent's or the gate's.
    Own,
    /// A process in the watched tree.
    Watched,
    /// Any other process.
    Stranger,
}

/// What to do with a new arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Let it go.
    Pass,
    /// Ask the agent under this number, then [`Desk::hold`] it, or [`Desk::refuse`] it if asking failed.
    Ask(u64),
    /// Tell the agent under this number, and let it go at once: the agent does not answer at the moment.
    Tell(u64),
}

/// One that waits; `T` is what lets it go.
struct Held<T> {
    token: T,
    since: Instant,
    /// Set if the image may be remembered once it is answered for.
    identity: Option<Identity>,
}

/// The gate's state.
pub(super) struct Desk<T> {
    held: BTreeMap<u64, Held<T>>,
    known: Recent<Identity, ()>,
    deadline: Duration,
    max_held: usize,
    next_id: u64,
    last_word: Option<Instant>,
    stalled: bool,
    stats: GateStats,
}

impl<T> Desk<T> {
    pub(super) fn new(deadline: Duration, max_held: usize) -> Self {
        Self {
            held: BTreeMap::new(),
            known: Recent::new(REMEMBERED),
            deadline,
            max_held,
            next_id: 0,
            last_word: None,
            stalled: false,
            stats: GateStats::default(),
        }
    }

    pub(super) fn stats(&self) -> GateStats {
        self.stats
    }

    /// A process asks to execute an image; `identity` is called only if it matters.
    pub(super) fn arrive(&mut self, who: Who, identity: impl FnOnce() -> Option<Identity>) -> Verdict {
        self.stats.events += 1;
        match who {
            Who::Own => {
                self.stats.own += 1;
                return Verdict::Pass;
            }
            Who::Stranger => {
                self.stats.unwatched += 1;
                return Verdict::Pass;
            }
            Who::Watched => {}
        }
        if identity().is_some_and(|identity| self.known.get(&identity).is_some()) {
            self.stats.known += 1;
            return Verdict::Pass;
        }
        if self.held.len() >= self.max_held {
            self.stats.overload += 1;
            return Verdict::Pass;
        }
        self.next_id += 1;
        if self.stalled {
            self.stats.stalled += 1;
            return Verdict::Tell(self.next_id);
        }
        Verdict::Ask(self.next_id)
    }

    /// The agent was asked: hold the arrival. Without `identity` the image will not be remembered.
    pub(super) fn hold(&mut self, id: u64, token: T, identity: Option<Identity>, now: Instant) {
        self.stats.held += 1;
        self.held.insert(id, Held { token, since: now, identity });
    }

    /// The agent could not be asked: the arrival is let go.
    pub(super) fn refuse(&mut self) {
        self.stats.overload += 1;
    }

    /// The kernel's queue overflowed.
    pub(super) fn overflow(&mut self) {
        self.stats.overflows += 1;
    }

    /// The agent said something, so it is alive.
    pub(super) fn heard(&mut self, now: Instant) {
        self.last_word = Some(now);
        self.stalled = false;
    }

    /// The agent answers. None if it is late, or no such question was asked.
    pub(super) fn answer(&mut self, id: u64, remember: bool, now: Instant) -> Option<T> {
        let held = self.held.remove(&id)?;
        self.stats.answered += 1;
        self.note_hold(held.since, now);
        if let (true, Some(identity)) = (remember, held.identity) {
            self.known.insert(identity, ());
        }
        Some(held.token)
    }

    /// Forgets every image that was answered for.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// When the next hold ends by itself.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        // Numbers rise with time and the deadline is one for all, so the lowest is the first.
        self.held.first_key_value().map(|(_, held)| held.since + self.deadline)
    }

    /// Takes one whose deadline has passed. If the agent said nothing since that one came, it is stalled, and
    /// nobody else is held until it speaks.
    pub(super) fn expire(&mut self, now: Instant) -> Option<T> {
        let (&id, held) = self.held.first_key_value()?;
        if held.since + self.deadline > now {
            return None;
        }
        self.stalled |= self.last_word.is_none_or(|word| word <= held.since);
        let held = self.held.remove(&id)?;
        self.stats.expired += 1;
        self.note_hold(held.since, now);
        Some(held.token)
    }

    /// Takes one, whatever its time, because the gate ends.
    pub(super) fn release(&mut self, now: Instant) -> Option<T> {
        let (_, held) = self.held.pop_first()?;
        self.stats.released += 1;
        self.note_hold(held.since, now);
        Some(held.token)
    }

    fn note_hold(&mut self, since: Instant, now: Instant) {
        let hold = now.saturating_duration_since(since).as_nanos();
        self.stats.max_hold_ns = self.stats.max_hold_ns.max(u64::try_from(hold).unwrap_or(u64::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Duration = Duration::from_millis(100);

    fn image(ino: u64) -> impl FnOnce() -> Option<Identity> {
        move || Some(Identity::for_test(ino))
    }

    fn ask(desk: &mut Desk<u64>, ino: u64, now: Instant) -> u64 {
        let Verdict::Ask(id) = desk.arrive(Who::Watched, image(ino)) else { panic!("not asked") };
        desk.hold(id, ino, Some(Identity::for_test(ino)), now);
        id
    }

    fn assert_balance<T>(desk: &Desk<T>) {
        let s = desk.stats();
        assert_eq!(s.events, s.own + s.unwatched + s.known + s.held + s.overload + s.stalled, "{s:?}");
        assert_eq!(s.held, s.answered + s.expired + s.released + desk.held.len() as u64, "{s:?}");
    }

    #[test]
    fn only_the_tree_is_held_and_only_it_is_looked_at() {
        let mut desk = Desk::<u64>::new(DEADLINE, 10);
        assert_eq!(desk.arrive(Who::Own, || panic!("looked at")), Verdict::Pass);
        assert_eq!(desk.arrive(Who::Stranger, || panic!("looked at")), Verdict::Pass);
        ask(&mut desk, 1, Instant::now());
        assert_eq!((desk.stats().own, desk.stats().unwatched, desk.stats().held), (1, 1, 1));
        assert_balance(&desk);
    }

    #[test]
    fn an_answered_image_is_known_until_it_is_forgotten() {
        let start = Instant::now();
        let mut desk = Desk::new(DEADLINE, 10);
        let id = ask(&mut desk, 7, start);
        assert_eq!(desk.answer(id, true, start + Duration::from_millis(3)), Some(7));
        assert_eq!(desk.arrive(Who::Watched, image(7)), Verdict::Pass);
        assert_eq!(desk.stats().known, 1);
        assert_eq!(desk.stats().max_hold(), Duration::from_millis(3));
        desk.forget();
        ask(&mut desk, 7, start);
        assert_balance(&desk);
    }

    #[test]
    fn an_image_is_not_known_if_the_answer_or_the_file_forbids_it() {
        let now = Instant::now();
        let mut desk = Desk::new(DEADLINE, 10);
        let id = ask(&mut desk, 7, now);
        desk.answer(id, false, now);
        let id = ask(&mut desk, 7, now);
        desk.answer(id, true, now);
        let Verdict::Ask(id) = desk.arrive(Who::Watched, image(8)) else { panic!("not asked") };
        desk.hold(id, 8, None, now);
        desk.answer(id, true, now);
        assert_eq!(desk.arrive(Who::Watched, image(7)), Verdict::Pass);
        assert!(matches!(desk.arrive(Who::Watched, image(8)), Verdict::Ask(_)), "it was not settled");
        assert!(matches!(desk.arrive(Who::Watched, || None), Verdict::Ask(_)), "it could not be identified");
    }

    #[test]
    fn the_deadline_lets_go_in_order_and_late_answers_do_nothing() {
        let start = Instant::now();
        let mut desk = Desk::new(DEADLINE, 10);
        assert_eq!(desk.next_deadline(), None);
        let first = ask(&mut desk, 1, start);
        ask(&mut desk, 2, start + Duration::from_millis(40));
        assert_eq!(desk.next_deadline(), Some(start + DEADLINE));
        assert_eq!(desk.expire(start + Duration::from_millis(99)), None);
        assert_eq!(desk.expire(start + DEADLINE), Some(1));
        assert_eq!(desk.expire(start + DEADLINE), None);
        assert_eq!(desk.answer(first, true, start + DEADLINE), None);
        assert_eq!(desk.answer(99, true, start + DEADLINE), None);
        assert_eq!(desk.stats().expired, 1);
        assert_balance(&desk);
    }

    #[test]
    fn an_agent_that_missed_a_deadline_delays_nobody_else_until_it_speaks() {
        let start = Instant::now();
        let mut desk = Desk::new(DEADLINE, 10);
        desk.heard(start);
        ask(&mut desk, 1, start + Duration::from_millis(1));
        desk.expire(start + Duration::from_millis(200));
        assert!(matches!(desk.arrive(Who::Watched, image(2)), Verdict::Tell(_)));
        assert_eq!(desk.stats().stalled, 1);
        desk.heard(start + Duration::from_millis(300));
        ask(&mut desk, 2, start + Duration::from_millis(301));
        assert_balance(&desk);
    }

    #[test]
    fn an_agent_that_is_slow_with_one_image_but_speaks_is_not_stalled() {
        let start = Instant::now();
        let mut desk = Desk::new(DEADLINE, 10);
        ask(&mut desk, 1, start);
        desk.heard(start + Duration::from_millis(50));
        assert_eq!(desk.expire(start + DEADLINE), Some(1));
        assert!(matches!(desk.arrive(Who::Watched, image(2)), Verdict::Ask(_)));
    }

    #[test]
    fn beyond_the_bound_nobody_is_held() {
        let now = Instant::now();
        let mut desk = Desk::new(DEADLINE, 2);
        ask(&mut desk, 1, now);
        ask(&mut desk, 2, now);
        assert_eq!(desk.arrive(Who::Watched, image(3)), Verdict::Pass);
        assert!(matches!(desk.arrive(Who::Own, || None), Verdict::Pass));
        assert_eq!(desk.stats().overload, 1);
        assert_balance(&desk);
    }

    #[test]
    fn every_end_is_counted_once() {
        let now = Instant::now();
        let mut desk = Desk::new(DEADLINE, 10);
        let first = ask(&mut desk, 1, now);
        ask(&mut desk, 2, now);
        ask(&mut desk, 3, now);
        desk.answer(first, true, now);
        assert_eq!(desk.expire(now + DEADLINE), Some(2));
        assert_eq!(desk.release(now), Some(3));
        assert_eq!(desk.release(now), None);
        assert!(matches!(desk.arrive(Who::Watched, image(4)), Verdict::Tell(_)));
        desk.heard(now);
        assert!(matches!(desk.arrive(Who::Watched, image(4)), Verdict::Ask(_)));
        desk.refuse();
        desk.overflow();
        let s = desk.stats();
        assert_eq!((s.answered, s.expired, s.released, s.overload, s.overflows), (1, 1, 1, 1, 1));
        assert_balance(&desk);
    }
}
