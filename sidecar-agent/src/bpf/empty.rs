//! A probe program that does nothing: what a hit costs before sidecar's own program does anything. For benchmarks.

use std::{
    fs::File,
    os::fd::{AsFd, OwnedFd},
};

use super::{AttachMethod, BpfError, Link, Site, features, link::Moment, sys};

/// The program, loaded for `uprobe_multi`.
pub struct EmptyProbe {
    program: OwnedFd,
}

impl EmptyProbe {
    /// Loads it.
    ///
    /// # Errors
    /// When the kernel refuses, for want of privilege or of `uprobe_multi`.
    pub fn load() -> Result<Self, BpfError> {
        let program = features::load_empty(sys::UPROBE_MULTI, 0)
            .map_err(|source| BpfError::of("loading a probe program", source))?;
        Ok(Self { program })
    }

    /// Attaches it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn attach(&self, file: &File, sites: &[Site]) -> Result<Link, BpfError> {
        Link::attach(self.program.as_fd(), AttachMethod::UprobeMulti, file, sites, Moment::Entry)
    }
}
