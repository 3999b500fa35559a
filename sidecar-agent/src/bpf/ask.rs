//! What this kernel has and lets this process do, each asked by trying it: for `sidecar doctor`.

use std::{fs::File, io};

use super::{BpfError, features, rewriting, sys};

pub use rewriting::Rewriting;

const BPF_MAP_CREATE: libc::c_long = 0;
const BPF_MAP_TYPE_RINGBUF: u32 = 27;

/// The first part of what `BPF_MAP_CREATE` takes.
#[repr(C)]
struct MapCreate {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
}

/// Asks for the `bpf` system call and the right to use it, by a program that does nothing.
///
/// # Errors
/// The kernel's answer.
pub fn probe_program() -> io::Result<()> {
    features::load_empty(0, 0).map(drop)
}

/// Whether probe programs may sleep. Without privilege nobody knows.
#[must_use]
pub fn sleepable() -> bool {
    features::has_sleepable()
}

/// Whether one link holds all sites of an image. Without privilege nobody knows.
#[must_use]
pub fn uprobe_multi() -> bool {
    features::has_uprobe_multi()
}

/// Asks for a ring buffer of one page.
///
/// # Errors
/// The kernel's answer.
pub fn ring_buffer() -> io::Result<()> {
    let max_entries = u32::try_from(procfs::page_size()).map_err(io::Error::other)?;
    let mut attr = MapCreate { kind: BPF_MAP_TYPE_RINGBUF, key_size: 0, value_size: 0, max_entries };
    sys::bpf(BPF_MAP_CREATE, &mut attr).map(sys::owned).map(drop)
}

/// Asks for uprobes as perf events, the way to attach without `uprobe_multi`: the PMU's number, and whether this process may
/// use it.
///
/// # Errors
/// When the kernel has none.
pub fn perf_events() -> io::Result<(u32, bool)> {
    features::uprobe_pmu().map(|pmu| (pmu, features::may_open_events(pmu)))
}

/// Asks for the run-time statistics of programs.
///
/// # Errors
/// The kernel's answer.
pub fn statistics() -> io::Result<()> {
    sys::enable_stats().map(drop)
}

/// Asks for the offsets of kernel fields in the kernel's type information.
///
/// # Errors
/// When it is not there, or lacks them.
pub fn type_information() -> Result<(), BpfError> {
    super::btf::offsets().map(drop)
}

/// Opens the first mapping of this process by its link in `map_files`, as the files of other mount namespaces are opened.
///
/// # Errors
/// The kernel's answer.
pub fn map_files() -> io::Result<()> {
    let first = std::fs::read_dir("/proc/self/map_files")?
        .next()
        .ok_or_else(|| io::Error::other("/proc/self/map_files is empty"))??;
    File::open(first.path()).map(drop)
}

/// Which nops this kernel rewrites where a probe sits.
#[must_use]
pub fn rewriting() -> Rewriting {
    rewriting::state()
}
