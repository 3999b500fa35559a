//! Argument text taken apart: sizes, signs, and where each argument is.

use sidecar_common::MAX_ARGS;

use super::number::Sum;
use super::{aarch64, x86_64};
use crate::elf::Arch;
use crate::mapping::Absent;

/// Where an argument is. Registers are byte offsets within the processor's `struct pt_regs`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// It can't be read.
    Unread {
        /// Why not.
        why: String,
    },
    /// It is this number.
    Constant(i64),
    /// It is in a register.
    Register {
        /// The register.
        base: u16,
    },
    /// It is in memory at a register plus a displacement.
    Memory {
        /// The register.
        base: u16,
        /// Bytes added to it.
        displacement: i64,
    },
    /// It is in memory at a register plus a scaled register plus a displacement.
    Indexed {
        /// The register that is not scaled.
        base: u16,
        /// The register that is shifted left by `scale`.
        index: u16,
        /// 0 to 3.
        scale: u8,
        /// Bytes added.
        displacement: i64,
    },
    /// It is in memory at the pointer that lies at a register plus a displacement.
    Pointed {
        /// The register.
        base: u16,
        /// Bytes added to it.
        displacement: i64,
        /// Bytes added to the pointer.
        inner: i32,
        /// What makes it 0.
        absent: Absent,
    },
    /// It is how long a call took.
    Elapsed,
}

impl Place {
    pub(super) fn unread(why: impl Into<String>) -> Self {
        Self::Unread { why: why.into() }
    }

    /// Whether the kernel programs can read it.
    #[must_use]
    pub const fn is_readable(&self) -> bool {
        self.obstacle().is_none()
    }

    /// Why the kernel programs can't read it.
    #[must_use]
    pub const fn obstacle(&self) -> Option<&str> {
        match self {
            Self::Unread { why } => Some(why.as_str()),
            Self::Constant(_)
            | Self::Register { .. }
            | Self::Memory { .. }
            | Self::Indexed { .. }
            | Self::Pointed { .. }
            | Self::Elapsed => None,
        }
    }
}

/// An argument as its note describes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArgPlace {
    /// Where it is.
    pub place: Place,
    /// Size in bytes: 1, 2, 4 or 8. It rules, not the register's name.
    pub size: u8,
    /// Whether it is sign-extended.
    pub signed: bool,
}

/// Gives a symbol's address as linked.
pub type Symbols<'s> = &'s dyn Fn(&str) -> Option<u64>;

/// What operands may refer to besides registers.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'s> {
    site: u64,
    symbols: Option<Symbols<'s>>,
}

impl Surroundings<'_> {
    /// Distance in bytes from the site to a symbol plus a number.
    pub(super) fn distance(self, sum: Sum<'_>) -> Result<i64, String> {
        let Some(symbol) = sum.symbol else { return Ok(sum.number) };
        let lookup =
            self.symbols.ok_or_else(|| format!("it is at the symbol {symbol}, which was not looked up"))?;
        let address = lookup(symbol)
            .ok_or_else(|| format!("it is at the symbol {symbol}, which the file does not name"))?;
        // Both are addresses as linked; the program's load address cancels out.
        Ok(address.wrapping_sub(self.site).cast_signed().wrapping_add(sum.number))
    }
}

/// Takes a note's argument text apart. It never fails as a whole: an argument that is not understood is
/// unread and says why, and there are never more than 12.
///
/// `site` is the address of the site as linked, and `symbols` gives addresses as linked; only arguments in
/// memory at a symbol (`table+8(%rip)`) need them.
#[must_use]
pub fn parse_args(text: &str, arch: Arch, site: u64, symbols: Option<Symbols<'_>>) -> Vec<ArgPlace> {
    let around = Surroundings { site, symbols };
    split(text).into_iter().map(|argument| parse(argument, arch, around)).collect()
}

/// Splits at blanks outside brackets. A bracket that is never closed does not swallow the arguments behind it.
fn split(text: &str) -> Vec<&str> {
    let mut arguments = Vec::new();
    let mut start = None;
    let mut depth = 0_u32;
    for (at, c) in text.char_indices() {
        if c.is_ascii_whitespace() {
            if depth > 0 && !begins_argument(text.get(at + 1..).unwrap_or_default()) {
                continue;
            }
            depth = 0;
            if let Some(from) = start.take() {
                arguments.extend(text.get(from..at));
                if arguments.len() == MAX_ARGS {
                    return arguments;
                }
            }
            continue;
        }
        start.get_or_insert(at);
        match c {
            '(' | '[' => depth = depth.saturating_add(1),
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    arguments.extend(start.and_then(|from| text.get(from..)));
    arguments
}

/// Whether a text begins with a width and an `@`.
fn begins_argument(text: &str) -> bool {
    let word = text.split(|c: char| c.is_ascii_whitespace()).next().unwrap_or_default();
    word.split_once('@').is_some_and(|(width, _)| parse_width(width).is_some())
}

/// Sign, size and whether it is floating point.
fn parse_width(text: &str) -> Option<(bool, u64, bool)> {
    let (signed, text) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (float, digits) = text.strip_suffix('f').map_or((false, text), |rest| (true, rest));
    let decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    decimal.then(|| digits.parse().ok()).flatten().map(|size| (signed, size, float))
}

fn parse(text: &str, arch: Arch, around: Surroundings<'_>) -> ArgPlace {
    let unread = |why: String| ArgPlace { place: Place::unread(why), size: 8, signed: false };
    let (signed, size, operand) = match text.split_once('@') {
        Some((width, operand)) => match parse_width(width) {
            Some((_, _, true)) => return unread("it is a floating point number".into()),
            Some((signed, size @ (1 | 2 | 4 | 8), false)) => (signed, size as u8, operand),
            Some((_, size, false)) => return unread(format!("its size of {size} bytes is not 1, 2, 4 or 8")),
            // Symbols have an @ of their own: `x@GOTPCREL(%rip)`.
            None => (false, 8, text),
        },
        // The oldest notes have no sizes.
        None => (false, 8, text),
    };
    let place = match arch {
        Arch::X86_64 => x86_64::operand(operand, around),
        Arch::Aarch64 => aarch64::operand(operand),
    };
    ArgPlace { place, size, signed }
}
