//! Argument texts: `[-]N[f]@OP`, separated by blanks. Format: SystemTap's `sys/sdt.h`; the operands are those of
//! gcc's assembler output.

use sidecar_common::MAX_ARGS;

use super::{aarch64, x86_64};
use crate::elf::Arch;

/// Where an argument is. Registers are byte offsets in the processor's `pt_regs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It can't be read.
    Unread {
        /// Why not.
        why: String,
    },
    /// A constant.
    Constant(i64),
    /// A register.
    Register {
        /// Offset of the register.
        register: u16,
    },
    /// Memory at a register plus a displacement.
    Memory {
        /// Offset of the register.
        base: u16,
        /// Bytes added to it.
        displacement: i64,
    },
    /// Memory at a register plus a scaled register plus a displacement.
    Indexed {
        /// Offset of the first register.
        base: u16,
        /// Offset of the scaled register.
        index: u16,
        /// Power of two by which it is scaled: 0 to 3.
        scale: u8,
        /// Bytes added.
        displacement: i64,
    },
}

impl Place {
    /// A place that can't be read.
    pub(super) fn unread(why: impl Into<String>) -> Self {
        Self::Unread { why: why.into() }
    }
}

/// One argument of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgPlace {
    /// Where it is.
    pub place: Place,
    /// Its size in bytes: 1, 2, 4 or 8.
    pub size: u8,
    /// Whether it is signed.
    pub signed: bool,
}

/// What an operand parser needs besides the text.
pub(super) struct Context<'a> {
    /// Address of the site, as linked.
    pub(super) site: u64,
    /// Addresses of symbols, as linked.
    pub(super) resolve: Option<&'a dyn Fn(&str) -> Option<u64>>,
}

/// Parses the text of a note. What is not understood is an argument that stays unread; the others work. At most
/// 12 arguments are looked at. `site` is the address of the site and `resolve` gives addresses of symbols, both as
/// linked: for operands relative to the instruction.
pub fn parse_args(
    text: &str,
    arch: Arch,
    site: u64,
    resolve: Option<&dyn Fn(&str) -> Option<u64>>,
) -> Vec<ArgPlace> {
    let context = Context { site, resolve };
    split(text).take(MAX_ARGS).map(|word| one(word, arch, &context)).collect()
}

/// Splits at blanks that are not inside brackets: aarch64 operands hold blanks.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_u32;
    text.split(move |c: char| {
        match c {
            '[' | '(' => depth = depth.saturating_add(1),
            ']' | ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c.is_ascii_whitespace() && depth == 0
    })
    .filter(|word| !word.is_empty())
}

fn one(word: &str, arch: Arch, context: &Context<'_>) -> ArgPlace {
    let (size, signed, operand) = match width(word) {
        Ok(parts) => parts,
        Err(why) => return ArgPlace { place: Place::unread(why), size: 8, signed: false },
    };
    let place = match arch {
        Arch::X86_64 => x86_64::operand(operand, context),
        Arch::Aarch64 => aarch64::operand(operand),
    };
    ArgPlace { place, size, signed }
}

/// Takes the width off: size, signed, operand. Old notes have none; their arguments are words.
fn width(word: &str) -> Result<(u8, bool, &str), String> {
    let Some((width, operand)) = word.split_once('@') else { return Ok((8, false, word)) };
    let (signed, digits) = match width.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, width),
    };
    match digits {
        "1" => Ok((1, signed, operand)),
        "2" => Ok((2, signed, operand)),
        "4" => Ok((4, signed, operand)),
        "8" => Ok((8, signed, operand)),
        _ if digits.ends_with('f') => Err(format!("{word}: a floating-point argument")),
        _ => Err(format!("{word}: a width other than 1, 2, 4 or 8")),
    }
}

/// A number as assemblers write it: decimal or hexadecimal, with a sign.
pub(super) fn number(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let value = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hexadecimal) => u64::from_str_radix(hexadecimal, 16).ok()?,
        None => digits.parse::<u64>().ok()?,
    };
    // Assemblers also write negative constants as their 64-bit pattern.
    let value = value as i64;
    Some(if negative { value.wrapping_neg() } else { value })
}
