//! Addresses of named variables, for markers whose arguments are in memory at a symbol.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fs::File;

use object::LittleEndian as LE;
use object::elf::{self, Sym64};
use object::pod;

use super::header::Elf;
use super::{ElfError, Limits};

const SYMBOL_LEN: u64 = size_of::<Sym64<LE>>() as u64;

/// Addresses, as linked, of the symbols named in `names`. A name that is missing, or that stands for several
/// addresses, is left out.
///
/// # Errors
/// The file can't be read, is not a 64-bit little-endian program or library, or its tables are outside the
/// file or above the limits.
pub fn symbol_addresses(
    file: &File,
    limits: &Limits,
    names: &[String],
) -> Result<HashMap<String, u64>, ElfError> {
    let elf = Elf::open(file, limits)?;
    let sections = elf.sections()?;
    let mut found: HashMap<&str, Option<u64>> = HashMap::new();
    let wanted: HashMap<&[u8], &str> = names.iter().map(|name| (name.as_bytes(), name.as_str())).collect();
    let longest = names.iter().map(String::len).max().unwrap_or_default();
    for kind in [elf::SHT_SYMTAB, elf::SHT_DYNSYM] {
        // The format allows one table of each kind.
        let Some(table) = sections.all().iter().find(|section| section.sh_type.get(LE) == kind) else {
            continue;
        };
        let Some(strings) = sections.all().get(table.sh_link.get(LE) as usize) else {
            continue;
        };
        let size = table.sh_size.get(LE);
        let size = size - size % SYMBOL_LEN;
        let symbols = elf.reader.read("the symbols", table.sh_offset.get(LE), size, limits.symbols)?;
        let (offset, size) = (strings.sh_offset.get(LE), strings.sh_size.get(LE));
        let strings = elf.reader.read("the symbols' names", offset, size, limits.symbols)?;
        let symbols = pod::slice_from_all_bytes::<Sym64<LE>>(&symbols).unwrap_or_default();
        for symbol in symbols.iter().filter(|symbol| is_variable(symbol)) {
            let name = strings.get(symbol.st_name.get(LE) as usize..).unwrap_or_default();
            let end = name.iter().take(longest + 1).position(|&byte| byte == 0);
            let Some(&name) = end.and_then(|end| wanted.get(name.get(..end)?)) else {
                continue;
            };
            let address = symbol.st_value.get(LE);
            match found.entry(name) {
                Entry::Vacant(entry) => {
                    entry.insert(Some(address));
                }
                Entry::Occupied(mut entry) if *entry.get() != Some(address) => {
                    entry.insert(None);
                }
                Entry::Occupied(_) => {}
            }
        }
    }
    Ok(found.into_iter().filter_map(|(name, address)| Some((name.to_owned(), address?))).collect())
}

fn is_variable(symbol: &Sym64<LE>) -> bool {
    let kind = symbol.st_type();
    symbol.st_shndx.get(LE) != elf::SHN_UNDEF && (kind == elf::STT_OBJECT || kind == elf::STT_NOTYPE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::testing::{Build, file_of};

    #[test]
    fn a_name_with_one_address_is_found_and_an_ambiguous_one_is_not() {
        let symbols = [("one", 0x10), ("two", 0x20), ("two", 0x30), ("same", 0x40), ("same", 0x40)];
        let symbols = symbols.map(|(name, address)| (name.to_owned(), address)).to_vec();
        let file = file_of(&Build { symbols, ..Build::default() }.bytes());
        let names = ["one", "two", "same", "none", "on"].map(str::to_owned);
        let found = symbol_addresses(&file, &Limits::default(), &names).unwrap();
        assert_eq!(found, HashMap::from([("one".to_owned(), 0x10), ("same".to_owned(), 0x40)]));
    }
}
