//! Operands of x86-64 in AT&T syntax.

use super::number::{integer, plain_sum, sum};
use super::place::{Place, Surroundings};

/// Byte offsets within x86-64's `struct pt_regs` (Linux, arch/x86/include/asm/ptrace.h; the layout is part of
/// the ptrace ABI as `struct user_regs_struct`), by the names of the register at 8, 4, 2 and 1 bytes.
const REGISTERS: [([&str; 4], u16); 17] = [
    (["r15", "r15d", "r15w", "r15b"], 0),
    (["r14", "r14d", "r14w", "r14b"], 8),
    (["r13", "r13d", "r13w", "r13b"], 16),
    (["r12", "r12d", "r12w", "r12b"], 24),
    (["rbp", "ebp", "bp", "bpl"], 32),
    (["rbx", "ebx", "bx", "bl"], 40),
    (["r11", "r11d", "r11w", "r11b"], 48),
    (["r10", "r10d", "r10w", "r10b"], 56),
    (["r9", "r9d", "r9w", "r9b"], 64),
    (["r8", "r8d", "r8w", "r8b"], 72),
    (["rax", "eax", "ax", "al"], 80),
    (["rcx", "ecx", "cx", "cl"], 88),
    (["rdx", "edx", "dx", "dl"], 96),
    (["rsi", "esi", "si", "sil"], 104),
    (["rdi", "edi", "di", "dil"], 112),
    (["rip", "eip", "ip", ""], 128),
    (["rsp", "esp", "sp", "spl"], 152),
];

const IP: u16 = 128;
const SP: u16 = 152;

pub(super) fn operand(text: &str, around: Surroundings<'_>) -> Place {
    try_operand(text.trim(), around).unwrap_or_else(Place::unread)
}

fn try_operand(text: &str, around: Surroundings<'_>) -> Result<Place, String> {
    if let Some(immediate) = text.strip_prefix('$') {
        let constant = integer(immediate).or_else(|| plain_sum(immediate).filter(|_| !immediate.is_empty()));
        return constant.map(Place::Constant).ok_or_else(|| format!("the constant {text} is not a number"));
    }
    if let Some(rest) = text.strip_prefix('%') {
        if rest.contains(':') {
            return Err(format!("{text} is in a thread's own segment"));
        }
        return register(text).map(|base| Place::Register { base });
    }
    let (displacement, inside) = match text.split_once('(') {
        Some((before, rest)) => (before, rest.strip_suffix(')')),
        None => (text, None),
    };
    let Some(inside) = inside else {
        return Err(format!("{text} is no operand of x86-64 that is known"));
    };
    let displacement =
        sum(displacement).ok_or_else(|| format!("the displacement {displacement} is not understood"))?;
    let mut parts = inside.split(',').map(str::trim);
    let (base, index, scale) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    if parts.next().is_some() {
        return Err(format!("{text} has too many parts"));
    }
    if base == "%rip" && index.is_none() {
        return Ok(Place::Memory { base: IP, displacement: around.distance(displacement)? });
    }
    if let Some(symbol) = displacement.symbol {
        return Err(format!("it is at the absolute address of {symbol}"));
    }
    memory(text, base, index, scale, displacement.number)
}

fn memory(
    text: &str,
    base: &str,
    index: Option<&str>,
    scale: Option<&str>,
    displacement: i64,
) -> Result<Place, String> {
    let scale = match scale {
        None | Some("" | "1") => 0,
        Some("2") => 1,
        Some("4") => 2,
        Some("8") => 3,
        Some(_) => return Err(format!("the scale in {text} is not 1, 2, 4 or 8")),
    };
    let index = index.filter(|index| !index.is_empty()).map(address_register).transpose()?;
    if index.is_some_and(|index| index == SP || index == IP) {
        return Err(format!("{text} has an index register that no instruction has"));
    }
    match (base, index) {
        ("", None) => Err(format!("{text} names no register")),
        // Without a base there is nothing to add the index to, but it can stand for it.
        ("", Some(index)) => match scale {
            0 => Ok(Place::Memory { base: index, displacement }),
            1 => Ok(Place::Indexed { base: index, index, scale: 0, displacement }),
            _ => Err(format!("{text} is a scaled register without another to add it to")),
        },
        (base, None) => Ok(Place::Memory { base: address_register(base)?, displacement }),
        (base, Some(index)) => {
            Ok(Place::Indexed { base: address_register(base)?, index, scale, displacement })
        }
    }
}

/// The register of a name with its `%`, at any of its sizes.
fn register(text: &str) -> Result<u16, String> {
    let name = text.strip_prefix('%').filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| format!("{text} is not a register"))?;
    if let Some((_, offset)) = REGISTERS.iter().find(|(names, _)| names.contains(&name)) {
        return Ok(*offset);
    }
    let starts = |prefixes: &[&str]| prefixes.iter().any(|prefix| name.starts_with(prefix));
    Err(if matches!(name, "ah" | "bh" | "ch" | "dh") {
        format!("{text} is the second byte of a register")
    } else if starts(&["xmm", "ymm", "zmm", "mm", "st"]) {
        format!("{text} is a floating point or vector register")
    } else {
        format!("the register {text} is not known")
    })
}

/// A register that an address is made of, which is always a whole one.
fn address_register(text: &str) -> Result<u16, String> {
    let offset = register(text)?;
    let whole = REGISTERS.iter().any(|(names, _)| text.strip_prefix('%') == Some(names[0]));
    if whole { Ok(offset) } else { Err(format!("{text} is a part of a register, in an address")) }
}
