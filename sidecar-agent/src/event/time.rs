//! Times as text.

use jiff::Timestamp;
use jiff::fmt::temporal::DateTimePrinter;

/// A time in nanoseconds since 1970 UTC as RFC 3339 with nine digits, as in `2026-11-24T04:05:53.346000001Z`.
#[must_use]
pub fn rfc3339(time_ns: i64) -> String {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(9));

    // An i64 of nanoseconds reaches from 1677 to 2262, which is well within what jiff knows.
    let time = Timestamp::from_nanosecond(time_ns.into()).unwrap_or(Timestamp::UNIX_EPOCH);
    PRINTER.timestamp_to_string(&time)
}

/// The wall clock time of a monotonic time, held at the ends of what an i64 can say.
pub(super) fn utc_ns(mono_ns: u64, mono_to_utc_ns: i64) -> i64 {
    i64::try_from(i128::from(mono_ns) + i128::from(mono_to_utc_ns)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_nine_digits() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000000000Z");
        assert_eq!(rfc3339(1), "1970-01-01T00:00:00.000000001Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999999999Z");
        assert_eq!(rfc3339(1_795_493_153_346_000_000), "2026-11-24T04:05:53.346000000Z");
    }

    #[test]
    fn the_ends_of_the_range_are_times_too() {
        assert_eq!(rfc3339(i64::MAX), "2262-04-11T23:47:16.854775807Z");
        assert_eq!(rfc3339(i64::MIN), "1677-09-21T00:12:43.145224192Z");
        assert_eq!(utc_ns(u64::MAX, i64::MAX), i64::MAX);
        assert_eq!(utc_ns(u64::MAX, 0), i64::MAX);
        assert_eq!(utc_ns(0, i64::MIN), i64::MIN);
        assert_eq!(utc_ns(5, -7), -2);
    }
}
