//! A process ended: so do its tests, it leaves the tree, and the agent is told.

use aya_ebpf::{helpers::bpf_get_current_pid_tgid, macros::raw_tracepoint, programs::RawTracePointContext};
use sidecar_common::{Control, EXIT_OOM, RECORD_EXIT, SCOPE_TREE};

use super::{abort, control, emit::emit_process, field, in_tree};
use crate::maps::TREE;

/// Threads of the group that are still alive.
#[inline(always)]
fn live_threads(task: u64, control: &Control) -> Option<u32> {
    field(field(task, control.task_signal)?, control.signal_live)
}

/// How a process ends: what `wait` tells, and whether it was chosen to give up its memory.
#[inline(always)]
fn exit_code(task: u64, control: &Control) -> u32 {
    let code: u32 = field(task, control.task_exit_code).unwrap_or(0);
    let victim = || -> Option<u64> { field(field(task, control.task_signal)?, control.signal_oom_mm) };
    if control.signal_oom_mm != 0 && victim().is_some_and(|memory| memory != 0) {
        return code | EXIT_OOM;
    }
    code
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
    let aborts = switches.follow_exits != 0 && abort::has_open(tgid);
    if !tree && !aborts && switches.exit_records == 0 {
        return 0;
    }
    let task = ctx.arg::<u64>(0);
    // The tracepoint fires for each thread; do_exit has counted this one out already.
    if live_threads(task, switches) != Some(0) {
        return 0;
    }
    if aborts {
        abort::abort_tests(tgid, exit_code(task, switches));
    }
    if tree {
        let _ = TREE.remove(tgid);
    }
    if switches.exit_records != 0 {
        emit_process(control, RECORD_EXIT, 0);
    }
    0
}
