//! The clock of the records: the kernel's own CLOCK_MONOTONIC, and its distance from UTC.
//!
//! In a time namespace (of a restored container, say) this process's CLOCK_MONOTONIC is another than the one by which the
//! kernel programs stamp records and end boosts. So the namespace's offset is taken off.

use std::{fs, sync::OnceLock, time::Duration};

use nix::time::{ClockId, clock_gettime};

/// Nanoseconds to add to a time of the records to get UTC since 1970. Of a few readings the one is used whose two clocks
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
        let distance = utc.as_nanos() as i128 - middle.as_nanos() as i128 + i128::from(ahead_ns());
        if best.is_none_or(|(least, _)| width < least) {
            best = Some((width, i64::try_from(distance).unwrap_or(0)));
        }
    }
    best.map_or(0, |(_, distance)| distance)
}

/// Now, in nanoseconds of the records' clock.
pub(crate) fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    let now = i128::try_from(now.as_nanos()).unwrap_or(i128::MAX) - i128::from(ahead_ns());
    u64::try_from(now.max(0)).unwrap_or(u64::MAX)
}

/// How far this process's CLOCK_MONOTONIC is ahead of the kernel's own. A process stays in its time namespace.
fn ahead_ns() -> i64 {
    static AHEAD: OnceLock<i64> = OnceLock::new();
    *AHEAD.get_or_init(|| {
        // Not there: a kernel without time namespaces.
        let offsets = fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default();
        let ahead = offset_ns(&offsets).unwrap_or(0);
        if ahead != 0 {
            tracing::info!("this is a time namespace, whose clock is {} s ahead", ahead / 1_000_000_000);
        }
        ahead
    })
}

/// The offset of CLOCK_MONOTONIC in a file of lines `CLOCK SECONDS NANOSECONDS`.
fn offset_ns(offsets: &str) -> Option<i64> {
    let mut words = offsets
        .lines()
        .map(str::split_ascii_whitespace)
        .find_map(|mut words| (words.next() == Some("monotonic")).then_some(words))?;
    let seconds: i64 = words.next()?.parse().ok()?;
    let nanoseconds: i64 = words.next()?.parse().ok()?;
    seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use std::time::{SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_monotonic_time_becomes_the_system_time() {
        let before = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
        let now = monotonic_ns() as i64 + monotonic_to_utc_ns();
        let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64;
        // The clocks are read one after the other; a clock step in between is not expected in a test.
        assert!(now + 1_000_000_000 > before && now < after + 1_000_000_000, "{before} {now} {after}");
    }

    #[test]
    fn the_offset_of_a_time_namespace_is_read() {
        let second = 1_000_000_000;
        for (offsets, ahead) in [
            ("monotonic           0         0\nboottime            0         0\n", Some(0)),
            (
                "monotonic      100000         5\nboottime            7         0\n",
                Some(100_000 * second + 5),
            ),
            ("boottime 7 0\nmonotonic -3 500000000\n", Some(-3 * second + 500_000_000)),
            ("", None),
            ("monotonic", None),
            ("monotonic x 0", None),
            ("monotonic 9223372036854775807 0", None),
            ("boottime 7 0", None),
        ] {
            assert_eq!(offset_ns(offsets), ahead, "{offsets}");
        }
    }
}
