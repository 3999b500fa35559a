//! The attach manager: which images are known, which probes are on them, and what may be put where.
//!
//! It reads images, compiles specs and asks an [`Attacher`] to do the rest, so that its rules are tested without
//! a kernel. A probe is never put on a wrong offset: an image is known by device, inode, size and times, its
//! sites' bytes are compared right before attaching, and any change makes it another image.

mod below;
mod cache;
mod functions;
mod image;
mod manager;
mod registry;
mod returns;
mod slots;
#[cfg(test)]
mod tests;

use std::{fs::File, path::PathBuf, sync::Arc};

use sidecar_common::{Spec, StatusTable};

pub use functions::{Remark, RemarkKind, WantedFunctions};
pub use manager::Manager;
pub use registry::{Figures, Registry};

use crate::{bpf::Site, elf::ImageId, mapping::Mapping};

/// Puts specs in place and attaches. The kernel, or a table in the tests.
pub trait Attacher {
    /// An attachment; dropping it detaches.
    type Link;
    /// Why not.
    type Error: std::error::Error;

    /// Sets a spec.
    ///
    /// # Errors
    /// The kernel refuses.
    fn put_spec(&mut self, index: u32, spec: &Spec) -> Result<(), Self::Error>;

    /// Sets which status values mean which status.
    ///
    /// # Errors
    /// The kernel refuses.
    fn put_status_table(&mut self, index: u8, table: &StatusTable) -> Result<(), Self::Error>;

    /// Attaches at all sites of one image, or at none.
    ///
    /// # Errors
    /// The kernel refuses.
    fn attach(&mut self, file: &File, sites: &[Site]) -> Result<Self::Link, Self::Error>;

    /// Attaches where the functions return that begin at the sites of one image, or at none.
    ///
    /// # Errors
    /// The kernel refuses.
    fn attach_returns(&mut self, file: &File, sites: &[Site]) -> Result<Self::Link, Self::Error>;

    /// Whether there is room to attach at so many sites of one image.
    ///
    /// # Errors
    /// What is used up.
    fn has_room(&self, _file: &File, _sites: usize) -> Result<(), String> {
        Ok(())
    }
}

/// How much the manager may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// Specs at a time.
    pub specs: u32,
    /// Histograms at a time.
    pub histograms: u32,
    /// Attached images at a time.
    pub images: usize,
    /// Images that are remembered because there is nothing to attach in them.
    pub remembered: usize,
    /// Longest string that is read from a program, in bytes with its NUL.
    pub max_string: u32,
}

impl Default for Capacity {
    fn default() -> Self {
        Self { specs: 4096, histograms: 256, images: 4096, remembered: 16_384, max_string: 1024 }
    }
}

/// An image with probes on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageInfo {
    /// Which file.
    pub id: ImageId,
    /// A path that led to it. Only for people.
    pub path: PathBuf,
    /// The linker's build id.
    pub build_id: Option<Vec<u8>>,
    /// Number of sites with a probe.
    pub sites: usize,
}

/// What a probe is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProbeKind {
    /// A marker.
    #[default]
    Marker,
    /// A function's entry.
    Function,
    /// A function's return.
    Return,
}

impl ProbeKind {
    /// The word in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Marker => "marker",
            Self::Function => "function",
            Self::Return => "return",
        }
    }
}

/// A spec in use: one marker of one image, with one way to read its arguments, or one function's entry or return.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeInfo {
    /// Index of the spec.
    pub spec: u32,
    /// Its generation.
    pub generation: u32,
    /// What its hits mean.
    pub mapping: Arc<Mapping>,
    /// The image.
    pub image: Arc<ImageInfo>,
    /// The argument text of its notes.
    pub args: String,
    /// Number of sites that share it.
    pub sites: usize,
    /// Index of its histogram.
    pub histogram: Option<u32>,
    /// Bit i: argument i can't be read at its sites.
    pub unreadable: u16,
    /// What it is on.
    pub kind: ProbeKind,
}

/// Why an image got no probe although it has wanted markers, or may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// It can't be read.
    Unreadable,
    /// It is not an ELF file that can be watched: 32-bit, malformed, too large.
    Unusable,
    /// It is for another processor.
    Foreign,
    /// It changed while it was looked at.
    Changed,
    /// The specs, the histograms or the images are used up.
    Full,
    /// The kernel refused.
    Kernel,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 6] =
        [Self::Unreadable, Self::Unusable, Self::Foreign, Self::Changed, Self::Full, Self::Kernel];

    /// The word in metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Unusable => "unusable",
            Self::Foreign => "foreign",
            Self::Changed => "changed",
            Self::Full => "full",
            Self::Kernel => "kernel",
        }
    }
}

/// What came of looking at an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Probes were attached.
    Attached {
        /// Specs taken.
        probes: usize,
        /// Sites attached.
        sites: usize,
    },
    /// Its probes are on already.
    AlreadyAttached,
    /// It has no wanted marker.
    NothingWanted,
    /// It got no probe.
    Refused {
        /// The kind of reason.
        reason: Reason,
        /// The reason in words.
        message: String,
        /// It was refused before, and is as it was then.
        again: bool,
    },
}

impl Outcome {
    /// Whether another look at the same image would find nothing else, whatever becomes of other images.
    #[must_use]
    pub const fn is_lasting(&self) -> bool {
        match self {
            Self::Attached { .. } | Self::AlreadyAttached | Self::NothingWanted => true,
            Self::Refused { reason, .. } => match reason {
                Reason::Unusable | Reason::Foreign => true,
                Reason::Unreadable | Reason::Changed | Reason::Full | Reason::Kernel => false,
            },
        }
    }
}
