//! Operands of aarch64.

use super::number::plain_sum;
use super::place::Place;

/// Byte offset of `sp` within aarch64's `struct user_pt_regs`, with which `struct pt_regs` begins (Linux,
/// arch/arm64/include/uapi/asm/ptrace.h): `regs[31]`, `sp`, `pc`, `pstate`, each of 8 bytes.
const SP: u16 = 248;

/// Most general registers: x0 to x30.
const COUNT: u16 = 31;

/// A register name that is understood.
#[derive(Clone, Copy)]
enum Register {
    At { offset: u16, whole: bool },
    Zero,
}

pub(super) fn operand(text: &str) -> Place {
    try_operand(text.trim()).unwrap_or_else(Place::unread)
}

fn try_operand(text: &str) -> Result<Place, String> {
    if let Some(rest) = text.strip_prefix('[') {
        let inside = rest.strip_suffix(']');
        return memory(text, inside.ok_or_else(|| format!("{text} is no address that is known"))?);
    }
    match immediate(text) {
        Some(constant) => Ok(Place::Constant(constant)),
        None => register(text).map(|register| match register {
            Register::At { offset, .. } => Place::Register { base: offset },
            Register::Zero => Place::Constant(0),
        }),
    }
}

fn memory(text: &str, inside: &str) -> Result<Place, String> {
    let mut parts = inside.split(',').map(str::trim);
    let base = match register(parts.next().unwrap_or_default())? {
        Register::At { offset, whole: true } => offset,
        Register::At { whole: false, .. } | Register::Zero => {
            return Err(format!("{text} has no whole register for its base"));
        }
    };
    let (offset, modifier) = (parts.next(), parts.next());
    if parts.next().is_some() {
        return Err(format!("{text} has too many parts"));
    }
    let Some(offset) = offset else { return Ok(Place::Memory { base, displacement: 0 }) };
    if let (Some(displacement), None) = (immediate(offset), modifier) {
        return Ok(Place::Memory { base, displacement });
    }
    let scale = match modifier {
        None => 0,
        Some(modifier) => {
            shift(modifier).ok_or_else(|| format!("{modifier} in {text} can't be expressed"))?
        }
    };
    match register(offset)? {
        Register::Zero => Ok(Place::Memory { base, displacement: 0 }),
        Register::At { offset: index, whole: true } if index != SP => {
            Ok(Place::Indexed { base, index, scale, displacement: 0 })
        }
        Register::At { .. } => {
            Err(format!("{offset} in {text} is not a whole register that can be an index"))
        }
    }
}

/// The scale of `lsl 3`.
fn shift(modifier: &str) -> Option<u8> {
    let (name, amount) = modifier.split_once([' ', '\t', '#'])?;
    let amount = amount.trim().trim_start_matches('#');
    let amount: u8 =
        amount.bytes().all(|byte| byte.is_ascii_digit()).then(|| amount.parse().ok()).flatten()?;
    (name.eq_ignore_ascii_case("lsl") && amount <= 3).then_some(amount)
}

/// A number, with or without `#`.
fn immediate(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('#').unwrap_or(text);
    plain_sum(digits).filter(|_| !digits.is_empty())
}

fn register(text: &str) -> Result<Register, String> {
    let whole = |offset| Ok(Register::At { offset, whole: true });
    match text {
        "sp" => return whole(SP),
        "wsp" => return Ok(Register::At { offset: SP, whole: false }),
        "xzr" | "wzr" => return Ok(Register::Zero),
        "fp" => return whole(29 * 8),
        "lr" => return whole(30 * 8),
        _ => {}
    }
    let mut chars = text.chars();
    let kind = chars.next();
    let digits = chars.as_str();
    let plain = matches!(digits.len(), 1 | 2) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse::<u16>().ok().filter(|_| plain);
    match (kind, number) {
        (Some('x'), Some(number)) if number < COUNT => whole(number * 8),
        (Some('w'), Some(number)) if number < COUNT => Ok(Register::At { offset: number * 8, whole: false }),
        (Some('b' | 'h' | 's' | 'd' | 'q' | 'v'), Some(_)) => {
            Err(format!("{text} is a floating point or vector register"))
        }
        _ => Err(format!("{text} is no operand of aarch64 that is known")),
    }
}
