//! A watched process forked: its child is watched too, before it runs its first instruction.

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, generated::bpf_probe_read_kernel},
    macros::raw_tracepoint,
    programs::RawTracePointContext,
};
use core::ffi::c_void;

use super::{control, in_tree, lose_process};
use crate::maps::TREE;

#[raw_tracepoint(tracepoint = "sched_process_fork")]
pub fn process_fork(ctx: RawTracePointContext) -> i32 {
    let parent = (bpf_get_current_pid_tgid() >> 32) as u32;
    if !in_tree(parent) {
        return 0;
    }
    let Some(control) = control() else { return 0 };
    let child_task = ctx.arg::<u64>(1);
    let mut child = 0u32;
    // SAFETY: dst is 4 bytes of this stack; the helper checks the source address, which comes from the
    // tracepoint and an offset of the running kernel's BTF.
    let result = unsafe {
        let source = child_task.wrapping_add(u64::from((*control).task_tgid)) as *const c_void;
        bpf_probe_read_kernel((&raw mut child).cast(), 4, source)
    };
    if result != 0 || (child != parent && TREE.insert(child, 1, 0).is_err()) {
        lose_process();
    }
    0
}
