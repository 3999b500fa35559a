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

/// FNV-1a of the bytes before the first NUL.
#[inline(always)]
#[must_use]
pub fn hash_word(word: &[u8; STATUS_WORD_LEN + 1]) -> u64 {
    let mut hash = FNV_OFFSET;
    let mut i = 0;
    while i < STATUS_WORD_LEN {
        if word[i] == 0 {
            break;
        }
        hash = fnv1a_step(hash, word[i]);
        i += 1;
    }
    hash
}

#[cfg(test)]
mod tests {
    use sidecar_common::{StatusEntry, fnv1a};

    use super::*;

    fn word(text: &[u8]) -> [u8; STATUS_WORD_LEN + 1] {
        let mut word = [0; STATUS_WORD_LEN + 1];
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
        assert_eq!(classify(&table, hash_word(&word(b"pass"))), 1);
        assert_eq!(classify(&table, u64::MAX), 2);
        assert_eq!(classify(&table, hash_word(&word(b"passed"))), 0);
        assert_eq!(classify(&table, 7), 0, "a row with a status that does not exist");
        assert_eq!(classify(&table, 0), 0, "an unused row");
    }

    #[test]
    fn a_word_ends_at_nul_or_at_the_limit() {
        assert_eq!(hash_word(&word(b"timeout")), fnv1a(b"timeout"));
        assert_eq!(hash_word(&[b'x'; 32]), fnv1a(&[b'x'; 31]));
        assert_eq!(hash_word(&[0; 32]), fnv1a(b""));
    }
}
