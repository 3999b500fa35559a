//! A process ended: it leaves the tree, and the agent is told.

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, generated::bpf_probe_read_kernel},
    macros::raw_tracepoint,
    programs::RawTracePointContext,
};
use core::ffi::c_void;
use sidecar_common::{Control, RECORD_EXIT, SCOPE_TREE};

use super::{control, emit::emit_process, in_tree};
use crate::maps::TREE;

/// Threads of the group that are still alive, or `None` if it can't be read.
#[inline(always)]
fn live_threads(task: u64, control: &Control) -> Option<u32> {
    let mut signal = 0u64;
    let mut live = 0u32;
    // SAFETY: dst are this stack's words of the sizes given; the helper checks the source addresses, which
    // come from the kernel's own task and offsets from its BTF.
    unsafe {
        let source = task.wrapping_add(u64::from(control.task_signal)) as *const c_void;
        if bpf_probe_read_kernel((&raw mut signal).cast(), 8, source) != 0 {
            return None;
        }
        let source = signal.wrapping_add(u64::from(control.signal_live)) as *const c_void;
        if bpf_probe_read_kernel((&raw mut live).cast(), 4, source) != 0 {
            return None;
        }
    }
    Some(live)
}

#[raw_tracepoint(tracepoint = "sched_process_exit")]
pub fn process_exit(ctx: RawTracePointContext) -> i32 {
    let Some(control) = control() else { return 0 };
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    // SAFETY: control points into an array map's value; the agent writes whole words.
    let switches = unsafe { &*control };
    let tree = switches.scope == SCOPE_TREE;
    if tree && !in_tree(tgid) {
        return 0;
    }
    // The tracepoint fires for each thread; do_exit has counted this one out already.
    if live_threads(ctx.arg::<u64>(0), switches) != Some(0) {
        return 0;
    }
    if tree {
        let _ = TREE.remove(tgid);
    }
    if switches.exit_records != 0 {
        emit_process(control, RECORD_EXIT);
    }
    0
}
