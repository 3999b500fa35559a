//! A steady load of hits, and the time that a thread was on a processor.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Hits are fired in portions, one a tick.
const TICK: Duration = Duration::from_millis(1);

/// What a load came to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fired {
    /// Hits.
    pub hits: u64,
    /// Time that they took.
    pub elapsed: Duration,
}

impl Fired {
    /// Hits a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.hits as f64 / self.elapsed.as_secs_f64()
    }
}

/// Fires `rate` hits a second for some time, and at most twice as fast where it has to catch up. `fire` gets the
/// number of the hit.
pub fn paced(rate: u32, time: Duration, mut fire: impl FnMut(u64)) -> Fired {
    let portion = u64::from(rate) * 2 / 1000;
    let start = Instant::now();
    let mut hits = 0;
    loop {
        let elapsed = start.elapsed();
        if elapsed >= time {
            return Fired { hits, elapsed };
        }
        let due = (elapsed.as_secs_f64() * f64::from(rate)) as u64;
        for _ in 0..portion.min(due.saturating_sub(hits)) {
            fire(hits);
            hits += 1;
        }
        let next = TICK.saturating_sub(start.elapsed().saturating_sub(elapsed));
        std::thread::sleep(next);
    }
}

/// Time that this thread was on a processor. 0 if the clock can't be read, which Linux does not do.
#[must_use]
pub fn own_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}
