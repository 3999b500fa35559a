//! The kernel as the attach manager sees it.

use std::{
    fs::File,
    os::fd::AsRawFd,
    sync::{Arc, Mutex, PoisonError},
};

use nix::sys::resource::{Resource, getrlimit};
use sidecar_common::{Spec, StatusTable};

use crate::{
    attach::Attacher,
    bpf::{AttachMethod, BpfError, Kernel, Link, ProbePoint, Site},
};

/// Writes specs under the kernel's lock and attaches without it, because attaching takes milliseconds.
pub(super) struct KernelAttacher {
    pub(super) kernel: Arc<Mutex<Kernel>>,
    pub(super) probe: ProbePoint,
}

impl Attacher for KernelAttacher {
    type Link = Link;
    type Error = BpfError;

    fn put_spec(&mut self, index: u32, spec: &Spec) -> Result<(), BpfError> {
        let mut kernel = self.kernel.lock().unwrap_or_else(PoisonError::into_inner);
        kernel.set_spec(index, spec)
    }

    fn put_status_table(&mut self, index: u8, table: &StatusTable) -> Result<(), BpfError> {
        self.kernel.lock().unwrap_or_else(PoisonError::into_inner).set_status_table(index, table)
    }

    fn attach(&mut self, file: &File, sites: &[Site]) -> Result<Link, BpfError> {
        self.probe.attach(file, sites)
    }

    fn attach_returns(&mut self, file: &File, sites: &[Site]) -> Result<Link, BpfError> {
        self.probe.attach_returns(file, sites)
    }

    fn has_room(&self, file: &File, sites: usize) -> Result<(), String> {
        let Ok((limit, _)) = getrlimit(Resource::RLIMIT_NOFILE) else { return Ok(()) };
        let (needed, remedy) = match self.probe.method() {
            AttachMethod::UprobeMulti => (2, ""),
            AttachMethod::PerfEvent { .. } => (2 * sites as u64, ", or a kernel with uprobe_multi (6.6)"),
        };
        // The kernel gives the least free number, so all below that of a further descriptor are in use.
        let used = file.try_clone().map_or(limit, |next| next.as_raw_fd().unsigned_abs().into());
        if has_descriptors(limit, used, needed) {
            return Ok(());
        }
        Err(format!(
            "it needs {needed} descriptors, and {used} of {limit} are in use; some are kept free for the rest of the \
             agent (ulimit -n, LimitNOFILE=){remedy}"
        ))
    }
}

/// Whether an image may take so many descriptors. A quarter of the limit stays free, up to 128: for connections, sinks,
/// handlers, and the files that are looked at.
fn has_descriptors(limit: u64, used: u64, needed: u64) -> bool {
    used.saturating_add(needed) <= limit - (limit / 4).min(128)
}

#[cfg(test)]
mod tests {
    use super::has_descriptors;

    #[test]
    fn some_descriptors_stay_free() {
        for (limit, used, needed, expected) in [
            (1024, 10, 2, true),
            (1024, 894, 2, true),
            (1024, 895, 2, false),
            (64, 46, 2, true),
            (64, 47, 2, false),
            (1024, 10, 2_000, false),
            (u64::MAX, 10, u64::MAX, false),
            (0, 0, 1, false),
        ] {
            assert_eq!(has_descriptors(limit, used, needed), expected, "{limit} {used} {needed}");
        }
    }
}
