//! x86-64 operands in AT&T syntax. Register offsets: `struct pt_regs` in the kernel's
//! arch/x86/include/asm/ptrace.h.

use super::place::{Context, Place, number};

/// Offset of the instruction pointer.
const IP: u16 = 128;

/// Offset in `pt_regs` of a 64-bit register or of the low part of one.
fn register(name: &str) -> Option<u16> {
    let offset = match name {
        "rax" | "eax" | "ax" | "al" => 80,
        "rbx" | "ebx" | "bx" | "bl" => 40,
        "rcx" | "ecx" | "cx" | "cl" => 88,
        "rdx" | "edx" | "dx" | "dl" => 96,
        "rsi" | "esi" | "si" | "sil" => 104,
        "rdi" | "edi" | "di" | "dil" => 112,
        "rbp" | "ebp" | "bp" | "bpl" => 32,
        "rsp" | "esp" | "sp" | "spl" => 152,
        "rip" | "eip" => IP,
        _ => {
            let number = name.strip_prefix('r')?;
            let number = number.strip_suffix(['d', 'w', 'b']).unwrap_or(number);
            match number {
                "8" => 72,
                "9" => 64,
                "10" => 56,
                "11" => 48,
                "12" => 24,
                "13" => 16,
                "14" => 8,
                "15" => 0,
                _ => return None,
            }
        }
    };
    Some(offset)
}

/// One operand.
pub(super) fn operand(text: &str, context: &Context<'_>) -> Place {
    if let Some(constant) = text.strip_prefix('$') {
        return match number(constant) {
            Some(value) => Place::Constant(value),
            None => Place::unread(format!("{text}: a constant that is no number")),
        };
    }
    if let Some(name) = text.strip_prefix('%') {
        return match register(name) {
            Some(register) => Place::Register { register },
            None => Place::unread(format!("{text}: a register that is not kept at a probe")),
        };
    }
    memory(text, context).unwrap_or_else(|why| Place::unread(format!("{text}: {why}")))
}

/// `displacement(base,index,scale)`, each part but one of the registers optional.
fn memory(text: &str, context: &Context<'_>) -> Result<Place, &'static str> {
    let (displacement, rest) = text.split_once('(').ok_or("not an operand that is known")?;
    let inside = rest.strip_suffix(')').ok_or("a bracket is missing")?;
    let mut parts = inside.split(',').map(str::trim);
    let base = parts.next().unwrap_or_default();
    let index = parts.next().filter(|part| !part.is_empty());
    let scale = match parts.next().filter(|part| !part.is_empty()) {
        None | Some("1") => 0,
        Some("2") => 1,
        Some("4") => 2,
        Some("8") => 3,
        Some(_) => return Err("a scale other than 1, 2, 4 or 8"),
    };
    if parts.next().is_some() {
        return Err("more than base, index and scale");
    }
    let named = |part: &str| -> Result<u16, &'static str> {
        part.strip_prefix('%').and_then(register).ok_or("not a register that is kept at a probe")
    };
    let displacement = displacement.trim();
    if base == "%rip" {
        return if index.is_some() {
            Err("an index on the instruction pointer")
        } else {
            relative(displacement, context)
        };
    }
    let displacement = if displacement.is_empty() {
        0
    } else {
        sum(displacement).ok_or("a displacement that is no number")?
    };
    match (base, index) {
        ("", None) => Err("neither base nor index"),
        ("", Some(_)) => Err("an index without a base"),
        (base, None) => Ok(Place::Memory { base: named(base)?, displacement }),
        (base, Some(index)) => {
            Ok(Place::Indexed { base: named(base)?, index: named(index)?, scale, displacement })
        }
    }
}

/// `symbol+offset(%rip)`: memory at a fixed distance from the site.
fn relative(text: &str, context: &Context<'_>) -> Result<Place, &'static str> {
    let end = text.find(['+', '-']).filter(|&end| end > 0).unwrap_or(text.len());
    let (symbol, offset) = text.split_at(end);
    if symbol.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') || symbol.is_empty() {
        return Err("relative to the next instruction, whose address is not known");
    }
    let offset = if offset.is_empty() { 0 } else { sum(offset).ok_or("an offset that is no number")? };
    let resolve = context.resolve.ok_or("a symbol, and symbols can't be looked up here")?;
    let address = resolve(symbol).ok_or("a symbol that the file does not tell the address of")?;
    // At the probe the register holds the site's own address.
    let displacement = (address as i64).wrapping_sub(context.site as i64).wrapping_add(offset);
    Ok(Place::Memory { base: IP, displacement })
}

/// A sum of numbers, as in `-8+16`.
fn sum(text: &str) -> Option<i64> {
    let mut total = 0_i64;
    let mut rest = text;
    while !rest.is_empty() {
        let sign = usize::from(rest.starts_with(['+', '-']));
        let end = rest.get(sign..)?.find(['+', '-']).map_or(rest.len(), |end| end + sign);
        let (part, tail) = rest.split_at(end);
        total = total.wrapping_add(number(part)?);
        rest = tail;
    }
    Some(total)
}
