//! A lexer for the rules: identifiers, punctuation and comments of a Rust file, without its literals.

/// A piece of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind<'a> {
    /// An identifier or keyword; raw ones without their `r#`.
    Word(&'a str),
    /// `::`
    Path,
    /// Any other character.
    Mark(char),
    /// A string, character, number or lifetime.
    Literal,
}

/// A piece of code and its line, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    /// What it is.
    pub(crate) kind: Kind<'a>,
    /// Where it is.
    pub(crate) line: usize,
}

/// A Rust file, taken apart.
#[derive(Debug, Default)]
pub(crate) struct Source<'a> {
    /// The code.
    pub(crate) tokens: Vec<Token<'a>>,
    /// Each line of each comment with its line number.
    pub(crate) comments: Vec<(usize, &'a str)>,
}

impl<'a> Source<'a> {
    /// Takes a file apart. Text that is no Rust yields some tokens, never an error.
    pub(crate) fn read(text: &'a str) -> Self {
        let mut lexer = Lexer { rest: text, line: 1, source: Self::default() };
        while lexer.step() {}
        lexer.source
    }

    /// The kind of the token at a position.
    pub(crate) fn kind(&self, at: usize) -> Option<Kind<'a>> {
        self.tokens.get(at).map(|token| token.kind)
    }

    /// Whether the tokens from a position on are these.
    pub(crate) fn follows(&self, at: usize, kinds: &[Kind<'_>]) -> bool {
        kinds.iter().enumerate().all(|(i, kind)| self.kind(at + i) == Some(*kind))
    }

    /// For each token, whether it stands in a module that is compiled for tests only.
    pub(crate) fn in_tests(&self) -> Vec<bool> {
        let mut flags = vec![false; self.tokens.len()];
        let mut at = 0;
        while at < self.tokens.len() {
            if self.is_test_attribute(at)
                && let Some(open) = self.module_after_attributes(at)
            {
                let end = self.closing(open);
                flags[at..end].fill(true);
                at = end;
            } else {
                at += 1;
            }
        }
        flags
    }

    fn is_test_attribute(&self, at: usize) -> bool {
        use Kind::{Mark, Word};
        self.follows(at, &[Mark('#'), Mark('['), Word("cfg"), Mark('('), Word("test"), Mark(')'), Mark(']')])
    }

    /// The brace of the module that the attributes from a position on belong to.
    fn module_after_attributes(&self, mut at: usize) -> Option<usize> {
        while self.kind(at) == Some(Kind::Mark('#')) {
            let mut depth = 0_usize;
            loop {
                at += 1;
                match self.kind(at)? {
                    Kind::Mark('[') => depth += 1,
                    Kind::Mark(']') if depth == 1 => break,
                    Kind::Mark(']') => depth = depth.checked_sub(1)?,
                    Kind::Mark(_) | Kind::Word(_) | Kind::Path | Kind::Literal => {}
                }
            }
            at += 1;
        }
        let module = self.kind(at) == Some(Kind::Word("mod")) && self.kind(at + 2) == Some(Kind::Mark('{'));
        module.then_some(at + 2)
    }

    /// The position behind the brace that closes the one at `open`.
    pub(crate) fn closing(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for at in open..self.tokens.len() {
            match self.tokens[at].kind {
                Kind::Mark('{') => depth += 1,
                Kind::Mark('}') if depth <= 1 => return at + 1,
                Kind::Mark('}') => depth -= 1,
                Kind::Mark(_) | Kind::Word(_) | Kind::Path | Kind::Literal => {}
            }
        }
        self.tokens.len()
    }
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    source: Source<'a>,
}

impl<'a> Lexer<'a> {
    /// Reads one token, comment or blank; false at the end.
    fn step(&mut self) -> bool {
        let rest = self.rest;
        let Some(first) = rest.chars().next() else { return false };
        if rest.starts_with("//") {
            self.comment(rest.find('\n').unwrap_or(rest.len()));
        } else if rest.starts_with("/*") {
            self.comment(block_comment(rest));
        } else if let Some(len) = raw_string(rest).or_else(|| string(rest)) {
            self.token(Kind::Literal, len);
        } else if first == '\'' {
            self.token(Kind::Literal, quote(rest));
        } else if is_word(first) {
            let raw = rest.strip_prefix("r#").filter(|name| name.starts_with(is_word));
            let prefix = if raw.is_some() { 2 } else { 0 };
            let name = &rest[prefix..];
            let len = name.find(|c| !is_word(c)).unwrap_or(name.len());
            let kind = if first.is_ascii_digit() { Kind::Literal } else { Kind::Word(&name[..len]) };
            self.token(kind, prefix + len);
        } else if rest.starts_with("::") {
            self.token(Kind::Path, 2);
        } else if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else {
            self.token(Kind::Mark(first), first.len_utf8());
        }
        true
    }

    fn token(&mut self, kind: Kind<'a>, len: usize) {
        self.source.tokens.push(Token { kind, line: self.line });
        self.skip(len);
    }

    fn comment(&mut self, len: usize) {
        for (i, line) in self.rest[..len].lines().enumerate() {
            self.source.comments.push((self.line + i, line));
        }
        self.skip(len);
    }

    fn skip(&mut self, len: usize) {
        self.line += self.rest[..len].matches('\n').count();
        self.rest = &self.rest[len..];
    }
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// Length of a block comment, which may hold others.
fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

/// Length of a raw string, if one is here.
fn raw_string(rest: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        rest.strip_prefix(prefix).is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
    })?;
    let hashes = rest[prefix.len()..].bytes().take_while(|&byte| byte == b'#').count();
    let body = prefix.len() + hashes + 1;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(rest[body..].find(&end).map_or(rest.len(), |found| body + found + end.len()))
}

/// Length of a string with escapes, if one is here.
fn string(rest: &str) -> Option<usize> {
    let body = ["\"", "b\"", "c\""].into_iter().find(|prefix| rest.starts_with(prefix))?.len();
    Some(escaped(rest, body, '"'))
}

/// Length of a character literal or a lifetime.
fn quote(rest: &str) -> usize {
    let mut chars = rest[1..].chars();
    match (chars.next(), chars.next()) {
        (Some('\\'), _) | (Some(_), Some('\'')) => escaped(rest, 1, '\''),
        _ => 1 + rest[1..].find(|c| !is_word(c)).unwrap_or(rest.len() - 1),
    }
}

/// The position behind the closing quote; a backslash hides the character behind it.
fn escaped(rest: &str, body: usize, close: char) -> usize {
    let mut hidden = false;
    for (at, c) in rest[body..].char_indices() {
        if hidden {
            hidden = false;
        } else if c == '\\' {
            hidden = true;
        } else if c == close {
            return body + at + c.len_utf8();
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        let source = Source::read(text);
        let word = |token: &Token<'_>| match token.kind {
            Kind::Word(word) => Some(word.to_owned()),
            Kind::Path | Kind::Mark(_) | Kind::Literal => None,
        };
        source.tokens.iter().filter_map(word).collect()
    }

    #[test]
    fn literals_and_comments_hold_no_words() {
        let text = r###"let a = "tokio \" aya"; // axum
            let b = r#"say "tokio" "#; let c = b"aya"; let d = br##"x"# aya"##; /* a /* b */ tokio */
            let e = 'x'; let f = '\''; let g = '"'; let r#type = 0x1f_u32; fn h<'life>(_: &'life str) {}"###;
        assert_eq!(
            words(text),
            [
                "let", "a", "let", "b", "let", "c", "let", "d", "let", "e", "let", "f", "let", "g", "let",
                "type", "fn", "h", "_", "str"
            ]
        );
    }

    #[test]
    fn lines_are_counted_through_everything() {
        let source = Source::read("a\n\"x\ny\"\n/* 1\n2 */ b\n// SAFETY: c\nd");
        let lines: Vec<_> = source.tokens.iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 2, 5, 7]);
        assert_eq!(source.comments, [(4, "/* 1"), (5, "2 */"), (6, "// SAFETY: c")]);
    }

    #[test]
    fn text_that_is_no_rust_ends_all_the_same() {
        for text in ["\"open", "r##\"open\"#", "/* open /*", "'", "'\\", "b\"\\", "r#", "größe::日本"] {
            assert!(Source::read(text).tokens.len() + Source::read(text).comments.len() > 0, "{text}");
        }
    }

    #[test]
    fn test_modules_are_marked_and_nothing_else() {
        let text = "a(); #[cfg(test)] #[expect(x, reason = \"]\")] mod tests { b(); { c() } } d(); #[cfg(test)] fn e() {}";
        let source = Source::read(text);
        let marked: Vec<_> = source
            .tokens
            .iter()
            .zip(source.in_tests())
            .filter_map(|(token, in_tests)| match token.kind {
                Kind::Word(word) if word.len() == 1 => Some((word, in_tests)),
                _ => None,
            })
            .collect();
        assert_eq!(marked, [("a", false), ("x", true), ("b", true), ("c", true), ("d", false), ("e", false)]);
    }
}
