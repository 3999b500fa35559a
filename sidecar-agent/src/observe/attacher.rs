//! The kernel as the attach manager sees it.

use std::{
    fs::File,
    sync::{Arc, Mutex, PoisonError},
};

use sidecar_common::{Spec, StatusTable};

use crate::{
    attach::Attacher,
    bpf::{BpfError, Kernel, Link, ProbePoint, Site},
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
}
