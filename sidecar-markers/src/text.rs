//! Copies what a marker carries into memory that was just written. Uses `core` only.
//!
//! A tracer reads the strings at the hit, and its read may not bring in a page that is not there: a string
//! in a page that was never touched would read back empty. The copies are on the stack, so nothing is
//! allocated or locked, and a signal handler may fire a marker too.

use core::ffi::{c_char, c_void};
use core::mem::MaybeUninit;
use core::ptr;

/// A string or byte block is cut at this many bytes. A string is cut at the next character's start, so a
/// cut one has this many bytes or up to three more: who reads at most 1 KiB with the NUL sees that it was cut.
pub(crate) const LIMIT: usize = 1024;

/// The most continuation bytes that a character has.
const SPILL: usize = 3;

/// Room for one copied string or byte block.
pub(crate) struct Buffer([MaybeUninit<u8>; LIMIT + SPILL + 1]);

impl Buffer {
    /// An empty buffer; its memory is not touched.
    pub(crate) const fn new() -> Self {
        Self([const { MaybeUninit::uninit() }; LIMIT + SPILL + 1])
    }

    /// Copies a string up to its first NUL or the limit, and ends it with NUL. `None` is NULL.
    pub(crate) fn string(&mut self, text: Option<&[u8]>) -> *const c_char {
        let Some(text) = text else { return ptr::null() };
        let text = cut(text);
        if let Some((copy, [end, ..])) = self.0.split_at_mut_checked(text.len()) {
            copy.write_copy_of_slice(text);
            end.write(0);
        }
        self.0.as_ptr().cast()
    }

    /// Copies a byte block: its address, and its length after cutting. `None` is NULL and 0.
    pub(crate) fn bytes(&mut self, data: Option<&[u8]>) -> (*const c_void, u64) {
        let Some(data) = data else { return (ptr::null(), 0) };
        // One byte past the limit shows a reader that the block was cut.
        let data = &data[..data.len().min(LIMIT + 1)];
        self.0[..data.len()].write_copy_of_slice(data);
        (self.0.as_ptr().cast(), data.len() as u64)
    }
}

/// The part of a string that a marker carries.
fn cut(text: &[u8]) -> &[u8] {
    let window = &text[..text.len().min(LIMIT + SPILL)];
    let end = window.iter().position(|&byte| byte == 0).unwrap_or(window.len());
    let (whole, beyond) = window[..end].split_at(end.min(LIMIT));
    let spill = beyond.iter().take_while(|&&byte| byte & 0xc0 == 0x80).count();
    // Never the whole window: an index that could fail would bring the code of panics into C programs.
    window.get(..whole.len() + spill).unwrap_or(window)
}

/// The bytes of a C string, as many as a marker can carry. NULL is `None`.
///
/// # Safety
/// `text` is NULL or points to memory that can be read up to a NUL or for 1,028 bytes, and that does not
/// change while the result is used.
pub(crate) unsafe fn c_string<'a>(text: *const c_char) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    let text = text.cast::<u8>();
    let mut len = 0;
    // SAFETY: no byte up to here is NUL and len < 1,028, so by the caller's word the byte can be read.
    while len <= LIMIT + SPILL && unsafe { text.add(len).read() } != 0 {
        len += 1;
    }
    // SAFETY: the loop has read these bytes.
    Some(unsafe { core::slice::from_raw_parts(text, len) })
}

#[cfg(test)]
mod tests {
    use core::ffi::CStr;

    use super::*;

    fn string(text: &[u8]) -> Vec<u8> {
        let mut buffer = Buffer::new();
        let copy = buffer.string(Some(text));
        // SAFETY: `string` ends the copy with NUL, and the buffer lives.
        unsafe { CStr::from_ptr(copy) }.to_bytes().to_vec()
    }

    #[test]
    fn none_is_null_and_empty_is_an_empty_string() {
        assert!(Buffer::new().string(None).is_null());
        assert_eq!(string(b""), b"");
    }

    #[test]
    fn text_is_whole_up_to_the_limit_and_cut_behind_it() {
        for len in [1, LIMIT - 1, LIMIT] {
            assert_eq!(string(&vec![b'x'; len]).len(), len);
        }
        for len in [LIMIT + 1, LIMIT + SPILL, LIMIT + SPILL + 1, 1 << 20] {
            assert_eq!(string(&vec![b'x'; len]).len(), LIMIT, "{len}");
        }
    }

    #[test]
    fn a_cut_falls_between_characters_and_never_below_the_limit() {
        for (prefix, character) in
            [("", "é"), ("x", "é"), ("", "€"), ("x", "€"), ("xx", "€"), ("", "🦀"), ("xxx", "🦀")]
        {
            let text = prefix.to_owned() + &character.repeat(2_000);
            let copy = string(text.as_bytes());
            assert!((LIMIT..=LIMIT + SPILL).contains(&copy.len()));
            assert!(text.starts_with(str::from_utf8(&copy).unwrap()));
        }
    }

    #[test]
    fn bytes_that_are_not_utf8_pass_through() {
        assert_eq!(string(b"\xff\xfe ok"), b"\xff\xfe ok");
        assert_eq!(string(&[0x80; 5_000]).len(), LIMIT + SPILL);
    }

    #[test]
    fn an_interior_nul_ends_the_text() {
        assert_eq!(string(b"before\0after"), b"before");
        let mut long = vec![b'x'; LIMIT + 1];
        long[LIMIT] = 0;
        assert_eq!(string(&long).len(), LIMIT);
    }

    #[test]
    fn a_byte_block_keeps_its_nuls_and_shows_that_it_was_cut() {
        let mut buffer = Buffer::new();
        let (at, len) = buffer.bytes(Some(b"a\0b"));
        // SAFETY: `bytes` has just written this many bytes there, and the buffer lives.
        assert_eq!(unsafe { core::slice::from_raw_parts(at.cast::<u8>(), len as usize) }, b"a\0b");
        assert_eq!(buffer.bytes(Some(&[7; LIMIT])).1, LIMIT as u64);
        assert_eq!(buffer.bytes(Some(&[7; 1 << 20])).1, LIMIT as u64 + 1);
        assert_eq!(buffer.bytes(Some(b"")).1, 0);
        assert!(buffer.bytes(None).0.is_null());
    }

    #[test]
    fn a_c_string_is_read_to_its_nul_or_to_what_a_marker_can_carry() {
        // SAFETY: NULL and NUL-terminated literals.
        unsafe {
            assert_eq!(c_string(ptr::null()), None);
            assert_eq!(c_string(c"".as_ptr()), Some(&b""[..]));
            assert_eq!(c_string(c"abc".as_ptr()), Some(&b"abc"[..]));
        }
        let unterminated = vec![b'x'; LIMIT + SPILL + 1];
        // SAFETY: 1,028 bytes can be read.
        assert_eq!(unsafe { c_string(unterminated.as_ptr().cast()) }.unwrap().len(), LIMIT + SPILL + 1);
    }
}
