//! Which values of a status argument mean which status, as the kernel programs look them up.

use sidecar_common::{STATUS_ROWS, STATUS_WORD_LEN, Status, StatusEntry, StatusTable, fnv1a};

use crate::mapping::StatusValue;

/// Why a mapping can't be given to the kernel programs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// More status values than a table has rows.
    #[error("{0} status values are more than the {STATUS_ROWS} that one marker can have")]
    TooManyValues(usize),
    /// A word that the kernel programs would not read whole.
    #[error("the status word {0:?} is longer than {STATUS_WORD_LEN} bytes")]
    LongWord(String),
    /// One value for two statuses.
    #[error("the status value {0} stands for two statuses")]
    Ambiguous(String),
}

/// The table for a mapping's status values. Without values the table is direct: the integer is the number of
/// the [`Status`].
///
/// # Errors
/// Too many values, a word that is too long, or one value for two statuses.
pub fn status_table(status: &[(StatusValue, Status)]) -> Result<StatusTable, SpecError> {
    let mut table = StatusTable::default();
    if status.len() > STATUS_ROWS {
        return Err(SpecError::TooManyValues(status.len()));
    }
    for (row, (value, status)) in status.iter().enumerate() {
        let key = match value {
            StatusValue::Number(number) => number.cast_unsigned(),
            StatusValue::Word(word) if word.len() > STATUS_WORD_LEN => {
                return Err(SpecError::LongWord(word.clone()));
            }
            StatusValue::Word(word) => fnv1a(word.as_bytes()),
        };
        let (earlier, rest) = table.rows.split_at_mut(row);
        if earlier.iter().any(|entry| entry.value == key && entry.status != *status as u8) {
            let text = match value {
                StatusValue::Number(number) => number.to_string(),
                StatusValue::Word(word) => format!("{word:?}"),
            };
            return Err(SpecError::Ambiguous(text));
        }
        if let Some(entry) = rest.first_mut() {
            *entry = StatusEntry { value: key, status: *status as u8, used: 1, reserved: [0; 6] };
        }
    }
    Ok(table)
}
