//! How fast an agent that starts looks at what is there already: quickly where that is little, and else so that it takes
//! no more than a small share of a processor.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// As long as this, it goes as fast as it can.
const FREE: Duration = Duration::from_millis(1_000);
/// From then on it does so again: whoever waits for it to be ready has waited enough.
const PATIENCE: Duration = Duration::from_secs(20);
/// In between one twenty-fifth of a processor's time.
const SHARE: u32 = 25;

/// What one thread has used since it began.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    before: Duration,
    /// What it had used when the free time was over.
    free: Option<Duration>,
}

impl Pace {
    /// Begins now, on this thread.
    pub(super) fn new() -> Self {
        Self { since: Instant::now(), before: used(), free: None }
    }

    /// How long to rest now. Ask on the same thread.
    pub(super) fn rest(&mut self) -> Duration {
        self.rest_at(self.since.elapsed(), used().saturating_sub(self.before))
    }

    fn rest_at(&mut self, elapsed: Duration, used: Duration) -> Duration {
        let Some(paced) = elapsed.checked_sub(FREE).filter(|_| elapsed < PATIENCE) else {
            return Duration::ZERO;
        };
        let since = used.saturating_sub(*self.free.get_or_insert(used));
        since.saturating_mul(SHARE).saturating_sub(paced)
    }
}

/// Time that this thread was on a processor. None that is known is no reason to rest.
fn used() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn it_is_free_at_first_and_then_keeps_to_its_share() {
        let mut pace = Pace::new();
        assert_eq!(pace.rest_at(MS * 999, MS * 900), Duration::ZERO);
        assert_eq!(pace.rest_at(MS * 1_000, MS * 900), Duration::ZERO, "what it has used until now is free");
        assert_eq!(pace.rest_at(MS * 1_010, MS * 910), MS * 240);
        assert_eq!(pace.rest_at(MS * 1_250, MS * 910), Duration::ZERO);
        assert_eq!(pace.rest_at(MS * 9_000, MS * 1_000), Duration::ZERO, "it has waited for something else");
        assert!(pace.rest_at(MS * 19_999, MS * 9_000) > Duration::ZERO);
        assert_eq!(pace.rest_at(MS * 20_000, MS * 9_000), Duration::ZERO, "nobody waits for ever");
    }

    #[test]
    fn a_thread_that_works_has_used_time() {
        let before = used();
        let mut sum = 0u64;
        while used() <= before {
            sum = std::hint::black_box(sum + 1);
        }
    }
}
