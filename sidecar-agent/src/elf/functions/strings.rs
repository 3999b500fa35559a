//! A table of names of any size, read through a small cache.
//!
//! Symbols mostly name strings in rising order, so most are in the block read last; a table that jumps about
//! costs a read of [`BLOCK`] a symbol, and the caller's time limit.

use super::super::ElfError;
use super::super::reader::Reader;

/// Bytes that are read at once.
const BLOCK: u64 = 16 << 10;
/// Blocks that are kept, 2 MiB.
const BLOCKS: usize = 128;

/// A table of NUL-terminated strings.
pub(super) struct Strings<'f> {
    reader: Reader<'f>,
    offset: u64,
    size: u64,
    blocks: Vec<Option<(u64, Vec<u8>)>>,
}

/// A name that can't be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoName {
    /// It is not in the table.
    Outside,
    /// It is longer than the limit.
    Long,
    /// It is not UTF-8.
    Foreign,
}

impl<'f> Strings<'f> {
    /// The table at an offset of a file; it has to be in the file.
    pub(super) fn open(reader: Reader<'f>, offset: u64, size: u64) -> Result<Self, ElfError> {
        let end = offset.saturating_add(size);
        if end > reader.len {
            return Err(ElfError::Truncated { what: "the symbols' names", end, len: reader.len });
        }
        Ok(Self { reader, offset, size, blocks: vec![None; BLOCKS] })
    }

    /// The string at an index, of at most `most` bytes; `into` is cleared first.
    pub(super) fn get(
        &mut self,
        index: u64,
        most: usize,
        into: &mut Vec<u8>,
    ) -> Result<Result<(), NoName>, ElfError> {
        into.clear();
        let mut at = index;
        while at < self.size {
            let block = self.block(at / BLOCK)?;
            let from = usize::try_from(at % BLOCK).unwrap_or_default();
            let rest = block.get(from..).unwrap_or_default();
            let end = rest.iter().position(|&byte| byte == 0);
            let piece = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            if into.len() + piece.len() > most {
                return Ok(Err(NoName::Long));
            }
            into.extend_from_slice(piece);
            if end.is_some() {
                return Ok(if std::str::from_utf8(into).is_ok() { Ok(()) } else { Err(NoName::Foreign) });
            }
            at = (at / BLOCK + 1) * BLOCK;
        }
        Ok(Err(NoName::Outside))
    }

    fn block(&mut self, number: u64) -> Result<&[u8], ElfError> {
        let slot = usize::try_from(number % BLOCKS as u64).unwrap_or_default();
        let (start, size) = (number * BLOCK, BLOCK.min(self.size.saturating_sub(number * BLOCK)));
        let Some(place) = self.blocks.get_mut(slot) else { return Ok(&[]) };
        if place.as_ref().is_none_or(|(held, _)| *held != number) {
            let bytes = self.reader.read("the symbols' names", self.offset + start, size, BLOCK)?;
            *place = Some((number, bytes));
        }
        Ok(place.as_ref().map_or(&[], |(_, bytes)| bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::testing::file_of;

    #[test]
    fn strings_are_read_across_blocks_and_no_further_than_table_and_limit() {
        let long = "y".repeat(3 * BLOCK as usize);
        let text = format!("head\0one\0{long}\0two\0\u{e9}\0open");
        let file = file_of(text.as_bytes());
        let size = text.len() as u64 - 5;
        let mut strings = Strings::open(Reader::open(&file).unwrap(), 5, size).unwrap();
        let mut name = Vec::new();
        let mut get = |index, most| {
            let found = strings.get(index, most, &mut name).unwrap();
            found.map(|()| String::from_utf8(name.clone()).unwrap())
        };
        assert_eq!(get(0, 8), Ok("one".to_owned()));
        assert_eq!(get(4, long.len()), Ok(long.clone()));
        assert_eq!(get(4, long.len() - 1), Err(NoName::Long));
        let two = 4 + long.len() as u64 + 1;
        assert_eq!(get(two, 8), Ok("two".to_owned()));
        assert_eq!(get(two + 5, 8), Err(NoName::Foreign));
        assert_eq!(get(two + 7, 8), Err(NoName::Outside));
        assert_eq!(get(u64::MAX, 8), Err(NoName::Outside));
    }

    #[test]
    fn a_table_outside_the_file_is_an_error() {
        let file = file_of(b"0123456789");
        let reader = Reader::open(&file).unwrap();
        assert!(matches!(Strings::open(reader, 8, 3), Err(ElfError::Truncated { .. })));
        assert!(matches!(Strings::open(reader, u64::MAX, u64::MAX), Err(ElfError::Truncated { .. })));
    }
}
