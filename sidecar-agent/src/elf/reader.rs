//! Reads of checked size from a file that may change under them.

use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;

use super::ElfError;

/// A file and the length that it had when it was opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'f> {
    pub(super) file: &'f File,
    pub(super) len: u64,
}

impl<'f> Reader<'f> {
    /// Measures the file.
    pub(super) fn open(file: &'f File) -> Result<Self, ElfError> {
        let meta =
            file.metadata().map_err(|source| ElfError::Io { what: "the file's attributes", source })?;
        if meta.is_file() { Ok(Self { file, len: meta.len() }) } else { Err(ElfError::NotAFile) }
    }

    /// Reads exactly `size` bytes at `offset`. No memory is taken before both are checked.
    pub(super) fn read(
        self,
        what: &'static str,
        offset: u64,
        size: u64,
        limit: u64,
    ) -> Result<Vec<u8>, ElfError> {
        if size > limit {
            return Err(ElfError::TooLarge { what, value: size, limit });
        }
        let end = offset.saturating_add(size);
        let truncated = ElfError::Truncated { what, end, len: self.len };
        if end > self.len {
            return Err(truncated);
        }
        let size = usize::try_from(size).map_err(|_| ElfError::Malformed("a size past the address space"))?;
        let mut bytes = vec![0; size];
        match self.file.read_exact_at(&mut bytes, offset) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Err(ElfError::Changed),
            Err(source) => Err(ElfError::Io { what, source }),
        }
    }

    /// Reads a NUL-terminated string of at most `limit` bytes.
    pub(super) fn string(self, what: &'static str, offset: u64, limit: usize) -> Result<String, ElfError> {
        let left = self.len.saturating_sub(offset);
        let mut size = left.min(64);
        loop {
            let bytes = self.read(what, offset, size, u64::MAX)?;
            if let Some(end) = bytes.iter().position(|&byte| byte == 0) {
                let text = bytes.get(..end).unwrap_or_default();
                return match std::str::from_utf8(text) {
                    Ok(text) => Ok(text.to_owned()),
                    Err(_) => Err(ElfError::Malformed("a name that is not UTF-8")),
                };
            }
            if size == left {
                return Err(ElfError::Truncated { what, end: self.len.saturating_add(1), len: self.len });
            }
            if size >= limit as u64 {
                return Err(ElfError::TooLarge { what, value: size, limit: limit as u64 });
            }
            size = size.saturating_mul(8).min(left).min(limit as u64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::testing::file_of;

    #[test]
    fn reads_outside_the_file_or_above_the_limit_are_errors() {
        let file = file_of(b"0123456789");
        let reader = Reader::open(&file).unwrap();
        assert_eq!(reader.read("x", 8, 2, 2).unwrap(), b"89");
        assert!(matches!(reader.read("x", 8, 3, 9), Err(ElfError::Truncated { end: 11, len: 10, .. })));
        assert!(matches!(reader.read("x", u64::MAX, 3, 9), Err(ElfError::Truncated { .. })));
        assert!(matches!(reader.read("x", 0, 3, 2), Err(ElfError::TooLarge { value: 3, limit: 2, .. })));
        assert!(matches!(reader.read("x", 0, u64::MAX, u64::MAX), Err(ElfError::Truncated { .. })));
    }

    #[test]
    fn a_file_that_shrinks_after_it_was_measured_has_changed() {
        let file = file_of(b"0123456789");
        let reader = Reader::open(&file).unwrap();
        file.set_len(5).unwrap();
        assert!(matches!(reader.read("x", 4, 4, 4), Err(ElfError::Changed)));
    }

    #[test]
    fn strings_end_with_nul_within_the_file_and_the_limit() {
        let long = "z".repeat(600);
        let file = file_of(format!("one\0{long}\0\u{e9}\0open").as_bytes());
        let reader = Reader::open(&file).unwrap();
        assert_eq!(reader.string("x", 0, 64).unwrap(), "one");
        assert_eq!(reader.string("x", 4, 1000).unwrap(), long);
        assert!(matches!(reader.string("x", 4, 100), Err(ElfError::TooLarge { .. })));
        assert!(matches!(reader.string("x", 606, 100), Err(ElfError::Malformed(_))));
        assert!(matches!(reader.string("x", 608, 100), Err(ElfError::Truncated { .. })));
        assert!(matches!(reader.string("x", 10_000, 100), Err(ElfError::Truncated { .. })));
    }
}
