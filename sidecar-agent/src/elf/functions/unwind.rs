//! Where functions begin in a stripped file: the table by which exceptions find their way (`.eh_frame_hdr`).
//!
//! Format: Linux Standard Base, "Exception Frame Header". Only the encoding that linkers use is understood:
//! 4-byte offsets from the table, sorted. What is read is checked against the frame that it leads to.

use object::elf;

use super::code::Code;

/// Bytes before the sorted table.
const HEAD: u64 = 12;
/// Bytes of an entry.
const ENTRY: u64 = 8;
/// `version`, and the encodings of the frames' address, of the count and of the entries.
const USUAL: [u8; 4] = [1, 0x1b, 0x03, 0x3b];

/// First address and end of the code that one frame is about.
pub(super) fn frame_around(code: &Code<'_, '_>, address: u64) -> Option<(u64, u64)> {
    let (table, size) = code.segment(elf::PT_GNU_EH_FRAME)?;
    let head = code.bytes_at(table, HEAD)?;
    if head.get(..4) != Some(&USUAL) {
        return None;
    }
    let count = u64::from(word(&head, 8)?).min(size.checked_sub(HEAD)? / ENTRY);
    let entry = |index: u64| -> Option<(u64, u64)> {
        let bytes = code.bytes_at(table.checked_add(HEAD)?.checked_add(index.checked_mul(ENTRY)?)?, ENTRY)?;
        Some((relative(table, word(&bytes, 0)?), relative(table, word(&bytes, 4)?)))
    };
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        if entry(middle)?.0 <= address { low = middle + 1 } else { high = middle }
    }
    let (start, frame) = entry(low.checked_sub(1)?)?;
    // length, the common part, where the code begins (from here), how long it is
    let bytes = code.bytes_at(frame, 16)?;
    let begins = relative(frame.checked_add(8)?, word(&bytes, 8)?);
    let len = u64::from(word(&bytes, 12)?);
    let end = start.checked_add(len)?;
    (begins == start && start <= address && address < end).then_some((start, end))
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..)?.first_chunk().copied()?))
}

/// An address that is written as a signed distance.
fn relative(from: u64, distance: u32) -> u64 {
    from.wrapping_add_signed(i64::from(distance.cast_signed()))
}
