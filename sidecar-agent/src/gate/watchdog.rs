//! Whether the gate process was stopped: then every exec that it is asked for waits.

/// Whether a process is stopped, by a signal or by a debugger. One that is gone is not.
pub(super) fn is_stopped(pid: u32) -> bool {
    std::fs::read(format!("/proc/{pid}/stat")).is_ok_and(|stat| stopped(&stat))
}

/// By the third field of /proc/PID/stat; the second, the name, is in parentheses and may hold anything.
fn stopped(stat: &[u8]) -> bool {
    let end = stat.iter().rposition(|&byte| byte == b')');
    end.and_then(|end| stat.get(end + 2)).is_some_and(|state| b"Tt".contains(state))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_t_is_stopped_whatever_the_name_is() {
        for (stat, expected) in [
            (&b"7 (sidecar-gate) T 1"[..], true),
            (b"7 (x) t 1", true),
            (b"7 (a) T b) S 1", false),
            (b"7 (a", false),
            (b"7 (a)", false),
            (b"", false),
        ] {
            assert_eq!(stopped(stat), expected);
        }
        assert!(!is_stopped(std::process::id()));
    }
}
