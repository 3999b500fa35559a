//! The programs, one hook a file.

mod abort;
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

use core::ffi::c_void;

use aya_ebpf::helpers::{
    bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_ktime_get_ns,
    generated::{bpf_get_current_comm, bpf_probe_read_kernel},
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

/// A field of a kernel structure, or `None` if it can't be read.
#[inline(always)]
fn field<T: Default>(structure: u64, offset: u32) -> Option<T> {
    let mut value = T::default();
    let source = structure.wrapping_add(u64::from(offset)) as *const c_void;
    // SAFETY: dst is this stack's, of the size given; the helper checks the source address, which comes from the
    // kernel's own structures and an offset from its BTF.
    let result = unsafe { bpf_probe_read_kernel((&raw mut value).cast(), size_of::<T>() as u32, source) };
    (result == 0).then_some(value)
}

/// Whether the process is one of the watched tree.
#[inline(always)]
fn in_tree(tgid: u32) -> bool {
    // SAFETY: the value is not looked at, so that it may change meanwhile is no matter.
    unsafe { TREE.get(tgid) }.is_some()
}

/// Writes a header where it belongs: who and when, and `rest` for all else. Never by way of this stack, of which a kernel
/// before 6.13 has 512 bytes for a program and all that it calls.
///
/// # Safety
/// There is room for a header at `at`, 8-aligned, that nobody else reads or writes meanwhile.
#[inline(always)]
unsafe fn write_header(at: *mut RecordHeader, rest: RecordHeader) {
    let ids = bpf_get_current_pid_tgid();
    // Field by field: a copy of the whole becomes a loop over its bytes, which each record would pay for.
    // SAFETY: the caller's promise. The helpers take no pointers but the last, which gets a place of the size given.
    unsafe {
        (&raw mut (*at).len).write(RecordHeader::LEN);
        (&raw mut (*at).kind).write(rest.kind);
        (&raw mut (*at).argc).write(rest.argc);
        (&raw mut (*at).status).write(rest.status);
        (&raw mut (*at).spec).write(rest.spec);
        (&raw mut (*at).generation).write(rest.generation);
        (&raw mut (*at).time_ns).write(bpf_ktime_get_ns());
        (&raw mut (*at).pid).write((ids >> 32) as u32);
        (&raw mut (*at).tid).write(ids as u32);
        (&raw mut (*at).cgroup_id).write(bpf_get_current_cgroup_id());
        (&raw mut (*at).rate).write(rest.rate);
        (&raw mut (*at).strings).write(rest.strings);
        (&raw mut (*at).faults).write(rest.faults);
        (&raw mut (*at).truncated).write(rest.truncated);
        (&raw mut (*at).unread).write(rest.unread);
        (&raw mut (*at).dropped).write(rest.dropped);
        (&raw mut (*at).flags).write(rest.flags);
        (&raw mut (*at).exit_code).write(rest.exit_code);
        let comm = &raw mut (*at).comm;
        bpf_get_current_comm(comm.cast(), size_of_val(&*comm) as u32);
    }
}
