//! Why an ELF file can't be used.

use std::io;

/// Why an ELF file can't be used. The caller adds the file's path.
#[derive(Debug, thiserror::Error)]
pub enum ElfError {
    /// The operating system refused a read.
    #[error("can't read {what}: {source}")]
    Io {
        /// The part that was read.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// A directory, a pipe, a device, ...
    #[error("not a regular file")]
    NotAFile,
    /// The file does not begin as an ELF file does.
    #[error("not an ELF file")]
    NotElf,
    /// A 32-bit program.
    #[error("a 32-bit ELF file; only 64-bit programs can be watched")]
    Class32,
    /// A big-endian program.
    #[error("a big-endian ELF file; only little-endian programs can be watched")]
    BigEndian,
    /// A program for another processor.
    #[error("an ELF file for processor type {0}; only x86-64 (62) and aarch64 (183) can be watched")]
    Machine(u16),
    /// An object file, a core dump, ...
    #[error("an ELF file of type {0}; only programs (2) and shared libraries (3) can be watched")]
    Kind(u16),
    /// A table reaches past the end of the file.
    #[error("{what} ends at byte {end}, past the end of the file at {len}")]
    Truncated {
        /// The table.
        what: &'static str,
        /// Where it would end (`u64::MAX` if past any file).
        end: u64,
        /// Length of the file.
        len: u64,
    },
    /// Something is larger than [`super::Limits`] allow.
    #[error("{what}: {value} is more than the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        value: u64,
        /// How large it may be.
        limit: u64,
    },
    /// A field holds a value that the ELF format does not allow.
    #[error("malformed ELF file: {0}")]
    Malformed(&'static str),
    /// The file is not the one that it was when reading began.
    #[error("the file changed while it was read")]
    Changed,
}

impl ElfError {
    /// Whether the same file, unchanged, may be readable later.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Io { .. } | Self::Changed => true,
            Self::NotAFile
            | Self::NotElf
            | Self::Class32
            | Self::BigEndian
            | Self::Machine(_)
            | Self::Kind(_)
            | Self::Truncated { .. }
            | Self::TooLarge { .. }
            | Self::Malformed(_) => false,
        }
    }
}
