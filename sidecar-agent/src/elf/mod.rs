//! Reads what probes need to know from untrusted ELF files: markers, functions, needed libraries, identity.
//!
//! Every read is a `pread` of a checked size, so a file that is truncated or replaced meanwhile gives an
//! error and never a signal. Nothing in a file is trusted: each size is compared with the file's length
//! and with [`Limits`] before memory is taken for it.

mod dynamic;
mod error;
mod exceptions;
mod functions;
mod header;
mod identity;
mod libraries;
mod notes;
mod reader;
mod resolve;
mod rooted;
mod sample;
mod symbols;
#[cfg(test)]
pub(crate) use functions::testing as function_testing;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use dynamic::{Dynamic, needed};
pub use error::ElfError;
pub use exceptions::{Unwinding, unwinding};
pub use functions::{
    DebugFiles, Entry, EntryCost, FileFunctions, Function, FunctionLimits, FunctionPattern, Functions,
    PatternError, functions, site_cost,
};
pub use identity::{ImageId, OVERLAY, identify, inode, open};
pub use libraries::{Libraries, MissingLibrary, libraries};
pub use notes::{ImageNotes, Note, read_notes, read_notes_where};
pub use resolve::SearchPath;
pub use rooted::open_in;
pub use sample::sample;
pub use symbols::symbol_addresses;

/// The processor an ELF file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Arch {
    /// x86-64.
    X86_64,
    /// aarch64, little endian.
    Aarch64,
}

/// Processor of a file, or why the file can't be watched. Reads the ELF header only.
///
/// # Errors
/// The file can't be read, is not ELF, or is of a kind that is not supported.
pub fn arch(file: &std::fs::File, limits: &Limits) -> Result<Arch, ElfError> {
    header::Elf::open(file, limits).map(|elf| elf.arch)
}

/// What a file may cost at most. Sizes are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest file. Default 4 GiB.
    pub file: u64,
    /// Most sections. Default 65,536.
    pub sections: u64,
    /// Most segments. Default 4,096.
    pub segments: u64,
    /// Longest table of section names. Default 4 MiB.
    pub section_names: u64,
    /// Most bytes of marker notes. Default 16 MiB.
    pub note_bytes: u64,
    /// Most markers sites; further ones are skipped, which is said. Default 100,000.
    pub notes: usize,
    /// Longest single note. Default 64 KiB.
    pub note: usize,
    /// Longest string: a name, an argument list, a path. Default 4 KiB.
    pub string: usize,
    /// Most entries of [`ImageNotes::skipped`]. Default 64.
    pub skipped: usize,
    /// Most entries of the dynamic section. Default 4,096.
    pub dynamic: u64,
    /// Longest table of symbols, and of their names. Default 64 MiB.
    pub symbols: u64,
    /// Most libraries that one program may need. Default 512.
    pub libraries: usize,
    /// How far libraries are followed to the libraries they need. Default 16.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file: 4 << 30,
            sections: 65_536,
            segments: 4_096,
            section_names: 4 << 20,
            note_bytes: 16 << 20,
            notes: 100_000,
            note: 64 << 10,
            string: 4 << 10,
            skipped: 64,
            dynamic: 4_096,
            symbols: 64 << 20,
            libraries: 512,
            depth: 16,
        }
    }
}
