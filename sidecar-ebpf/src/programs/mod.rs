//! The programs, one hook a file.

mod anomaly;
mod atomic;
mod emit;
mod exec;
mod exit;
mod fork;
mod frame;
mod held;
mod hit;
mod identify;
mod key;
mod memory;
mod wake;

use aya_ebpf::helpers::{
    bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_ktime_get_ns,
};
use sidecar_common::{Control, RecordHeader};

use crate::maps::{CONTROL, PROCESS_LOST, TREE};

/// Adds to a counter that other processors and the agent see.
#[inline(always)]
fn add(counter: *mut u64, amount: u64) {
    // SAFETY: callers pass a pointer to an aligned u64 of a map value, which lives as long as the program runs.
    unsafe { atomic::add(counter, amount) };
}

/// Counts an exec, an exit or a fork that found no room.
#[inline(always)]
fn lose_process() {
    if let Some(lost) = PROCESS_LOST.get_ptr_mut(0) {
        add(lost, 1);
    }
}

/// The agent's switches.
#[inline(always)]
fn control() -> Option<*mut Control> {
    CONTROL.get_ptr_mut(0)
}

/// Whether the process is one of the watched tree.
#[inline(always)]
fn in_tree(tgid: u32) -> bool {
    // SAFETY: the value is not looked at, so that it may change meanwhile is no matter.
    unsafe { TREE.get(tgid) }.is_some()
}

/// Fills in who and when. The rest of the header is zero.
#[inline(always)]
fn header(kind: u16) -> RecordHeader {
    let ids = bpf_get_current_pid_tgid();
    RecordHeader {
        len: RecordHeader::LEN,
        kind,
        // SAFETY: the helpers take no pointers and have no preconditions.
        time_ns: unsafe { bpf_ktime_get_ns() },
        pid: (ids >> 32) as u32,
        tid: ids as u32,
        // SAFETY: as above.
        cgroup_id: unsafe { bpf_get_current_cgroup_id() },
        comm: bpf_get_current_comm().unwrap_or_default(),
        ..RecordHeader::default()
    }
}
