//! Rules for every Rust file: what it begins with, `unsafe` with its reason, nothing left undone.

use super::tokens::{Kind, Source};
use super::{File, Problem};

/// How many lines above an `unsafe` its reason may begin.
const REASON_LINES: usize = 8;

/// Applies the rules.
pub(crate) fn rules(file: &File, source: &Source<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !file.text.starts_with("//! ") {
        problems.push(file.problem(1, "the first line says what the file is for: `//! ...`"));
    }
    for (at, token) in source.tokens.iter().enumerate() {
        let Kind::Word(word) = token.kind else { continue };
        let next = source.kind(at + 1);
        if matches!(word, "todo" | "unimplemented") && next == Some(Kind::Mark('!')) {
            problems.push(file.problem(token.line, format!("`{word}!`: finish it, or leave it out")));
        }
        if word == "unsafe"
            && matches!(next, Some(Kind::Mark('{') | Kind::Word("impl")))
            && !has_reason(source, token.line)
        {
            problems.push(file.problem(token.line, "`unsafe` without a comment `SAFETY: why it is sound`"));
        }
    }
    problems
}

fn has_reason(source: &Source<'_>, line: usize) -> bool {
    let near = line.saturating_sub(REASON_LINES)..=line;
    source.comments.iter().any(|(at, text)| near.contains(at) && text.contains("SAFETY:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn found(text: &str) -> Vec<usize> {
        let file = File { path: "a.rs".to_owned(), text: text.to_owned() };
        rules(&file, &Source::read(text)).iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn a_file_begins_with_its_purpose() {
        assert_eq!(found("//! Reads notes.\n"), NONE);
        for text in ["", "use a;", "/// Doc.\n", "\n//! Late.\n", "//!\n"] {
            assert_eq!(found(text), [1], "{text:?}");
        }
    }

    #[test]
    fn an_unsafe_block_has_its_reason() {
        assert_eq!(found("//! A.\n// SAFETY: it lives long enough.\nlet a = unsafe { b() };\n"), NONE);
        assert_eq!(found("//! A.\n// SAFETY: integers only.\nunsafe impl Pod for A {}\n"), NONE);
        assert_eq!(
            found("//! A.\n// Safe enough.\nlet a = unsafe { b() };\nunsafe impl Pod for A {}\n"),
            [3, 4]
        );
        let far = format!("//! A.\n// SAFETY: far away.\n{}unsafe {{ b() }}\n", "a();\n".repeat(9));
        assert_eq!(found(&far), [12]);
    }

    #[test]
    fn functions_attributes_and_text_need_none() {
        let text = "//! A.\nunsafe fn a() {}\n#[unsafe(naked)]\nunsafe extern \"C\" {}\n// unsafe { }\nlet s = \"unsafe { }\";";
        assert_eq!(found(text), NONE);
    }

    #[test]
    fn nothing_is_left_undone() {
        assert_eq!(found("//! A.\nfn a() { todo!() }\nfn b() { unimplemented!(\"b\") }\n"), [2, 3]);
        assert_eq!(found("//! A.\nlet todo = 1; let s = \"todo!()\"; // todo!()\n"), NONE);
    }
}
