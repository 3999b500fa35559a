//! Names, durations and numbers as text that is safe on a terminal.

use crate::event::Event;

/// Longest name that is kept, in characters.
const LONGEST_NAME: usize = 300;

/// The test's name for people: its id, with the suite before it where the id does not hold it.
pub(super) fn name(event: &Event) -> String {
    let id = event.test_id.as_deref().unwrap_or("(no test id)");
    let whole = match event.suite.as_deref() {
        Some(suite) if !id.contains(suite) => format!("{suite} {id}"),
        Some(_) | None => id.to_owned(),
    };
    cut(&safe(&whole), LONGEST_NAME)
}

/// The text with a replacement for every character that a terminal may act upon: controls, and the marks that
/// turn the direction of text. A tab is a blank.
pub(crate) fn safe(text: &str) -> String {
    let plain = |c: char| match c {
        '\t' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(plain).collect()
}

/// The text if it has at most `width` characters; else its beginning and, because names differ at their end, more
/// of its end.
pub(super) fn cut(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(3);
    let (head, tail) = (room / 3, room - room / 3);
    let end: String = text.chars().skip(length - tail).collect();
    text.chars().take(head).collect::<String>() + "..." + &end
}

/// A duration in the unit that leaves one to three digits before the point.
pub(super) fn duration(ns: u64) -> String {
    let seconds = ns as f64 / 1e9;
    match ns {
        0..1_000_000 => format!("{:.0} us", seconds * 1e6),
        1_000_000..1_000_000_000 => format!("{:.1} ms", seconds * 1e3),
        1_000_000_000..60_000_000_000 => format!("{seconds:.2} s"),
        _ => {
            let whole = ns / 1_000_000_000;
            format!("{} min {:02} s", number(whole / 60), whole % 60)
        }
    }
}

/// A time in seconds as [`duration`] writes it.
pub(super) fn seconds(seconds: f64) -> String {
    // A float beyond the range becomes the nearest integer in it, and NaN becomes 0.
    duration((seconds * 1e9) as u64)
}

/// A number with a comma between thousands.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// An estimate from what was kept, with its standard error: `about 1,234 +- 40 (of 123 kept)`; a number alone where it is
/// exact.
pub(crate) fn about(kept: u64, count: f64, error: f64) -> String {
    // Rounded; a float beyond the range becomes the nearest integer in it, and NaN becomes 0.
    let whole = |value: f64| number(value.round() as u64);
    if error > 0.0 {
        format!("about {} +- {} (of {} kept)", whole(count), whole(error.max(1.0)), number(kept))
    } else {
        whole(count)
    }
}

/// `1 image`, `2 images`.
pub(super) fn counted(count: u64, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {word}{plural}", number(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_their_units() {
        for (ns, text) in [
            (0, "0 us"),
            (999_400, "999 us"),
            (1_000_000, "1.0 ms"),
            (206_943_239, "206.9 ms"),
            (1_003_941_311, "1.00 s"),
            (59_990_000_000, "59.99 s"),
            (123_000_000_000, "2 min 03 s"),
            (u64::MAX, "307,445,734 min 33 s"),
        ] {
            assert_eq!(duration(ns), text);
        }
        assert_eq!(seconds(f64::NAN), "0 us");
        assert_eq!(seconds(-1.0), "0 us");
        assert_eq!(seconds(0.0125), "12.5 ms");
    }

    #[test]
    fn numbers_and_plurals() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(4_000_000), "4,000,000");
        assert_eq!(counted(1, "image"), "1 image");
        assert_eq!(counted(1200, "site"), "1,200 sites");
    }

    #[test]
    fn estimates_say_how_far_off_they_may_be() {
        assert_eq!(about(123, 1234.4, 39.6), "about 1,234 +- 40 (of 123 kept)");
        assert_eq!(about(2, 2.5, 0.2), "about 3 +- 1 (of 2 kept)");
        assert_eq!(about(4321, 4321.0, 0.0), "4,321");
        assert_eq!(about(0, f64::NAN, f64::NAN), "0");
    }

    #[test]
    fn names_are_cut_in_their_middle() {
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("module::deep::the_test", 15), "modu...the_test");
        assert_eq!(cut("日本日本日本日本", 6), "日...日本");
        assert_eq!(cut("abc", 0), "...");
    }

    #[test]
    fn nothing_acts_upon_the_terminal() {
        assert_eq!(
            safe("a\u{1b}[2Jb\tc\r\n\u{9b}\u{202e}日"),
            "a\u{fffd}[2Jb c\u{fffd}\u{fffd}\u{fffd}\u{fffd}日"
        );
    }
}
