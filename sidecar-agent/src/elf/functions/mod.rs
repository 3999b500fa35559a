//! The functions of an untrusted ELF file that a probe can be put on: by name, by pattern, by file offset.
//!
//! Names come from the file's own symbols and, where it was stripped, from its separate debug file. Code is
//! always the file's own. A function that can't be probed is refused with its reason, never attached to.

mod code;
mod debug_file;
#[cfg(test)]
mod debug_tests;
mod demangle;
#[cfg(test)]
mod demangle_tests;
mod entry;
mod finder;
mod instruction;
mod limits;
mod pattern;
mod strings;
mod table;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod unwind;

use std::fs::File;
use std::path::PathBuf;

use super::header::Elf;
use super::reader::Reader;
use super::{Arch, ElfError, Limits, identify};
pub use debug_file::DebugFiles;
pub use entry::{Entry, EntryCost};
pub use limits::FunctionLimits;
pub use pattern::{FunctionPattern, PatternError};

/// A function that a probe can be put on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its symbol, without a version; empty where only an offset is known of it.
    pub name: String,
    /// The name as it was written in the program's source, as far as the symbol tells.
    pub demangled: String,
    /// Address as linked.
    pub address: u64,
    /// File offset of that address.
    pub offset: u64,
    /// Bytes of its code from there on.
    pub size: u64,
    /// Whether a function begins here, so that the return address is where the calling convention puts it.
    /// False inside a function, where its return must not be probed.
    pub is_start: bool,
    /// Where to attach, and what a hit costs there.
    pub entry: Entry,
}

/// What one pattern matched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Functions {
    /// In the order of the symbols, each address once. At most [`FunctionLimits::found`].
    pub found: Vec<Function>,
    /// How many more symbols matched, beyond the limit.
    pub omitted: u64,
    /// What matched and can't be probed, and why. At most [`FunctionLimits::refused`].
    pub refused: Vec<(String, String)>,
    /// How many more were refused, beyond the limit.
    pub refused_more: u64,
}

/// What was found in one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFunctions {
    /// The processor that it is for.
    pub arch: Arch,
    /// The address as linked at which a program begins; `None` for a library.
    pub start: Option<u64>,
    /// For each pattern, in the order in which they were given.
    pub matched: Vec<Functions>,
    /// How many symbols were looked at.
    pub symbols: u64,
    /// The separate debug file that symbols were taken from.
    pub debug_file: Option<PathBuf>,
    /// What was not looked at, and why: a debug file that does not fit, symbols beyond a limit.
    pub incomplete: Vec<String>,
}

/// What a hit costs at a file offset where an instruction begins, or why no probe can be there.
///
/// # Errors
/// The reason.
pub fn site_cost(file: &File, arch: Arch, offset: u64) -> Result<EntryCost, &'static str> {
    let unreadable = "its instruction can't be read";
    let reader = Reader::open(file).map_err(|_| unreadable)?;
    let len = instruction::LONGEST.min(reader.len.saturating_sub(offset));
    entry::cost(arch, &reader.read("the code", offset, len, len).map_err(|_| unreadable)?)
}

/// Finds functions of a file.
///
/// Symbols are read in pieces; what a file may cost at most is in `limits` and `most`.
///
/// # Errors
/// The file can't be read, is not a 64-bit little-endian program or library, has tables outside the file
/// or above the limits, or changed meanwhile. A function that can't be probed is no error: it is refused.
pub fn functions(
    file: &File,
    limits: &Limits,
    most: &FunctionLimits,
    patterns: &[FunctionPattern],
    debug: &DebugFiles,
) -> Result<FileFunctions, ElfError> {
    let failed = |source| ElfError::Io { what: "the file's attributes", source };
    let elf = Elf::open(file, limits)?;
    let before = identify(file).map_err(failed)?;
    let result = finder::find(&elf, most, patterns, debug);
    // A file that changes while it is read can give any error, so this one comes first.
    if identify(file).map_err(failed)? != before || before.size != elf.reader.len {
        return Err(ElfError::Changed);
    }
    result
}
