//! One event as one line of JSON that is safe to print.

use std::io;

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::Event;

/// Appends the event's JSON object and a line feed.
///
/// Beyond what JSON asks for, every character that a terminal may act upon or a reader may take for a line's
/// end is escaped: DEL, the C1 controls, the line and paragraph separators, and the marks that turn the
/// direction of text.
///
/// # Errors
/// What the writer says; a `Vec` says nothing.
pub fn write_line(event: &Event, out: &mut impl io::Write) -> io::Result<()> {
    event.serialize(&mut Serializer::with_formatter(&mut *out, Plain)).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

/// Compact JSON with more escapes.
struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, out: &mut W, text: &str) -> io::Result<()> {
        // serde_json has escaped what is below a blank. What else is escaped here begins with one of these bytes.
        // All bytes are looked at: without a way out the compiler takes many at a time.
        if !text.bytes().fold(false, |found, byte| found | matches!(byte, 0x7f | 0xc2 | 0xe2)) {
            return out.write_all(text.as_bytes());
        }
        let mut rest = text;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_acted_upon(*c)) {
            write!(out, "{}\\u{:04x}", &rest[..at], u32::from(c))?;
            rest = &rest[at + c.len_utf8()..];
        }
        out.write_all(rest.as_bytes())
    }
}

fn is_acted_upon(c: char) -> bool {
    matches!(c, '\u{7f}'..='\u{9f}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn string(text: &str) -> String {
        let mut out = Vec::new();
        text.serialize(&mut Serializer::with_formatter(&mut out, Plain)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_a_terminal_acts_upon_is_escaped_and_the_rest_is_not() {
        assert_eq!(string("naïve 日本 “x” …"), "\"naïve 日本 “x” …\"");
        assert_eq!(string("\u{1b}[2J\n\"\\"), r#""\u001b[2J\n\"\\""#);
        assert_eq!(string("a\u{7f}b\u{9b}2Jc\u{2028}\u{202e}d"), r#""a\u007fb\u009b2Jc\u2028\u202ed""#);
    }

    proptest! {
        #[test]
        fn every_text_comes_back_and_is_one_line(text in any::<String>()) {
            let json = string(&text);
            prop_assert!(!json.chars().any(|c| c.is_control() || is_acted_upon(c)));
            prop_assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
    }
}
