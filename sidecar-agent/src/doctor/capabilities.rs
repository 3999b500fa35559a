//! Which capabilities this process has of those that the agent uses.

use super::check::{Check, Kind, Thing};

/// A capability, by its number in the kernel's include/uapi/linux/capability.h.
struct Capability {
    number: u32,
    thing: Thing,
}

const fn capability(number: u32, name: &'static str, needed: bool, lost: &'static str) -> Capability {
    let mend = "run as root, or give the agent this capability (docs/privilege.md)";
    Capability { number, thing: Thing { kind: Kind::Privilege, name, needed, lost, mend } }
}

/// Stands for CAP_BPF and CAP_PERFMON, as it did before these were made.
const SYS_ADMIN: u32 = 21;

const ALL: [Capability; 8] = [
    capability(39, "CAP_BPF", true, "no program can be loaded"),
    capability(38, "CAP_PERFMON", true, "programs can't read memory or sit on probes"),
    capability(
        SYS_ADMIN,
        "CAP_SYS_ADMIN",
        false,
        "no gate, so that first moments may be missed; the kernel programs' cost is not measured",
    ),
    capability(19, "CAP_SYS_PTRACE", false, "programs of other users that run already are not found"),
    capability(2, "CAP_DAC_READ_SEARCH", false, "programs in folders of other users are not read"),
    capability(40, "CAP_CHECKPOINT_RESTORE", false, "map_files can't be opened without CAP_SYS_ADMIN"),
    capability(
        23,
        "CAP_SYS_NICE",
        false,
        "the data path has ordinary priority, and a full machine loses records sooner",
    ),
    capability(24, "CAP_SYS_RESOURCE", false, "the limit of open files stays as it is"),
];

/// All of them.
pub(super) fn checks() -> Vec<Check> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    of(effective(&status))
}

fn of(effective: Option<u64>) -> Vec<Check> {
    let has = |set: u64, number: u32| set >> number & 1 == 1;
    ALL.into_iter()
        .map(|capability| {
            let Capability { number, thing } = capability;
            let Some(set) = effective else { return thing.unknown("/proc/self/status does not tell") };
            let instead = matches!(thing.name, "CAP_BPF" | "CAP_PERFMON" | "CAP_CHECKPOINT_RESTORE");
            if has(set, number) {
                thing.found(true, "held")
            } else if instead && has(set, SYS_ADMIN) {
                thing.found(true, "CAP_SYS_ADMIN stands for it")
            } else {
                thing.found(false, "not held")
            }
        })
        .collect()
}

/// The effective set in what /proc/self/status holds.
fn effective(status: &str) -> Option<u64> {
    let digits = status.lines().find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(digits.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    fn states(effective: Option<u64>) -> Vec<State> {
        of(effective).iter().map(|check| check.state).collect()
    }

    #[test]
    fn the_effective_set_is_read_from_proc() {
        assert_eq!(effective("Name:\tx\nCapEff:\t000001ffffffffff\n"), Some(0x1ff_ffff_ffff));
        assert_eq!(effective("CapEff: many"), None);
        assert_eq!(effective(""), None);
    }

    #[test]
    fn what_is_needed_is_missing_and_the_rest_is_limited() {
        use State::{Limited, Missing, Ok, Unknown};
        assert_eq!(states(Some(u64::MAX)), [Ok; 8]);
        assert_eq!(states(None), [Unknown; 8]);
        let none = [Missing, Missing, Limited, Limited, Limited, Limited, Limited, Limited];
        assert_eq!(states(Some(0)), none);
        let admin = [Ok, Ok, Ok, Limited, Limited, Ok, Limited, Limited];
        assert_eq!(states(Some(1 << SYS_ADMIN)), admin);
    }
}
