//! Tables of status values.

use sidecar_common::{STATUS_ROWS, STATUS_WORD_LEN, Status, StatusEntry, StatusTable, fnv1a};

use crate::mapping::StatusValue;

/// Why a mapping can't be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// More values than a table has rows.
    #[error("{0} status values; at most {STATUS_ROWS} are possible")]
    TooManyValues(usize),
    /// A word longer than the kernel programs look at.
    #[error("the status value {0:?} is longer than {STATUS_WORD_LEN} bytes")]
    WordTooLong(String),
}

/// The table of a mapping's status values. An empty list is the table whose integers are the status numbers.
///
/// # Errors
/// See [`SpecError`].
pub fn status_table(values: &[(StatusValue, Status)]) -> Result<StatusTable, SpecError> {
    if values.len() > STATUS_ROWS {
        return Err(SpecError::TooManyValues(values.len()));
    }
    let mut table = StatusTable::default();
    for (row, (value, status)) in table.rows.iter_mut().zip(values) {
        let value = match value {
            StatusValue::Number(number) => *number as u64,
            StatusValue::Word(word) if word.len() > STATUS_WORD_LEN => {
                return Err(SpecError::WordTooLong(word.clone()));
            }
            StatusValue::Word(word) => fnv1a(word.as_bytes()),
        };
        *row = StatusEntry { value, status: *status as u8, used: 1, ..StatusEntry::default() };
    }
    Ok(table)
}
