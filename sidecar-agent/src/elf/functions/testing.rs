//! Builds ELF files with functions for tests, right ones and wrong ones.

use std::fs::File;

use super::super::testing::{file_of, note};
use super::*;

/// File offset of the code.
pub(crate) const TEXT: u64 = 0x1000;
/// Address minus file offset.
pub(crate) const BIAS: u64 = 0x40_0000;
/// Bytes of data right behind the code, in the same executable segment, as old linkers put them.
pub(crate) const DATA: u64 = 64;

pub(crate) const FUNC: u64 = 2;
pub(crate) const OBJECT: u64 = 1;
pub(crate) const IFUNC: u64 = 10;

/// What to build.
pub(crate) struct Image {
    pub(crate) machine: u64,
    pub(crate) text: Vec<u8>,
    /// Name, place within the code, size, type.
    pub(crate) symbols: Vec<(String, u64, u64, u64)>,
    /// Whether the symbols are in the table that stripping leaves.
    pub(crate) dynamic: bool,
    pub(crate) build_id: Option<Vec<u8>>,
    pub(crate) debuglink: Option<(String, u32)>,
    /// Start and length of each function with an unwind entry.
    pub(crate) frames: Vec<(u64, u64)>,
    pub(crate) has_sections: bool,
}

impl Default for Image {
    fn default() -> Self {
        Self {
            machine: 62,
            text: vec![0x55; 256],
            symbols: Vec::new(),
            dynamic: false,
            build_id: None,
            debuglink: None,
            frames: Vec::new(),
            has_sections: true,
        }
    }
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

impl Image {
    /// An image with these functions: name, place within the code, size.
    pub(crate) fn with(functions: &[(&str, u64, u64)]) -> Self {
        let symbols = functions.iter().map(|&(name, at, size)| (name.to_owned(), at, size, FUNC)).collect();
        Self { symbols, ..Self::default() }
    }

    pub(crate) fn text(self, text: &[u8]) -> Self {
        Self { text: text.to_vec(), ..self }
    }

    pub(crate) fn file(&self) -> File {
        file_of(&self.bytes())
    }

    /// The unwind table at an address.
    fn unwind(&self, at: u64) -> Vec<u8> {
        let distance = |to: u64| (to.wrapping_sub(at) as u32).to_le_bytes();
        let mut table = vec![1, 0x1b, 3, 0x3b, 0, 0, 0, 0];
        table.extend((self.frames.len() as u32).to_le_bytes());
        let frames_at = at + 12 + 8 * self.frames.len() as u64;
        let mut frames = Vec::new();
        for &(start, len) in &self.frames {
            let (start, frame) = (TEXT + BIAS + start, frames_at + frames.len() as u64);
            table.extend(distance(start));
            table.extend(distance(frame));
            let begins = (start.wrapping_sub(frame + 8) as u32).to_le_bytes();
            frames.extend([[12, 0, 0, 0], [0; 4], begins, (len as u32).to_le_bytes()].concat());
        }
        table.extend(frames);
        table
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = vec![0; TEXT as usize];
        out.extend(&self.text);
        let data = out.len() as u64;
        out.resize(out.len() + DATA as usize, 0x55);
        let mut segments = vec![];
        if !self.frames.is_empty() {
            let (at, table) = (out.len() as u64, self.unwind(out.len() as u64 + BIAS));
            segments.push([0x6474_e550 | 4 << 32, at, at + BIAS, table.len() as u64]);
            out.extend(table);
        }
        segments.push([1 | 5 << 32, 0, BIAS, out.len() as u64]);

        let mut names = vec![0];
        let mut sections = vec![[0; 8]];
        let mut add = |name: &str, kind: u64, flags: u64, place: (u64, u64), link: u64| {
            sections.push([
                names.len() as u64 | kind << 32,
                flags,
                place.0 + BIAS,
                place.0,
                place.1,
                link,
                4,
                0,
            ]);
            names.extend(name.as_bytes());
            names.push(0);
        };
        add(".text", 1, 6, (TEXT, self.text.len() as u64), 0);
        add(".rodata", 1, 2, (data, DATA), 0);
        if let Some(id) = &self.build_id {
            let bytes = note("GNU", 3, id);
            add(".note.gnu.build-id", 7, 2, (out.len() as u64, bytes.len() as u64), 0);
            out.extend(bytes);
        }
        if let Some((name, checksum)) = &self.debuglink {
            let at = out.len();
            out.extend(name.as_bytes());
            out.push(0);
            out.resize(at + (out.len() - at).next_multiple_of(4), 0);
            out.extend(checksum.to_le_bytes());
            add(".gnu_debuglink", 1, 0, (at as u64, (out.len() - at) as u64), 0);
        }
        if !self.symbols.is_empty() {
            let (mut table, mut strings) = (vec![0; 24], vec![0]);
            for (name, at, size, kind) in &self.symbols {
                let address = TEXT.wrapping_add(BIAS).wrapping_add(*at);
                table.extend(words(&[strings.len() as u64 | kind << 32 | 1 << 48, address, *size]));
                strings.extend(name.as_bytes());
                strings.push(0);
            }
            let link = if self.build_id.is_some() { 1 } else { 0 } + u64::from(self.debuglink.is_some()) + 4;
            let kind = if self.dynamic { 11 } else { 2 };
            add(".symtab", kind, 0, (out.len() as u64, table.len() as u64), link);
            out.extend(table);
            add(".strtab", 3, 0, (out.len() as u64, strings.len() as u64), 0);
            out.extend(strings);
        }
        add(".shstrtab", 3, 0, (out.len() as u64, 100), 0);
        names.resize(100, 0);
        out.extend(names);
        let (at, count) = if self.has_sections { (out.len() as u64, sections.len()) } else { (0, 0) };
        out.extend(words(&sections.concat()));

        let mut head = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        head.extend(words(&[3 | self.machine << 16 | 1 << 32, 0, 64, at]));
        let counts = [0, 0, 64, 56, segments.len(), 64, count, count.saturating_sub(1)];
        head.extend(counts.iter().flat_map(|&count| (count as u16).to_le_bytes()));
        for [kind, offset, address, size] in segments {
            head.extend(words(&[kind, offset, address, address, size, size, 0x1000]));
        }
        out[..head.len()].copy_from_slice(&head);
        out
    }
}

/// What each pattern finds in a file, with everything at its default.
pub(super) fn find(file: &File, patterns: &[&str]) -> Vec<Functions> {
    let patterns: Vec<_> = patterns.iter().map(|text| FunctionPattern::parse(text).unwrap()).collect();
    let (limits, most) = (Limits::default(), FunctionLimits::default());
    functions(file, &limits, &most, &patterns, &DebugFiles::none()).unwrap().matched
}

/// What one pattern finds.
pub(super) fn find_one(image: &Image, pattern: &str) -> Functions {
    find(&image.file(), &[pattern]).remove(0)
}

/// Names of what was found.
pub(super) fn names(functions: &Functions) -> Vec<&str> {
    functions.found.iter().map(|function| function.name.as_str()).collect()
}

/// Why the only function that matched was refused.
pub(super) fn why(functions: &Functions) -> &str {
    assert!(functions.found.is_empty(), "{functions:?}");
    match &functions.refused[..] {
        [(_, why)] => why,
        other => panic!("one refusal, not {other:?}"),
    }
}
