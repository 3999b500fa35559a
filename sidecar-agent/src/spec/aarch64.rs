//! aarch64 operands. Register offsets: `struct user_pt_regs` in the kernel's
//! arch/arm64/include/uapi/asm/ptrace.h.

use super::place::{Place, number};

/// Offset of the stack pointer.
const SP: u16 = 248;

fn register(name: &str) -> Option<u16> {
    match name {
        "sp" | "wsp" => Some(SP),
        "lr" => Some(30 * 8),
        "fp" => Some(29 * 8),
        _ => {
            let digits = name.strip_prefix(['x', 'w'])?;
            let number: u16 = digits.parse().ok()?;
            // "x007" is no register.
            (number <= 30 && digits == number.to_string()).then_some(number * 8)
        }
    }
}

/// One operand.
pub(super) fn operand(text: &str) -> Place {
    let text = text.trim();
    if matches!(text, "xzr" | "wzr") {
        return Place::Constant(0);
    }
    if let Some(value) = number(text.strip_prefix('#').unwrap_or(text)) {
        return Place::Constant(value);
    }
    if let Some(register) = register(text) {
        return Place::Register { register };
    }
    memory(text).unwrap_or_else(|why| Place::unread(format!("{text}: {why}")))
}

/// `[base]`, `[base, offset]`, `[base, index]`, `[base, index, lsl n]`.
fn memory(text: &str) -> Result<Place, &'static str> {
    let inside = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .ok_or("not an operand that is known")?;
    let mut parts = inside.split(',').map(str::trim);
    let base = register(parts.next().unwrap_or_default()).ok_or("not a register that is kept at a probe")?;
    let second = parts.next();
    let third = parts.next();
    if parts.next().is_some() {
        return Err("more than base, index and shift");
    }
    let Some(second) = second else { return Ok(Place::Memory { base, displacement: 0 }) };
    if let Some(displacement) = number(second.strip_prefix('#').unwrap_or(second)) {
        return if third.is_some() {
            Err("a shifted offset")
        } else {
            Ok(Place::Memory { base, displacement })
        };
    }
    if second.starts_with('w') {
        return Err("a 32-bit index, which is extended first");
    }
    let index = register(second).ok_or("not a register that is kept at a probe")?;
    let scale = match third {
        None => 0,
        Some(shift) => {
            let amount = shift.strip_prefix("lsl").ok_or("an extension other than lsl")?.trim();
            match number(amount.strip_prefix('#').unwrap_or(amount)) {
                Some(amount @ 0..=3) => amount as u8,
                _ => return Err("a shift of more than 3"),
            }
        }
    };
    Ok(Place::Indexed { base, index, scale, displacement: 0 })
}
