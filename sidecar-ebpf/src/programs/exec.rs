//! A process executed a program: tell the agent, which looks for markers in it.

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};
use sidecar_common::{ImageKey, RECORD_EXEC, RECORD_KNOWN, SCOPE_TREE};

use super::{control, emit::emit_process, field, in_tree};
use crate::maps::{IMAGE_OFFSETS, KNOWN};

/// Kernels from 6.13 on keep a flag in the nanoseconds of a change (`I_CTIME_QUERIED`).
const NANOSECONDS: u32 = (1 << 30) - 1;

/// A time in nanoseconds, from its two members.
#[inline(always)]
fn time(inode: u64, seconds: u32, nanoseconds: u32) -> Option<i64> {
    let nanoseconds = field::<u32>(inode, nanoseconds)? & NANOSECONDS;
    Some(field::<i64>(inode, seconds)?.wrapping_mul(1_000_000_000).wrapping_add(i64::from(nanoseconds)))
}

/// Whether the program's image is one of which the agent wants to hear no more at once.
#[inline(always)]
fn is_known(binprm: u64) -> Option<bool> {
    let at = IMAGE_OFFSETS.get(0)?;
    if at.known == 0 {
        return None;
    }
    let inode: u64 = field(field(binprm, at.binprm_file)?, at.file_inode)?;
    let key = ImageKey {
        ino: field(inode, at.ino)?,
        size: field(inode, at.size)?,
        mtime_ns: time(inode, at.mtime, at.mtime_nsec)?,
        ctime_ns: time(inode, at.ctime, at.ctime_nsec)?,
        epoch: at.epoch,
    };
    // SAFETY: the value is not looked at, so that it may change meanwhile is no matter.
    Some(unsafe { KNOWN.get(&key) }.is_some())
}

#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn process_exec(ctx: RawTracePointContext) -> i32 {
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
    // The tracepoint's arguments: the task, its former process id, the `struct linux_binprm`.
    let known = is_known(ctx.arg(2)) == Some(true);
    emit_process(control, RECORD_EXEC, if known { RECORD_KNOWN } else { 0 });
    0
}
