//! The symbols of code in a file, read in pieces, so that millions of them need little memory.

use std::time::Instant;

use object::LittleEndian as LE;
use object::elf::{self, SectionHeader64, Sym64};
use object::pod;

use super::super::ElfError;
use super::super::header::{Elf, Sections};
use super::FunctionLimits;
use super::strings::{NoName, Strings};

const SYMBOL_LEN: u64 = size_of::<Sym64<LE>>() as u64;
/// Symbols that are read at once.
const PIECE: u64 = 4_096;

/// A symbol that says that it is a function.
pub(super) struct Symbol<'n> {
    pub(super) name: &'n str,
    pub(super) address: u64,
    pub(super) size: u64,
    /// Whether what is there only chooses a function, when the program starts.
    pub(super) is_resolver: bool,
}

/// How far the symbols of a file were read.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// How many were looked at.
    pub(super) symbols: u64,
    /// Why not all of them.
    pub(super) stopped: Option<String>,
}

/// Whether a file has the full table of symbols, which stripping takes away.
pub(super) fn is_full(sections: &Sections) -> bool {
    table(sections, elf::SHT_SYMTAB).is_some()
}

/// Calls `each` for every function symbol of a file that has a name.
pub(super) fn walk(
    elf: &Elf<'_>,
    sections: &Sections,
    most: &FunctionLimits,
    end: Instant,
    each: &mut dyn FnMut(&Symbol<'_>) -> Result<(), ElfError>,
) -> Result<Walked, ElfError> {
    let mut walked = Walked::default();
    let mut name = Vec::new();
    // The full table holds what the dynamic one does, as a rule; a name is matched once for each address.
    for kind in [elf::SHT_SYMTAB, elf::SHT_DYNSYM] {
        let Some(table) = table(sections, kind) else { continue };
        let Some(strings) = sections.all().get(table.sh_link.get(LE) as usize) else { continue };
        let mut strings = Strings::open(elf.reader, strings.sh_offset.get(LE), strings.sh_size.get(LE))?;
        let count = table.sh_size.get(LE) / SYMBOL_LEN;
        let mut done = 0;
        while done < count && walked.stopped.is_none() {
            if walked.symbols >= most.symbols {
                let left = count - done;
                walked.stopped = Some(format!(
                    "{left} symbols are beyond the limit of {} and were not read",
                    most.symbols
                ));
                break;
            }
            if Instant::now() >= end {
                let left = count - done;
                let limit = most.time.as_secs_f64();
                walked.stopped = Some(format!("{left} symbols were not read within the limit of {limit} s"));
                break;
            }
            let piece = PIECE.min(count - done).min(most.symbols - walked.symbols);
            let offset = table.sh_offset.get(LE).saturating_add(done * SYMBOL_LEN);
            let bytes = elf.reader.read("the symbols", offset, piece * SYMBOL_LEN, PIECE * SYMBOL_LEN)?;
            for symbol in pod::slice_from_all_bytes::<Sym64<LE>>(&bytes).unwrap_or_default() {
                let Some(is_resolver) = function(symbol) else { continue };
                match strings.get(u64::from(symbol.st_name.get(LE)), most.name, &mut name)? {
                    Ok(()) => {}
                    Err(NoName::Outside | NoName::Long | NoName::Foreign) => continue,
                }
                let Ok(name) = std::str::from_utf8(&name) else { continue };
                // Versions are part of the name in the full table only.
                let name = name.split('@').next().unwrap_or_default();
                if !name.is_empty() {
                    let (address, size) = (symbol.st_value.get(LE), symbol.st_size.get(LE));
                    each(&Symbol { name, address, size, is_resolver })?;
                }
            }
            done += piece;
            walked.symbols += piece;
        }
    }
    Ok(walked)
}

fn table(sections: &Sections, kind: elf::SectionType) -> Option<&SectionHeader64<LE>> {
    // The format allows one table of each kind.
    sections.all().iter().find(|section| section.sh_type.get(LE) == kind && section.sh_size.get(LE) > 0)
}

/// Whether a symbol is defined here and is a function, and if so, whether it is a resolver.
fn function(symbol: &Sym64<LE>) -> Option<bool> {
    let defined = symbol.st_shndx.get(LE) != elf::SHN_UNDEF && symbol.st_name.get(LE) != 0;
    let kind = symbol.st_type();
    match kind {
        elf::STT_FUNC if defined => Some(false),
        elf::STT_GNU_IFUNC if defined => Some(true),
        _ => None,
    }
}
