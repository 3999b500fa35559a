//! Numbers and sums, as assemblers write them.

/// An integer: decimal or hexadecimal, with an optional sign; unsigned 64-bit values wrap.
pub(super) fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    // The standard parsers take a sign of their own.
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let magnitude = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(hex) if hex.starts_with(|first: char| first.is_ascii_hexdigit()) => u64::from_str_radix(hex, 16),
        Some(_) => return None,
        None => digits.parse(),
    }
    .ok()?;
    let value = magnitude.cast_signed();
    if negative { (magnitude <= 1 << 63).then(|| value.wrapping_neg()) } else { Some(value) }
}

/// Numbers and at most one symbol, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum<'t> {
    pub(super) number: i64,
    pub(super) symbol: Option<&'t str>,
}

/// A sum such as `-8`, `4+8`, `table+16` or `16+table`. An empty text is 0.
pub(super) fn sum(text: &str) -> Option<Sum<'_>> {
    let mut result = Sum::default();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let after_sign = usize::from(rest.starts_with(['+', '-']));
        let end = rest.get(after_sign..)?.find(['+', '-']).map_or(rest.len(), |at| at + after_sign);
        let (term, tail) = rest.split_at_checked(end)?;
        match integer(term) {
            Some(number) => result.number = result.number.checked_add(number)?,
            None => {
                let name = term.strip_prefix('+').unwrap_or(term);
                if result.symbol.is_some() || !is_symbol(name) {
                    return None;
                }
                result.symbol = Some(name);
            }
        }
        rest = tail;
    }
    Some(result)
}

/// A sum without a symbol.
pub(super) fn plain_sum(text: &str) -> Option<i64> {
    sum(text).filter(|sum| sum.symbol.is_none()).map(|sum| sum.number)
}

fn is_symbol(name: &str) -> bool {
    let first = name.chars().next();
    first.is_some_and(|first| !first.is_ascii_digit())
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '$'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_every_form() {
        for (text, value) in [
            ("0", Some(0)),
            ("-1", Some(-1)),
            ("+7", Some(7)),
            ("0x10", Some(16)),
            ("-0X1f", Some(-31)),
            ("18446744073709551615", Some(-1)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("-9223372036854775809", None),
            ("18446744073709551616", None),
            ("", None),
            ("-", None),
            ("--1", None),
            ("-+1", None),
            ("0x", None),
            ("0x+1", None),
            ("1x", None),
            ("\u{661}", None),
        ] {
            assert_eq!(integer(text), value, "{text}");
        }
    }

    #[test]
    fn sums_with_and_without_a_symbol() {
        let of = |number, symbol| Some(Sum { number, symbol });
        for (text, expected) in [
            ("", of(0, None)),
            ("4+8-2", of(10, None)),
            ("52+CheckpointStats", of(52, Some("CheckpointStats"))),
            ("table+16", of(16, Some("table"))),
            ("table-16", of(-16, Some("table"))),
            ("_ZN3fooE.part.0", of(0, Some("_ZN3fooE.part.0"))),
            ("a+b", None),
            ("-a", None),
            ("a@GOTPCREL", None),
            ("9223372036854775807+1", None),
            ("4+", None),
        ] {
            assert_eq!(sum(text), expected, "{text}");
        }
        assert_eq!((plain_sum("4+4"), plain_sum("4+a")), (Some(8), None));
    }
}
