//! A rate limit: a bucket of tokens that fills at the rate. Time is passed in.

use std::time::Instant;

/// Lets `rate` events a second pass, and a second's worth (at least one) at once after a pause.
#[derive(Debug)]
pub(super) struct TokenBucket {
    rate: f64,
    tokens: f64,
    filled: Instant,
}

impl TokenBucket {
    /// A full bucket.
    pub(super) fn new(rate: f64, now: Instant) -> Self {
        Self { rate, tokens: rate.max(1.0), filled: now }
    }

    /// Whether one more may pass now.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let since = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + since * self.rate).min(self.rate.max(1.0));
        let passes = self.tokens >= 1.0;
        if passes {
            self.tokens -= 1.0;
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_and_then_the_rate_rules() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(10.0, start);
        assert_eq!((0..100).filter(|_| bucket.take(start)).count(), 10);
        // An hour of an attempt each 10 ms: ten a second pass, and the burst was had already.
        let passed = (1..=360_000).filter(|i| bucket.take(start + Duration::from_millis(10 * i))).count();
        assert!((35_990..=36_000).contains(&passed), "{passed}");
    }

    #[test]
    fn a_rate_below_one_lets_one_pass_and_a_clock_that_stands_or_goes_back_none() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(0.1, start);
        assert!(bucket.take(start));
        assert!(!bucket.take(start));
        assert!(bucket.take(start + Duration::from_secs(11)));
        assert!(!bucket.take(start + Duration::from_secs(5)));
        assert!(!bucket.take(start + Duration::from_secs(12)));
    }
}
