//! Foreign text (a program's output, a server's answer, a panic) made fit for a log line and a JSON field.

/// Most characters of foreign text that are shown.
const LONGEST: usize = 300;

/// The text on one line: what a terminal or a log reader could act upon is replaced, blanks are joined, and what
/// is too long loses its beginning, because the end says what went wrong.
pub(super) fn plain(text: &str) -> String {
    let good = |c: char| {
        if c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        {
            ' '
        } else {
            c
        }
    };
    let clean: String = text.chars().map(good).collect();
    let words: Vec<&str> = clean.split_whitespace().collect();
    let line = words.join(" ");
    let length = line.chars().count();
    if length <= LONGEST {
        return line;
    }
    let end: String = line.chars().skip(length - LONGEST).collect();
    format!("...{end}")
}

/// The same for bytes.
pub(super) fn plain_bytes(bytes: &[u8]) -> String {
    plain(&String::from_utf8_lossy(bytes))
}

/// An error with all its causes.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    plain(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_becomes_one_harmless_line() {
        assert_eq!(plain("a\r\nERROR forged\n\u{1b}[2J\u{202e}x\0"), "a ERROR forged [2J x");
        assert_eq!(plain_bytes(b"  \xff\xfe "), "\u{fffd}\u{fffd}");
        let long = plain(&"é".repeat(5000));
        assert_eq!(long.chars().count(), LONGEST + 3);
        assert!(long.starts_with("...é"));
    }
}
