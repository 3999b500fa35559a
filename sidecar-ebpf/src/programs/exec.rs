//! A process executed a program: tell the agent, which looks for markers in it.

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use sidecar_common::{RECORD_EXEC, SCOPE_TREE};

use super::{control, emit::emit_process, in_tree};

#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn process_exec(_ctx: RawTracePointContext) -> i32 {
    let Some(control) = control() else { return 0 };
    // SAFETY: control points into an array map's value; the agent writes whole words.
    let (wanted, scope) = unsafe { ((*control).exec_records, (*control).scope) };
    if wanted == 0 {
        return 0;
    }
    let tgid = (aya_ebpf::helpers::bpf_get_current_pid_tgid() >> 32) as u32;
    if scope == SCOPE_TREE && !in_tree(tgid) {
        return 0;
    }
    emit_process(control, RECORD_EXEC);
    0
}
