//! The words of a script: what a marker carries. Memory that they make is never given back.
//!
//! A number (decimal, `0x`, negative) is itself; `null` is 0; `text:T` points to the string T, `hex:H` to those bytes
//! and a NUL, `empty` to a NUL, `long:N` to a string of N times x. `open:N` points to N times x at the end of a page
//! behind which nothing is mapped; `cold:T` to T in memory that was never touched. `pointers:N` points to N pointers
//! to strings of 1,100 bytes that begin with their position.

use anyhow::{Context, Result};

use crate::cold::{self, PAGE};

/// Keeps bytes for ever and gives their address.
fn keep(bytes: Vec<u8>) -> u64 {
    Box::leak(bytes.into_boxed_slice()).as_ptr() as u64
}

fn string(mut text: Vec<u8>) -> u64 {
    text.push(0);
    keep(text)
}

/// What a word stands for.
pub(crate) fn value(word: &str) -> Result<u64> {
    let (kind, rest) = word.split_once(':').unwrap_or((word, ""));
    Ok(match kind {
        "null" => 0,
        "text" => string(rest.as_bytes().to_vec()),
        "empty" => string(Vec::new()),
        "long" => string(vec![b'x'; rest.parse()?]),
        "hex" => string(
            (0..rest.len() / 2)
                .map(|i| Ok(u8::from_str_radix(rest.get(2 * i..2 * i + 2).context("hex digits")?, 16)?))
                .collect::<Result<_>>()?,
        ),
        "open" => open(rest.parse()?)?,
        "cold" => cold::Texts::new(&[rest.to_owned()], 0)?.map(0)?,
        "pointers" => {
            let texts = (0..rest.parse::<u64>()?).map(|i| string(format!("{i:<1100}").into_bytes()));
            keep(texts.flat_map(u64::to_le_bytes).collect())
        }
        number => match number.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16)?,
            None => number.parse::<i128>().with_context(|| word.to_owned())? as u64,
        },
    })
}

/// `len` bytes, less than a page, without a NUL, before a page that is not mapped.
fn open(len: usize) -> Result<u64> {
    let start = cold::reserve(2 * PAGE)?;
    // SAFETY: the first of the two pages was reserved just now, and nobody else knows of it.
    unsafe {
        let result = libc::mprotect(start.cast(), PAGE, libc::PROT_READ | libc::PROT_WRITE);
        anyhow::ensure!(result == 0, "mprotect: {}", std::io::Error::last_os_error());
        let text = start.add(PAGE - len);
        text.write_bytes(b'x', len);
        Ok(text as u64)
    }
}
