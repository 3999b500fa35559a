//! What the kernel has. Each is tried; no version is looked at.

use std::io;

use nix::{errno::Errno, sys::fanotify};

use super::check::{Check, Kind, Thing};
use crate::bpf::{
    Kernel, LoadOptions,
    ask::{self, Rewriting},
};

const fn thing(name: &'static str, needed: bool, lost: &'static str, mend: &'static str) -> Thing {
    Thing { kind: Kind::Kernel, name, needed, lost, mend }
}

const BPF: Thing = thing(
    "bpf",
    true,
    "nothing is watched; `exec` runs its command all the same",
    "run as root in the initial user namespace; a container needs a seccomp profile that allows bpf(); the kernel needs \
     CONFIG_BPF_SYSCALL",
);
const PROGRAMS: Thing = thing(
    "kernel programs",
    true,
    "nothing is watched; `exec` runs its command all the same",
    "mend what is missing above; else a kernel from 5.17 on with BTF",
);
const BTF: Thing = thing(
    "type information (BTF)",
    true,
    "`exec` can't tell its command's processes from others",
    "a kernel with CONFIG_DEBUG_INFO_BTF, as all distributions have; mount /sys",
);
const RING: Thing = thing("ring buffer", true, "nothing is watched", "a kernel from 5.8 on");
const MULTI: Thing = thing(
    "uprobe_multi",
    false,
    "probes are attached by perf events: the same events, two descriptors a site, and letting go takes longer",
    "a kernel from 6.6 on",
);
const EVENTS: Thing = thing(
    "uprobe perf events",
    false,
    "nothing is lost where uprobe_multi is there; without both nothing is watched",
    "a kernel with CONFIG_UPROBE_EVENTS, and /sys mounted; where kernel.perf_event_paranoid is 3, CAP_SYS_ADMIN, or \
     sysctl kernel.perf_event_paranoid=2",
);
const SLEEPABLE: Thing = thing(
    "sleepable probe programs",
    false,
    "strings on pages that the program has not touched yet are missing from events, and counted as read faults",
    "a kernel from 6.0 on",
);
const FANOTIFY: Thing = thing(
    "fanotify permission events",
    false,
    "the first moments of a new program may be missed by `exec`",
    "CAP_SYS_ADMIN in the initial user namespace, and CONFIG_FANOTIFY_ACCESS_PERMISSIONS",
);
const STATISTICS: Thing = thing(
    "run-time statistics of programs",
    false,
    "the governor does not see what the kernel programs cost",
    "CAP_SYS_ADMIN",
);
const MAP_FILES: Thing = thing(
    "/proc/PID/map_files",
    false,
    "libraries of programs in other mount namespaces are found by their paths only",
    "CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN in the initial user namespace",
);
const NOPS: Thing = thing(
    "5-byte nops stay as they are",
    false,
    "programs whose markers sit at a 5-byte nop get no probe: this kernel would rewrite it so that forked children die",
    "markers at a 1-byte nop, as sidecar-markers and sys/sdt.h have; or another kernel than 6.18",
);

/// All of them.
pub(super) fn checks() -> Vec<Check> {
    let bpf = ask::probe_program();
    // What needs a program to ask is not known where there can be none.
    let asked = bpf.is_ok();
    let multi = ask::uprobe_multi();
    let feature = |thing: Thing, there: bool| match (asked, there) {
        (false, _) => thing.unknown("can't be asked without bpf"),
        (true, true) => thing.found(true, "there"),
        (true, false) => thing.found(false, "not there"),
    };
    vec![
        answer(BPF, bpf, "this process may load programs"),
        match Kernel::load(&LoadOptions::from_environment()) {
            Ok(kernel) => {
                PROGRAMS.found(true, format!("loaded, to be attached by {}", kernel.features().attach.name()))
            }
            Err(error) => PROGRAMS.found(false, first_line(&error.to_string())),
        },
        answer(RING, ask::ring_buffer(), "there"),
        match ask::type_information() {
            Ok(()) => BTF.found(true, "there"),
            Err(error) => BTF.found(false, error.to_string()),
        },
        feature(MULTI, multi),
        events(multi),
        feature(SLEEPABLE, ask::sleepable()),
        answer(FANOTIFY, fanotify(), "allowed"),
        answer(STATISTICS, ask::statistics(), "allowed"),
        answer(MAP_FILES, ask::map_files(), "may be opened"),
        match ask::rewriting() {
            Rewriting::None => NOPS.found(true, "this kernel rewrites none"),
            Rewriting::Nop10 => NOPS.found(true, "this kernel rewrites 10-byte nops only"),
            Rewriting::Nop5 => NOPS.found(false, "this kernel rewrites them"),
        },
    ]
}

/// The way that is not taken where there is the better one, and needed where there is not.
fn events(multi: bool) -> Check {
    let thing = Thing { needed: !multi, ..EVENTS };
    match ask::perf_events() {
        Ok((number, true)) => {
            thing.found(true, format!("PMU {number}{}", if multi { ", not used" } else { "" }))
        }
        Ok((_, false)) if multi => thing.found(true, "refused to this process, and not used"),
        Ok((_, false)) => thing.found(false, "refused to this process"),
        Err(error) => thing.found(false, error.to_string()),
    }
}

fn answer(thing: Thing, answer: io::Result<()>, there: &str) -> Check {
    match answer {
        Ok(()) => thing.found(true, there),
        Err(error) => thing.found(false, error.to_string()),
    }
}

/// Asks for a group that holds back execs. Nothing is marked, so nothing is held.
fn fanotify() -> io::Result<()> {
    let flags = fanotify::InitFlags::FAN_CLASS_CONTENT | fanotify::InitFlags::FAN_CLOEXEC;
    fanotify::Fanotify::init(flags, fanotify::EventFFlags::O_RDONLY)
        .map(drop)
        .map_err(|errno: Errno| io::Error::from_raw_os_error(errno as i32))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
