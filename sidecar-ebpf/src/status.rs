//! From a status argument's value to a status number.

use sidecar_common::{FNV_OFFSET, STATUS_ROWS, STATUS_WORD_LEN, Status, StatusTable, fnv1a_step};

/// Number of the status that `value` (an integer, or a word's hash) stands for.
#[inline(always)]
#[must_use]
pub fn classify(table: &StatusTable, value: u64) -> u8 {
    if table.rows[0].used == 0 {
        return if value < Status::COUNT as u64 { value as u8 } else { Status::Unknown as u8 };
    }
    let mut i = 0;
    while i < STATUS_ROWS {
        let row = &table.rows[i];
        if row.used != 0 && row.value == value && (row.status as usize) < Status::COUNT {
            return row.status;
        }
        i += 1;
    }
    Status::Unknown as u8
}

/// Bytes that [`hash_word`] looks at: the longest word, one more that tells a longer one, and a NUL.
pub const WORD_BUFFER: usize = STATUS_WORD_LEN + 2;

/// FNV-1a of the bytes before the first NUL, or `None` if they are more than [`STATUS_WORD_LEN`].
#[inline(always)]
#[must_use]
pub fn hash_word(word: &[u8; WORD_BUFFER]) -> Option<u64> {
    let mut hash = FNV_OFFSET;
    let mut i = 0;
    while i <= STATUS_WORD_LEN {
        if word[i] == 0 {
            return Some(hash);
        }
        hash = fnv1a_step(hash, word[i]);
        i += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use sidecar_common::{StatusEntry, fnv1a};

    use super::*;

    fn word(text: &[u8]) -> [u8; WORD_BUFFER] {
        let mut word = [0; WORD_BUFFER];
        word[..text.len()].copy_from_slice(text);
        word
    }

    #[test]
    fn the_default_table_is_direct() {
        let table = StatusTable::default();
        for status in Status::ALL {
            assert_eq!(classify(&table, status as u64), status as u8);
        }
        assert_eq!(classify(&table, 9), 0);
        assert_eq!(classify(&table, u64::MAX), 0);
    }

    #[test]
    fn rows_classify_words_and_numbers_and_the_rest_is_unknown() {
        let mut table = StatusTable::default();
        table.rows[0] = StatusEntry { value: fnv1a(b"pass"), status: 1, used: 1, reserved: [0; 6] };
        table.rows[1] = StatusEntry { value: -1i64 as u64, status: 2, used: 1, reserved: [0; 6] };
        table.rows[2] = StatusEntry { value: 7, status: 200, used: 1, reserved: [0; 6] };
        assert_eq!(classify(&table, hash_word(&word(b"pass")).unwrap()), 1);
        assert_eq!(classify(&table, u64::MAX), 2);
        assert_eq!(classify(&table, hash_word(&word(b"passed")).unwrap()), 0);
        assert_eq!(classify(&table, 7), 0, "a row with a status that does not exist");
        assert_eq!(classify(&table, 0), 0, "an unused row");
    }

    #[test]
    fn a_word_ends_at_nul_and_a_longer_one_than_the_limit_is_none() {
        assert_eq!(hash_word(&word(b"timeout")), Some(fnv1a(b"timeout")));
        assert_eq!(hash_word(&word(&[b'x'; STATUS_WORD_LEN])), Some(fnv1a(&[b'x'; STATUS_WORD_LEN])));
        assert_eq!(hash_word(&word(&[b'x'; STATUS_WORD_LEN + 1])), None);
        assert_eq!(hash_word(&[b'x'; WORD_BUFFER]), None);
        assert_eq!(hash_word(&[0; WORD_BUFFER]), Some(fnv1a(b"")));
    }
}
