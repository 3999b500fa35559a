//! Symbols of Rust and C++ as they were written, within bounds that no symbol can break.

use std::fmt::{self, Write};

use cpp_demangle::{DemangleOptions, ParseOptions, Symbol};

/// How deep a C++ name may be nested; beyond it the symbol keeps its own name.
const DEPTH: u32 = 96;
/// How deep packs and references of a C++ name may be nested in parsing.
const PARSE_DEPTH: u32 = 96;

/// The name as it was written in the source, or the symbol itself if it is not mangled, not valid, or comes to
/// more than `most` bytes.
pub(super) fn demangled(name: &str, most: usize) -> String {
    if !name.starts_with('_') {
        return name.to_owned();
    }
    rust(name, most).or_else(|| cpp(name, most)).unwrap_or_else(|| name.to_owned())
}

fn rust(name: &str, most: usize) -> Option<String> {
    let symbol = rustc_demangle::try_demangle(name).ok()?;
    let mut text = Bounded { text: String::new(), most };
    // The alternate form leaves out the hash at the end.
    write!(text, "{symbol:#}").ok()?;
    Some(text.text)
}

fn cpp(name: &str, most: usize) -> Option<String> {
    if !name.starts_with("_Z") {
        return None;
    }
    let options = ParseOptions::default().recursion_limit(PARSE_DEPTH);
    let symbol = Symbol::new_with_options(name.as_bytes(), &options).ok()?;
    let mut text = Bounded { text: String::new(), most };
    let options = DemangleOptions::default().recursion_limit(DEPTH);
    symbol.structured_demangle(&mut text, &options).ok()?;
    Some(text.text)
}

/// Text that refuses to grow beyond a bound.
struct Bounded {
    text: String,
    most: usize,
}

impl Write for Bounded {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        if self.text.len() + piece.len() > self.most {
            return Err(fmt::Error);
        }
        self.text.push_str(piece);
        Ok(())
    }
}
