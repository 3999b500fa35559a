//! The bytes at probe sites, to see that they are still what they were.

use std::fs::File;
use std::hash::Hasher;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes taken at each site: the longest x86-64 instruction has 15.
const SITE_LEN: u64 = 16;
/// Sites no farther apart than this are read together.
const GAP: u64 = 256;
/// Most bytes of one read.
const WINDOW: u64 = 64 << 10;

/// Adds the first instruction's bytes at each offset to a hash. `offsets` must ascend; sites near each
/// other are read together, so that 50,000 sites cost few reads, and far ones cost no bytes in between.
///
/// # Errors
/// The file can't be read.
pub fn sample(file: &File, offsets: &[u64], hasher: &mut impl Hasher) -> io::Result<()> {
    let mut rest = offsets;
    while let Some(&first) = rest.first() {
        let mut last = first;
        let count = rest
            .iter()
            .take_while(|&&offset| {
                let near = offset.saturating_sub(last) <= GAP && offset.saturating_sub(first) <= WINDOW;
                if near {
                    last = offset.max(last);
                }
                near
            })
            .count();
        let bytes = read_up_to(file, first, last - first + SITE_LEN)?;
        let (here, there) = rest.split_at(count);
        for &offset in here {
            let start = usize::try_from(offset.saturating_sub(first)).unwrap_or(usize::MAX);
            let end = start.saturating_add(SITE_LEN as usize).min(bytes.len());
            hasher.write_u64(offset);
            hasher.write(bytes.get(start..end).unwrap_or_default());
        }
        rest = there;
    }
    Ok(())
}

/// Reads `len` bytes, or fewer at the file's end.
fn read_up_to(file: &File, offset: u64, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
    let mut done = 0;
    while let Some(rest) = bytes.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(done as u64)) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(done);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::hash_map::DefaultHasher;

    use super::*;
    use crate::elf::testing::file_of;

    fn hash(file: &File, offsets: &[u64]) -> u64 {
        let mut hasher = DefaultHasher::new();
        sample(file, offsets, &mut hasher).unwrap();
        hasher.finish()
    }

    #[test]
    fn a_changed_byte_at_a_site_shows_and_one_between_sites_does_not() {
        let bytes = vec![0x90; 200_000];
        let file = file_of(&bytes);
        let offsets = [0, 10, 5000, 5200, 150_000, 199_999];
        let before = hash(&file, &offsets);
        for (at, shows) in
            [(0, true), (25, true), (26, false), (5215, true), (100_000, false), (199_999, true)]
        {
            file.write_all_at(&[0xcc], at).unwrap();
            assert_eq!(hash(&file, &offsets) != before, shows, "byte {at}");
            file.write_all_at(&[0x90], at).unwrap();
        }
    }

    #[test]
    fn offsets_past_the_end_are_no_error() {
        let file = file_of(b"short");
        assert_ne!(hash(&file, &[0, 1 << 40]), hash(&file, &[0]));
    }
}
