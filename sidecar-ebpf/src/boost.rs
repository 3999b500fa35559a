//! When anomalies boost a signal, and which threshold is in force. No lock: several processors may be here at once,
//! and each step is one atomic instruction.

use sidecar_common::{BoostState, HOUR_NS, MAX_ANOMALIES, SignalState};

/// The atomic instructions on a map's value: BPF's own, or the host's in the tests.
pub trait Atomics {
    /// Adds, and gives what was there before.
    ///
    /// # Safety
    /// `place` points to an aligned u64 that only atomic instructions and whole reads touch.
    unsafe fn fetch_add(place: *mut u64, amount: u64) -> u64;
    /// Stores `new` if `old` is there. Gives what was there.
    ///
    /// # Safety
    /// As above.
    unsafe fn compare_exchange(place: *mut u64, old: u64, new: u64) -> u64;
    /// Reads the whole word.
    ///
    /// # Safety
    /// As above.
    unsafe fn load(place: *const u64) -> u64;
    /// Writes the whole word.
    ///
    /// # Safety
    /// As above.
    unsafe fn store(place: *mut u64, value: u64);
}

/// The place of number `i` in one of the state's rings.
#[inline(always)]
fn slot(ring: *mut [u64; MAX_ANOMALIES], i: u64) -> *mut u64 {
    ring.cast::<u64>().wrapping_add(i as usize & (MAX_ANOMALIES - 1))
}

/// An anomaly at `now_ns`. Whether it began a boost: it is the last of `anomaly_threshold` within the window, no boost
/// is on, and the hour has one left.
///
/// # Safety
/// `state` points to a live [`BoostState`] that only this function and [`in_force`] write.
#[inline(always)]
pub unsafe fn anomaly<A: Atomics>(signal: &SignalState, state: *mut BoostState, now_ns: u64) -> bool {
    // SAFETY: every place is a field of the live state; the rings' indices are masked.
    unsafe {
        let times = &raw mut (*state).anomaly_at;
        let i = A::fetch_add(&raw mut (*state).anomalies, 1);
        A::store(slot(times, i), now_ns);
        let wanted = u64::from(signal.anomaly_threshold);
        if wanted == 0 || wanted > MAX_ANOMALIES as u64 || i + 1 < wanted {
            return false;
        }
        let first = A::load(slot(times, i + 1 - wanted));
        if first == 0 || now_ns.saturating_sub(first) > signal.anomaly_window_ns {
            return false;
        }
        let until = A::load(&raw const (*state).until_ns);
        if until > now_ns {
            return false;
        }
        let boosts = A::load(&raw const (*state).boosts);
        let most = u64::from(signal.boosts_per_hour);
        let starts = &raw mut (*state).boost_at;
        if most == 0
            || (boosts >= most && now_ns.saturating_sub(A::load(slot(starts, boosts - most))) < HOUR_NS)
        {
            A::fetch_add(&raw mut (*state).refused, 1);
            return false;
        }
        let end = now_ns.saturating_add(signal.boost_duration_ns);
        if A::compare_exchange(&raw mut (*state).until_ns, until, end) != until {
            return false;
        }
        A::store(slot(starts, boosts), now_ns);
        A::fetch_add(&raw mut (*state).boosts, 1);
        true
    }
}

/// Ends a boost and forgets the anomalies, so that the next boost waits for as many new ones. What the hour has used up
/// stays used.
///
/// # Safety
/// As [`anomaly`].
#[inline(always)]
pub unsafe fn clear<A: Atomics>(state: *mut BoostState) {
    // SAFETY: as in `anomaly`.
    unsafe {
        A::store(&raw mut (*state).until_ns, 0);
        let times = &raw mut (*state).anomaly_at;
        let mut i = 0;
        while i < MAX_ANOMALIES as u64 {
            A::store(slot(times, i), 0);
            i += 1;
        }
    }
}

/// The threshold in force. `now_ns` is asked only while a boost that would raise it may be on, because a clock costs more
/// than all the rest of a hit that is only counted; a boost that is found to have ended is cleared.
///
/// # Safety
/// As [`anomaly`].
#[inline(always)]
pub unsafe fn in_force<A: Atomics>(
    signal: &SignalState,
    state: *mut BoostState,
    now_ns: impl FnOnce() -> u64,
) -> u64 {
    let mut threshold = signal.threshold;
    // SAFETY: as in `anomaly`.
    unsafe {
        let until = A::load(&raw const (*state).until_ns);
        if until | signal.forced_until_ns == 0 || signal.boosted.max(signal.forced) <= threshold {
            return threshold;
        }
        let now = now_ns();
        if now < signal.forced_until_ns && signal.forced > threshold {
            threshold = signal.forced;
        }
        if now < until {
            if signal.boosted > threshold {
                threshold = signal.boosted;
            }
        } else if until != 0 {
            A::compare_exchange(&raw mut (*state).until_ns, until, 0);
        }
    }
    threshold
}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

    use sidecar_common::RATE_ONE;

    use super::*;

    struct Host;

    fn word<'a>(place: *const u64) -> &'a AtomicU64 {
        // SAFETY: the tests pass pointers into states that outlive the call.
        unsafe { AtomicU64::from_ptr(place.cast_mut()) }
    }

    impl Atomics for Host {
        unsafe fn fetch_add(place: *mut u64, amount: u64) -> u64 {
            word(place).fetch_add(amount, SeqCst)
        }
        unsafe fn compare_exchange(place: *mut u64, old: u64, new: u64) -> u64 {
            word(place).compare_exchange(old, new, SeqCst, SeqCst).unwrap_or_else(|seen| seen)
        }
        unsafe fn load(place: *const u64) -> u64 {
            word(place).load(SeqCst)
        }
        unsafe fn store(place: *mut u64, value: u64) {
            word(place).store(value, SeqCst);
        }
    }

    const SECOND: u64 = 1_000_000_000;

    fn signal() -> SignalState {
        SignalState {
            threshold: RATE_ONE / 10,
            boosted: RATE_ONE / 2,
            anomaly_window_ns: 60 * SECOND,
            boost_duration_ns: 60 * SECOND,
            anomaly_threshold: 5,
            boosts_per_hour: 10,
            ..SignalState::default()
        }
    }

    fn report(signal: &SignalState, state: &mut BoostState, now: u64) -> bool {
        // SAFETY: the state is this test's own.
        unsafe { anomaly::<Host>(signal, state, now) }
    }

    fn threshold(signal: &SignalState, state: &mut BoostState, now: u64) -> u64 {
        // SAFETY: as above.
        unsafe { in_force::<Host>(signal, state, || now) }
    }

    #[test]
    fn the_last_of_five_within_the_window_begins_a_boost_that_ends_by_itself() {
        let (signal, mut state) = (signal(), BoostState::default());
        for i in 0..4 {
            assert!(!report(&signal, &mut state, (100 + i) * SECOND));
            assert_eq!(threshold(&signal, &mut state, (100 + i) * SECOND), RATE_ONE / 10);
        }
        assert!(report(&signal, &mut state, 105 * SECOND));
        assert_eq!(threshold(&signal, &mut state, 105 * SECOND), RATE_ONE / 2);
        assert_eq!(threshold(&signal, &mut state, 165 * SECOND - 1), RATE_ONE / 2);
        assert_eq!(threshold(&signal, &mut state, 165 * SECOND), RATE_ONE / 10);
        assert_eq!(state.until_ns, 0, "the next hit does not ask the clock");
    }

    #[test]
    fn the_clock_is_asked_only_where_a_boost_would_raise_the_rate() {
        for threshold in [0, RATE_ONE] {
            let signal = SignalState {
                threshold,
                boosted: threshold,
                forced: threshold,
                forced_until_ns: u64::MAX,
                ..signal()
            };
            let mut state = BoostState { until_ns: u64::MAX, ..BoostState::default() };
            // SAFETY: as above.
            let found = unsafe { in_force::<Host>(&signal, &mut state, || panic!("the clock")) };
            assert_eq!(found, threshold);
        }
    }

    #[test]
    fn the_window_slides() {
        let (signal, mut state) = (signal(), BoostState::default());
        // Never five within a minute.
        for i in 0..100 {
            assert!(!report(&signal, &mut state, 15_100_000_000 * i), "{i}");
        }
        // The last four of those and one more are.
        assert!(report(&signal, &mut state, 15_100_000_000 * 99 + SECOND));
    }

    #[test]
    fn a_boost_is_not_prolonged_and_the_hours_number_is_kept() {
        let (signal, mut state) = (signal(), BoostState::default());
        let mut boosted = 0;
        let mut begun = Vec::new();
        // A hostile test reports an anomaly every second for three hours.
        for now in (1..=3 * 3600).map(|i| i * SECOND) {
            if report(&signal, &mut state, now) {
                begun.push(now);
            }
            boosted += u64::from(threshold(&signal, &mut state, now) > RATE_ONE / 10);
        }
        assert!(begun.windows(2).all(|pair| pair[1] - pair[0] >= 60 * SECOND));
        assert!(begun.windows(11).all(|row| row[10] - row[0] >= HOUR_NS), "ten in any hour");
        assert!((1790..=1810).contains(&boosted), "{boosted} s of three hours");
        assert!(state.refused > 0);
        assert_eq!(state.boosts, begun.len() as u64);
    }

    #[test]
    fn no_number_and_too_large_a_number_boost_nothing() {
        for anomaly_threshold in [0, 65, u32::MAX] {
            let signal = SignalState { anomaly_threshold, ..signal() };
            let mut state = BoostState::default();
            assert!((0..200).all(|_| !report(&signal, &mut state, SECOND)));
            assert_eq!(state.anomalies, 200, "they are counted all the same");
        }
        let none = SignalState { boosts_per_hour: 0, ..signal() };
        let mut state = BoostState::default();
        assert!((0..200).all(|_| !report(&none, &mut state, SECOND)));
    }

    #[test]
    fn a_boost_on_request_holds_for_its_time_and_the_greater_threshold_wins() {
        let mut state = BoostState::default();
        let asked = SignalState { forced: RATE_ONE / 4, forced_until_ns: 50 * SECOND, ..signal() };
        assert_eq!(threshold(&asked, &mut state, 49 * SECOND), RATE_ONE / 4);
        assert_eq!(threshold(&asked, &mut state, 50 * SECOND), RATE_ONE / 10);
        for _ in 0..5 {
            report(&asked, &mut state, 10 * SECOND);
        }
        assert_eq!(threshold(&asked, &mut state, 20 * SECOND), RATE_ONE / 2);
        let less = SignalState { boosted: 0, forced: 0, ..asked };
        assert_eq!(threshold(&less, &mut state, 20 * SECOND), RATE_ONE / 10, "a boost never lowers a rate");
    }

    #[test]
    fn clearing_ends_a_boost_and_forgets_the_anomalies() {
        let (signal, mut state) = (signal(), BoostState::default());
        for _ in 0..5 {
            report(&signal, &mut state, 10 * SECOND);
        }
        // SAFETY: the state is this test's own.
        unsafe { clear::<Host>(&mut state) };
        assert_eq!(threshold(&signal, &mut state, 11 * SECOND), RATE_ONE / 10);
        for _ in 0..4 {
            assert!(!report(&signal, &mut state, 12 * SECOND));
        }
        assert!(report(&signal, &mut state, 12 * SECOND));
        assert_eq!((state.boosts, state.anomalies), (2, 10), "what was counted stays counted");
    }

    #[test]
    fn a_clock_that_jumps_back_begins_no_endless_boost() {
        let (signal, mut state) = (signal(), BoostState::default());
        for _ in 0..5 {
            report(&signal, &mut state, 1000 * SECOND);
        }
        assert_eq!(state.boosts, 1);
        assert!(!report(&signal, &mut state, SECOND), "it is on already");
        assert_eq!(threshold(&signal, &mut state, u64::MAX), RATE_ONE / 10);
        let near_the_end = u64::MAX - SECOND;
        for _ in 0..5 {
            report(&signal, &mut state, near_the_end);
        }
        assert_eq!(state.until_ns, u64::MAX, "saturates");
    }

    #[test]
    fn many_processors_begin_one_boost() {
        let signal = signal();
        let mut state = BoostState::default();
        let place = &raw mut state as usize;
        let begun: usize = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(move || {
                        let report = |i| {
                            // SAFETY: the state outlives the scope, and only these functions touch it.
                            unsafe { anomaly::<Host>(&signal, place as *mut BoostState, SECOND + i) }
                        };
                        (0..10_000).filter(|&i| report(i)).count()
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap()).sum()
        });
        assert_eq!((begun, state.anomalies, state.boosts), (1, 80_000, 1));
    }
}
