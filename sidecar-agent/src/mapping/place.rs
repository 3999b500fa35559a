//! Where an argument of a function is: `arg0`, `result`, or behind a pointer.

/// What an argument is found from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Base {
    /// The function's argument at this position, floating point ones not counted.
    Argument(u8),
    /// What the function returned.
    Result,
    /// How long the call took.
    Elapsed,
}

/// A step from a pointer to what it leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// Bytes added to the pointer.
    pub offset: i32,
    /// When what lies there leads nowhere, so that the argument is 0 and not missing.
    pub absent: Absent,
}

/// What makes an argument behind a pointer 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Absent {
    /// Nothing: it is missing.
    Never,
    /// A NULL pointer (`?`).
    Null,
    /// The pointer is the first of a `std::vector`, and it is empty (`[0]`).
    Empty,
    /// The same, and of its elements of so many bytes that one is meant whose first 4 bytes are the least number above 0;
    /// there is none (`[least 112]`).
    NoneAboveZero {
        /// Size of an element.
        size: u16,
    },
}

/// Where an argument is, and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ArgAt {
    /// Where to begin.
    pub base: Base,
    /// The pointers that are followed: none, one or two.
    pub steps: Vec<Step>,
    /// Size in bytes: 1, 2, 4 or 8.
    pub size: u8,
    /// Whether it has a sign.
    pub signed: bool,
}

/// Most arguments that a function can have here.
const MOST_ARGUMENTS: u8 = 32;
/// Pointers that can be followed.
const MOST_STEPS: usize = 2;

/// Base and steps of a text such as `*(*(arg1 + 8)? + 16)`; `None` if it is not one.
pub(super) fn parse(text: &str) -> Option<(Base, Vec<Step>)> {
    let mut steps = Vec::new();
    let base = inside(text.trim(), &mut steps)?;
    steps.reverse();
    (steps.len() <= MOST_STEPS).then_some((base, steps))
}

fn inside(text: &str, steps: &mut Vec<Step>) -> Option<Base> {
    if steps.len() > MOST_STEPS {
        return None;
    }
    let (text, absent) = if let Some(text) = text.strip_suffix('?') {
        (text.trim_end(), Absent::Null)
    } else if let Some(text) = text.strip_suffix("[0]") {
        (text.trim_end(), Absent::Empty)
    } else if let Some((text, size)) = text.strip_suffix(']').and_then(|text| text.rsplit_once("[least ")) {
        let size = size.parse().ok().filter(|size| *size >= 4)?;
        (text.trim_end(), Absent::NoneAboveZero { size })
    } else {
        (text, Absent::Never)
    };
    let Some(rest) = text.strip_prefix('*') else { return base(text).filter(|_| absent == Absent::Never) };
    let sum = rest.trim_start().strip_prefix('(')?.strip_suffix(')')?.trim();
    // What is added stands behind the last bracket, if there is one.
    let closed = sum.rfind([')', '?', ']']).map_or(0, |at| at + 1);
    let sign = sum.get(closed..)?.find(['+', '-']).map(|at| closed + at);
    let (pointer, offset) = match sign {
        Some(at) => (sum.get(..at)?, number(sum.get(at..)?)?),
        None => (sum, 0),
    };
    steps.push(Step { offset, absent });
    inside(pointer.trim_end(), steps)
}

fn base(text: &str) -> Option<Base> {
    if text == "result" {
        return Some(Base::Result);
    }
    let digits =
        text.strip_prefix("arg").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|position| *position < MOST_ARGUMENTS).map(Base::Argument)
}

/// `+ 32`, `-8` or `+0x10`.
fn number(text: &str) -> Option<i32> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits.trim_start()),
        None => (1, text.strip_prefix('+')?.trim_start()),
    };
    let (digits, radix) = digits.strip_prefix("0x").map_or((digits, 10), |digits| (digits, 16));
    let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    i32::from_str_radix(digits, radix).ok().filter(|_| plain).map(|number| sign * number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(offset: i32, null: bool) -> Step {
        Step { offset, absent: if null { Absent::Null } else { Absent::Never } }
    }

    #[test]
    fn places_are_taken_apart() {
        for (text, base, steps) in [
            ("arg0", Base::Argument(0), vec![]),
            (" result ", Base::Result, vec![]),
            ("*(arg1 + 32)", Base::Argument(1), vec![step(32, false)]),
            ("*(result)", Base::Result, vec![step(0, false)]),
            ("* ( arg1 - 0x10 )", Base::Argument(1), vec![step(-16, false)]),
            ("*(*(arg1 + 8)? + 16)", Base::Argument(1), vec![step(8, true), step(16, false)]),
            ("*(*(arg1+8)-4)", Base::Argument(1), vec![step(8, false), step(-4, false)]),
            ("*(*(arg31))", Base::Argument(31), vec![step(0, false), step(0, false)]),
        ] {
            assert_eq!(parse(text), Some((base, steps)), "{text}");
        }
        let first = Step { offset: 200, absent: Absent::Empty };
        let least = Step { offset: 200, absent: Absent::NoneAboveZero { size: 112 } };
        assert_eq!(
            parse("*(*(arg1 + 200)[least 112] + 80)"),
            Some((Base::Argument(1), vec![least, step(80, false)]))
        );
        assert_eq!(
            parse("*(*(arg1 + 200)[0] + 80)"),
            Some((Base::Argument(1), vec![first, step(80, false)]))
        );
    }

    #[test]
    fn what_is_no_place_is_none() {
        for text in [
            "",
            "arg",
            "arg32",
            "arg-1",
            "argx",
            "arg1 + 2",
            "(arg1)",
            "*arg1",
            "*(arg1 + )",
            "*(arg1 + x)",
            "*(arg1 + 2147483648)",
            "*(*(*(arg1)))",
            "result2",
            "arg1?",
            "*(arg1? + 1)",
            "*(*(arg1)[least 3])",
            "*(*(arg1)[least 65536])",
            "*(*(arg1)[least ])",
            "*(*(arg1)[1])",
            "*()",
            "*(arg1 + +1)",
            "*",
            "*(é + 1)",
            "*(arg1 + 1))",
            "??",
            "*(+1)",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        let deep = "*(".repeat(100_000);
        assert_eq!(parse(&format!("{deep}arg1{}", ")".repeat(100_000))), None);
    }
}
