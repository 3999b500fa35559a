//! Attachments. Dropping a [`Link`] detaches; so does the death of this process.

use std::{
    ffi::CString,
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use super::{AttachMethod, BpfError, Site, sys};

/// Where probes sit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// At the instruction of the site.
    Entry,
    /// Where the function that begins at the site returns to.
    Return,
}

/// All probes of one image.
#[derive(Debug)]
pub struct Link {
    /// One descriptor for all sites, or, through perf events, two a site. Closing them detaches.
    descriptors: Vec<OwnedFd>,
}

impl Link {
    /// Number of descriptors that this attachment holds.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.descriptors.len()
    }

    /// Attaches `program` at all `sites` of `file`, or where the functions there return, or at none.
    pub(super) fn attach(
        program: BorrowedFd<'_>,
        method: AttachMethod,
        file: &File,
        sites: &[Site],
        moment: Moment,
    ) -> Result<Self, BpfError> {
        let failed = |source: io::Error| BpfError::Attach { sites: sites.len(), source };
        // The path leads to the open file itself, whatever has happened to its name meanwhile.
        let path =
            CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(|e| failed(e.into()))?;
        let mut descriptors = Vec::new();
        let returns = moment == Moment::Return;
        match method {
            AttachMethod::UprobeMulti => {
                let offsets: Vec<u64> = sites.iter().map(|site| site.offset).collect();
                let semaphores: Vec<u64> = sites.iter().map(|site| site.semaphore).collect();
                let cookies: Vec<u64> = sites.iter().map(|site| site.cookie).collect();
                descriptors.push(
                    sys::link_uprobe_multi(program, &path, &offsets, &semaphores, &cookies, returns)
                        .map_err(failed)?,
                );
            }
            AttachMethod::PerfEvent { pmu } => {
                for site in sites {
                    let event = sys::open_uprobe_event(pmu, &path, site.offset, site.semaphore, returns)
                        .map_err(failed)?;
                    let link = sys::link_perf_event(program, event.as_fd(), site.cookie).map_err(failed)?;
                    descriptors.extend([link, event]);
                }
            }
        }
        Ok(Self { descriptors })
    }
}
