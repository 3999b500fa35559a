//! Parses the bytes of a record. Nothing is cast, and nothing points into the ring afterwards.

use bytes::Bytes;
use sidecar_common::{
    MAX_ARGS, MAX_STRING, RECORD_ABORT, RECORD_EXEC, RECORD_EXIT, RECORD_HIT, RecordHeader, VALUE_LEN, padded,
};

/// The value of one argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// An integer, sign- or zero-extended.
    Integer(u64),
    /// The bytes of a string (without its NUL) or of a byte block.
    Bytes(Bytes),
    /// A NULL pointer, or an argument whose place is not understood.
    Unread,
    /// The program's memory could not be read.
    Fault,
    /// A payload that was left out to stay inside the agent's budget.
    Dropped,
}

/// A record, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it begins with.
    pub header: RecordHeader,
    /// The arguments, each with whether it was cut at the string limit.
    pub args: Vec<(Value, bool)>,
}

/// Bytes that are no record. Either the agent and its BPF object differ, or the ring was misread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Shorter than a header.
    #[error("a record of {has} bytes is shorter than its header of {wants}")]
    NoHeader {
        /// Bytes there are.
        has: usize,
        /// Bytes of a header.
        wants: usize,
    },
    /// The length in the header is less than the header's, or more than there is.
    #[error("a record says that it has {says} bytes and has {has}")]
    Length {
        /// What the header says.
        says: u32,
        /// Bytes there are.
        has: usize,
    },
    /// A kind that is not known.
    #[error("a record has the unknown kind {0}")]
    Kind(u16),
    /// More arguments than a marker can have, or arguments of a process record.
    #[error("a record of kind {kind} has {argc} arguments")]
    Args {
        /// The kind.
        kind: u16,
        /// The number of arguments.
        argc: u8,
    },
    /// The record ends within an argument.
    #[error("a record ends within argument {arg}")]
    Cut {
        /// Position of the argument.
        arg: usize,
    },
    /// A string longer than strings can be.
    #[error("argument {arg} of a record has {len} bytes; at most {MAX_STRING} are possible")]
    TooLong {
        /// Position of the argument.
        arg: usize,
        /// What its length says.
        len: u64,
    },
    /// Bytes behind the last argument.
    #[error("a record has {0} bytes behind its last argument")]
    Trailing(usize),
}

/// Parses a record.
///
/// # Errors
/// What is wrong with the bytes.
pub fn decode(bytes: &[u8]) -> Result<Record, DecodeError> {
    let no_header = DecodeError::NoHeader { has: bytes.len(), wants: RecordHeader::LEN as usize };
    let header = header(bytes).ok_or(no_header)?;
    let used = usize::try_from(header.len).ok().filter(|used| *used >= RecordHeader::LEN as usize);
    let used = used.and_then(|used| bytes.get(..used));
    let used = used.ok_or(DecodeError::Length { says: header.len, has: bytes.len() })?;
    let most = match header.kind {
        RECORD_HIT | RECORD_ABORT => MAX_ARGS,
        RECORD_EXEC | RECORD_EXIT => 0,
        kind => return Err(DecodeError::Kind(kind)),
    };
    let argc = usize::from(header.argc);
    if argc > most {
        return Err(DecodeError::Args { kind: header.kind, argc: header.argc });
    }
    let rest = &used[RecordHeader::LEN as usize..];
    // One copy for all strings of the record; each argument holds a part of it.
    let owned = if header.strings == 0 { Bytes::new() } else { Bytes::copy_from_slice(rest) };
    let mut at = 0;
    let mut args = Vec::with_capacity(argc);
    for arg in 0..argc {
        let bit = |bits: u16| bits & (1 << arg) != 0;
        let fixed = rest.get(at..).and_then(|rest| rest.first_chunk::<{ VALUE_LEN as usize }>());
        let value = u64::from_ne_bytes(*fixed.ok_or(DecodeError::Cut { arg })?);
        at += VALUE_LEN as usize;
        let value = if bit(header.unread) {
            Value::Unread
        } else if bit(header.faults) {
            Value::Fault
        } else if bit(header.dropped) {
            Value::Dropped
        } else if bit(header.strings) {
            let len = u32::try_from(value).ok().filter(|len| *len <= MAX_STRING);
            let len = len.ok_or(DecodeError::TooLong { arg, len: value })?;
            let (end, next) = (at + len as usize, at + padded(len) as usize);
            if next > owned.len() {
                return Err(DecodeError::Cut { arg });
            }
            let bytes = owned.slice(at..end);
            at = next;
            Value::Bytes(bytes)
        } else {
            Value::Integer(value)
        };
        args.push((value, bit(header.truncated)));
    }
    if at < rest.len() {
        return Err(DecodeError::Trailing(rest.len() - at));
    }
    Ok(Record { header, args })
}

/// The header, if there are enough bytes. Its fields are read in the order of [`RecordHeader`].
fn header(bytes: &[u8]) -> Option<RecordHeader> {
    let mut rest = bytes;
    let at = &mut rest;
    Some(RecordHeader {
        len: u32::from_ne_bytes(take(at)?),
        kind: u16::from_ne_bytes(take(at)?),
        argc: u8::from_ne_bytes(take(at)?),
        status: u8::from_ne_bytes(take(at)?),
        spec: u32::from_ne_bytes(take(at)?),
        generation: u32::from_ne_bytes(take(at)?),
        time_ns: u64::from_ne_bytes(take(at)?),
        pid: u32::from_ne_bytes(take(at)?),
        tid: u32::from_ne_bytes(take(at)?),
        cgroup_id: u64::from_ne_bytes(take(at)?),
        rate: u64::from_ne_bytes(take(at)?),
        strings: u16::from_ne_bytes(take(at)?),
        faults: u16::from_ne_bytes(take(at)?),
        truncated: u16::from_ne_bytes(take(at)?),
        unread: u16::from_ne_bytes(take(at)?),
        dropped: u16::from_ne_bytes(take(at)?),
        flags: u16::from_ne_bytes(take(at)?),
        exit_code: u32::from_ne_bytes(take(at)?),
        comm: take(at)?,
    })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*first)
}

#[cfg(test)]
#[path = "decode_tests.rs"]
pub(crate) mod tests;
