//! Why a file or a process can't be inspected.

use std::io;
use std::path::{Path, PathBuf};

use crate::elf::{ElfError, PatternError};

/// Why a file or a process can't be inspected.
#[derive(Debug, thiserror::Error)]
pub(super) enum InspectError {
    /// It can't be opened.
    #[error("can't open {}: {source}. {advice}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
        /// What to do.
        advice: &'static str,
    },
    /// It is no program or library that can be probed.
    #[error("can't inspect {}: {source}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: ElfError,
    },
    /// A number stands for no process.
    #[error("there is no process {pid}. For a file of this name write ./{pid}")]
    NoProcess {
        /// The number.
        pid: u32,
    },
    /// The process ended meanwhile.
    #[error("process {pid} ended while it was inspected")]
    Ended {
        /// Its number.
        pid: u32,
    },
    /// The process runs no file.
    #[error("process {pid} runs no program: it is a thread of the kernel, or has ended")]
    NoProgram {
        /// Its number.
        pid: u32,
    },
    /// The process is somebody else's.
    #[error(
        "can't look into process {pid}: {source}. Of somebody else's process only root sees the files: use sudo"
    )]
    Denied {
        /// Its number.
        pid: u32,
        /// What the system said.
        source: io::Error,
    },
    /// A pattern of functions is wrong.
    #[error("--functions {pattern}: {source}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        source: PatternError,
    },
}

impl InspectError {
    pub(super) fn open(path: &Path, source: io::Error) -> Self {
        let advice = match source.kind() {
            io::ErrorKind::NotFound => "Is the path right?",
            io::ErrorKind::PermissionDenied => "It has to be readable: use sudo",
            _ => "It has to be a program or a shared library",
        };
        Self::Open { path: path.to_owned(), source, advice }
    }

    /// The status to exit with.
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::Pattern { .. } => 2,
            Self::Open { .. }
            | Self::Unusable { .. }
            | Self::NoProcess { .. }
            | Self::Ended { .. }
            | Self::NoProgram { .. }
            | Self::Denied { .. } => 1,
        }
    }
}
