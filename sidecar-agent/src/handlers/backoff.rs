//! How long to wait before the next attempt: exponential with jitter, or what the server asks for.

use std::time::Duration;

/// The longest time that a server may ask to wait for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Waits that double with each failure in a row.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Waits from about `first` up to `longest`.
    pub(super) fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The wait after one more failure: half of it sure, half of it by `random`, so that many agents that lost one
    /// server do not come back at once.
    pub(super) fn next(&mut self, random: u64) -> Duration {
        let whole = self.first.saturating_mul(1 << self.failures.min(20)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        whole / 2 + (whole / 2).mul_f64(random as f64 / u64::MAX as f64)
    }

    /// Something went well.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }
}

/// What a Retry-After header asks for, seconds or a date, at most [`LONGEST_WAIT`]; none if it is neither.
pub(super) fn retry_after(header: &str, now: jiff::Timestamp) -> Option<Duration> {
    let header = header.trim();
    let wait = if header.bytes().all(|byte| byte.is_ascii_digit()) && !header.is_empty() {
        Duration::from_secs(header.parse().unwrap_or(u64::MAX))
    } else {
        let at = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(header).ok()?;
        Duration::try_from(at.duration_since(now)).unwrap_or_default()
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_limit_and_begin_anew() {
        let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(30));
        let longest: Vec<u64> = (0..8).map(|_| backoff.next(u64::MAX).as_millis() as u64).collect();
        assert_eq!(longest, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff.next(0), Duration::from_secs(15));
        backoff.reset();
        assert_eq!(backoff.next(0), Duration::from_millis(250));
        let mut long = Backoff { failures: u32::MAX, ..backoff };
        assert_eq!(long.next(u64::MAX), Duration::from_secs(30));
    }

    #[test]
    fn a_server_may_ask_for_a_while_and_no_more() {
        let now: jiff::Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        for (header, seconds) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("86400", Some(60)),
            ("99999999999999999999999", Some(60)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("Thu, 31 Dec 9998 23:59:59 GMT", Some(60)),
            ("", None),
            ("-1", None),
            ("soon", None),
        ] {
            assert_eq!(retry_after(header, now), seconds.map(Duration::from_secs), "{header:?}");
        }
    }
}
