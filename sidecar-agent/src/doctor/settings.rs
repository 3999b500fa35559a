//! What an administrator has set, and where this process lives.

use std::fs;

use super::check::{Check, Kind, Thing};

const fn thing(name: &'static str, needed: bool, lost: &'static str, mend: &'static str) -> Thing {
    Thing { kind: Kind::Setting, name, needed, lost, mend }
}

const USERS: Thing = thing(
    "user namespace",
    true,
    "capabilities of a user namespace of its own do not count for BPF: nothing is watched",
    "run in the initial user namespace; a container needs to be privileged, or have CAP_BPF and CAP_PERFMON there",
);
const PIDS: Thing = thing(
    "pid namespace",
    false,
    "only processes of the same pid namespace are found in /proc",
    "docker run --pid=host; in Kubernetes hostPID: true",
);
const LOCKDOWN: Thing = thing(
    "kernel lockdown",
    true,
    "programs may not read kernel memory, which holds the probed program's registers: nothing is watched",
    "boot without lockdown=confidentiality; lockdown=integrity does no harm",
);
const HIDEPID: Thing = thing(
    "/proc shows all processes",
    false,
    "programs of other users that run already are not found",
    "mount -o remount,hidepid=0 /proc",
);
const JIT: Thing = thing(
    "BPF JIT",
    false,
    "programs are interpreted, and each hit costs the tests several times as much",
    "sysctl net.core.bpf_jit_enable=1",
);
const CGROUPS: Thing = thing(
    "cgroup v2",
    false,
    "events carry no cgroup that could be told by name",
    "mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified",
);
const PARANOID: Thing = thing(
    "perf_event_paranoid",
    false,
    "where probes are attached by perf events, only CAP_PERFMON or CAP_SYS_ADMIN may",
    "nothing to mend: give the agent CAP_PERFMON",
);
const UNPRIVILEGED: Thing = thing(
    "unprivileged_bpf_disabled",
    false,
    "users without privilege may load programs of their own: no loss for sidecar",
    "sysctl kernel.unprivileged_bpf_disabled=2",
);
const MEMORY: Thing = thing(
    "locked memory",
    false,
    "maps count against RLIMIT_MEMLOCK on kernels before 5.11 only",
    "nothing to mend: the kernels that sidecar runs on count maps by cgroup",
);
const TRACEFS: Thing = thing("tracefs", false, "nothing: it is not used", "nothing to mend");

/// The whole range of ids, as the initial user namespace maps it.
const ALL_IDS: &str = "0 0 4294967295";
/// The inode of the initial pid namespace, which all kernels give it.
const INITIAL_PIDS: &str = "pid:[4026531836]";

/// All of them.
pub(super) fn checks() -> Vec<Check> {
    vec![
        users(&read("/proc/self/uid_map")),
        pids(),
        lockdown(&read("/sys/kernel/security/lockdown")),
        hidepid(),
        jit(&read("/proc/sys/net/core/bpf_jit_enable")),
        cgroups(&read("/proc/self/mounts")),
        told(PARANOID, "/proc/sys/kernel/perf_event_paranoid"),
        told(UNPRIVILEGED, "/proc/sys/kernel/unprivileged_bpf_disabled"),
        MEMORY.found(true, "not counted"),
        TRACEFS.found(true, "not needed"),
    ]
}

/// A file of the kernel's, or nothing where it can't be read.
fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn users(map: &Option<String>) -> Check {
    let Some(map) = map else { return USERS.unknown("/proc/self/uid_map can't be read") };
    let words: Vec<&str> = map.split_whitespace().collect();
    if words.join(" ") == ALL_IDS {
        USERS.found(true, "the initial one")
    } else {
        USERS.found(false, "one of its own")
    }
}

fn pids() -> Check {
    match fs::read_link("/proc/self/ns/pid") {
        Ok(link) if link.as_os_str() == INITIAL_PIDS => PIDS.found(true, "the initial one"),
        Ok(_) => PIDS.found(false, "one of its own"),
        Err(error) => PIDS.unknown(format!("/proc/self/ns/pid: {error}")),
    }
}

/// The file shows all modes, the one in force in brackets.
fn lockdown(modes: &Option<String>) -> Check {
    match modes {
        Some(modes) if modes.contains("[confidentiality]") => LOCKDOWN.found(false, "confidentiality"),
        Some(modes) if modes.contains("[integrity]") => LOCKDOWN.found(true, "integrity, which does no harm"),
        Some(_) => LOCKDOWN.found(true, "none"),
        None => LOCKDOWN.found(true, "none is told"),
    }
}

/// The first process is root's, so whoever sees only their own can't read of it.
fn hidepid() -> Check {
    match fs::read("/proc/1/status") {
        Ok(_) => HIDEPID.found(true, "also those of others"),
        Err(error) => HIDEPID.found(false, format!("/proc/1/status: {error}")),
    }
}

fn jit(enabled: &Option<String>) -> Check {
    match enabled.as_deref() {
        Some("0") => JIT.found(false, "off"),
        Some(_) => JIT.found(true, "on"),
        // Kernels that always compile have a file that only root may read.
        None => JIT.found(true, "no setting that could be read says otherwise"),
    }
}

fn cgroups(mounts: &Option<String>) -> Check {
    let Some(mounts) = mounts else { return CGROUPS.unknown("/proc/self/mounts can't be read") };
    let place = mounts.lines().find_map(|line| {
        let mut words = line.split(' ').skip(1);
        let place = words.next()?;
        (words.next()? == "cgroup2").then_some(place)
    });
    match place {
        Some(place) => CGROUPS.found(true, format!("at {place}")),
        None => CGROUPS.found(false, "not mounted"),
    }
}

/// A number that is told for the sake of who helps.
fn told(thing: Thing, path: &str) -> Check {
    match read(path) {
        Some(value) => thing.found(true, value),
        None => thing.found(true, "not there"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_user_namespace_is_known_by_its_map() {
        assert_eq!(users(&some("         0          0 4294967295")).state, State::Ok);
        assert_eq!(users(&some("0 1000 1")).state, State::Missing);
        assert_eq!(users(&some("")).state, State::Missing);
        assert_eq!(users(&None).state, State::Unknown);
    }

    #[test]
    fn only_confidentiality_does_harm() {
        assert_eq!(lockdown(&some("[none] integrity confidentiality")).state, State::Ok);
        assert_eq!(lockdown(&some("none [integrity] confidentiality")).state, State::Ok);
        assert_eq!(lockdown(&some("none integrity [confidentiality]")).state, State::Missing);
        assert_eq!(lockdown(&None).state, State::Ok);
    }

    #[test]
    fn cgroup2_is_found_wherever_it_is_mounted() {
        let mounts = some("proc /proc proc rw 0 0\ncgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0");
        assert_eq!(cgroups(&mounts).found, "at /sys/fs/cgroup/unified");
        assert_eq!(cgroups(&some("cgroup /sys/fs/cgroup/cpu cgroup rw 0 0")).state, State::Limited);
        assert_eq!(cgroups(&some("short")).state, State::Limited);
    }

    #[test]
    fn an_interpreter_is_a_loss_and_silence_is_none() {
        assert_eq!(jit(&some("0")).state, State::Limited);
        assert_eq!(jit(&some("1")).state, State::Ok);
        assert_eq!(jit(&None).state, State::Ok);
    }
}
