//! Reads ring records by the rules of `sidecar_common::record`, apart from the agent's own decoder.

use std::fmt;

use anyhow::{Context, Result, ensure};
use sidecar_common::{RecordHeader, padded};

/// One argument as it arrived.
#[derive(Clone, PartialEq, Eq)]
pub enum Arg {
    /// An integer.
    Integer(u64),
    /// A string or byte block.
    Bytes(Vec<u8>),
    /// A string or byte block that was cut.
    Cut(Vec<u8>),
    /// Its memory could not be read.
    Fault,
    /// NULL, or a place that is not understood.
    Unread,
    /// A payload that was left out.
    Dropped,
}

impl Arg {
    /// A whole string.
    #[must_use]
    pub fn text(text: &str) -> Self {
        Self::Bytes(text.as_bytes().to_vec())
    }
}

impl fmt::Debug for Arg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |f: &mut fmt::Formatter<'_>, name: &str, bytes: &[u8]| {
            let start = bytes[..bytes.len().min(60)].escape_ascii();
            write!(f, "{name}({} bytes: \"{start}\")", bytes.len())
        };
        match self {
            Self::Integer(value) => write!(f, "Integer({value:#x})"),
            Self::Bytes(whole) => bytes(f, "Bytes", whole),
            Self::Cut(cut) => bytes(f, "Cut", cut),
            Self::Fault => f.write_str("Fault"),
            Self::Unread => f.write_str("Unread"),
            Self::Dropped => f.write_str("Dropped"),
        }
    }
}

/// A record.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its header.
    pub header: RecordHeader,
    /// Its arguments.
    pub args: Vec<Arg>,
}

impl Record {
    /// An argument that must be an integer.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn integer(&self, i: usize) -> u64 {
        match &self.args[i] {
            Arg::Integer(value) => *value,
            other => panic!("argument {i} is {other:?}"),
        }
    }
}

/// Takes words off the front of a record.
struct Words<'a>(&'a [u8]);

impl Words<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>().context("the record is cut")?;
        self.0 = rest;
        Ok(*head)
    }

    fn u16(&mut self) -> Result<u16> {
        self.take().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

/// Parses a record.
///
/// # Errors
/// When it is not whole.
pub fn decode(bytes: &[u8]) -> Result<Record> {
    let mut words = Words(bytes);
    let header = RecordHeader {
        len: words.u32()?,
        kind: words.u16()?,
        argc: words.take::<1>()?[0],
        status: words.take::<1>()?[0],
        spec: words.u32()?,
        generation: words.u32()?,
        time_ns: words.u64()?,
        pid: words.u32()?,
        tid: words.u32()?,
        cgroup_id: words.u64()?,
        rate: words.u64()?,
        strings: words.u16()?,
        faults: words.u16()?,
        truncated: words.u16()?,
        unread: words.u16()?,
        dropped: words.u16()?,
        flags: words.u16()?,
        exit_code: words.u32()?,
        comm: words.take()?,
    };
    ensure!(header.len as usize <= bytes.len(), "{} of {} bytes in use", header.len, bytes.len());
    let mut words = Words(&bytes[RecordHeader::LEN as usize..header.len as usize]);
    let mut args = Vec::with_capacity(header.argc.into());
    for i in 0..header.argc {
        let has = |bitmap: u16| bitmap & (1 << i) != 0;
        let value = words.u64()?;
        args.push(if has(header.dropped) {
            ensure!(value == 0, "argument {i} is left out and yet {value}");
            Arg::Dropped
        } else if has(header.unread) || has(header.faults) {
            ensure!(value == 0, "argument {i} is missing and yet {value}");
            if has(header.faults) { Arg::Fault } else { Arg::Unread }
        } else if has(header.strings) {
            let len = u32::try_from(value)?;
            let text = words.0.get(..len as usize).context("a string is cut")?.to_vec();
            words.0 = words.0.get(padded(len) as usize..).context("a string is not padded")?;
            if has(header.truncated) { Arg::Cut(text) } else { Arg::Bytes(text) }
        } else {
            Arg::Integer(value)
        });
    }
    ensure!(words.0.is_empty(), "{} bytes are left over", words.0.len());
    Ok(Record { header, args })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record with an integer, a string of 3 bytes, a fault and an unread argument.
    fn example() -> Vec<u8> {
        let mut bytes = 0u32.to_le_bytes().to_vec();
        bytes.extend([1, 0, 4, 2]);
        bytes.extend([0; 40]);
        for bitmap in [0b110u16, 0b100, 0b10, 0b1000] {
            bytes.extend(bitmap.to_le_bytes());
        }
        bytes.extend([0; 8]);
        bytes.extend([0; 16]);
        for value in [7u64, 3] {
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(*b"abc-----");
        bytes.extend([0; 16]);
        bytes.extend(*b"noise");
        bytes[..4].copy_from_slice(&120u32.to_le_bytes());
        bytes
    }

    #[test]
    fn each_kind_of_argument_is_told_apart() {
        let record = decode(&example()).unwrap();
        assert_eq!(record.args, [Arg::Integer(7), Arg::Cut(b"abc".to_vec()), Arg::Fault, Arg::Unread]);
        assert_eq!((record.header.kind, record.header.status), (1, 2));
    }

    #[test]
    fn a_cut_record_is_an_error_wherever_it_is_cut() {
        let whole = example();
        for len in 0..120 {
            assert!(decode(&whole[..len]).is_err(), "{len}");
        }
        for len in [80u32, 88, 103, 119] {
            let mut bytes = whole.clone();
            bytes[..4].copy_from_slice(&len.to_le_bytes());
            assert!(decode(&bytes).is_err(), "{len}");
        }
    }
}
