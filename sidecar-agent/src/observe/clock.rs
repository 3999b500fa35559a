//! The distance between the clock of the records and UTC.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds to add to CLOCK_MONOTONIC to get UTC since 1970. Of a few readings the one is used whose two clocks
/// were read closest together. 0 if a clock can't be read, which Linux does not do.
pub(super) fn monotonic_to_utc_ns() -> i64 {
    let read = |clock| clock_gettime(clock).map(Duration::from).ok();
    let mut best: Option<(Duration, i64)> = None;
    for _ in 0..5 {
        let (Some(before), Some(utc), Some(after)) =
            (read(ClockId::CLOCK_MONOTONIC), read(ClockId::CLOCK_REALTIME), read(ClockId::CLOCK_MONOTONIC))
        else {
            return 0;
        };
        let width = after.saturating_sub(before);
        let middle = before + width / 2;
        let distance = utc.as_nanos() as i128 - middle.as_nanos() as i128;
        if best.is_none_or(|(least, _)| width < least) {
            best = Some((width, i64::try_from(distance).unwrap_or(0)));
        }
    }
    best.map_or(0, |(_, distance)| distance)
}

/// Now, in nanoseconds of CLOCK_MONOTONIC.
pub(crate) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_monotonic_time_becomes_the_system_time() {
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
        let monotonic = Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap()).as_nanos() as i64;
        let now = monotonic + monotonic_to_utc_ns();
        let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
        // The clocks are read one after the other; a clock step in between is not expected in a test.
        assert!(now + 1_000_000_000 > before && now < after + 1_000_000_000, "{before} {now} {after}");
    }
}
