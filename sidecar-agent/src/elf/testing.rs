//! Builds small ELF files for tests, right ones and wrong ones.

use std::fs::File;
use std::io::Write;

use super::Arch;

/// File offset of the code.
pub(crate) const TEXT: u64 = 0x1000;
/// Address minus file offset, of the code.
pub(crate) const TEXT_BIAS: u64 = 0x10_0000;
/// Address minus file offset, of the data; not the code's, so that a look-up in the wrong part shows.
const DATA_BIAS: u64 = 0x20_0000;
/// Bytes of semaphores at the start of the data.
const SEMAPHORES: u64 = 64;

/// One marker of a [`Build`].
#[derive(Clone, Debug)]
pub(crate) struct BuildNote {
    pub(crate) provider: String,
    pub(crate) name: String,
    pub(crate) args: String,
    /// Offset of the site within the code.
    pub(crate) site: u64,
    /// Offset of the semaphore within the data.
    pub(crate) semaphore: Option<u64>,
}

impl BuildNote {
    pub(crate) fn new(marker: &str, args: &str, site: u64) -> Self {
        let (provider, name) = marker.split_once(':').expect("provider:name");
        Self { provider: provider.into(), name: name.into(), args: args.into(), site, semaphore: None }
    }

    pub(crate) fn with_semaphore(self, at: u64) -> Self {
        Self { semaphore: Some(at), ..self }
    }
}

/// What to build.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    pub(crate) arch: Arch,
    pub(crate) text: Vec<u8>,
    pub(crate) notes: Vec<BuildNote>,
    /// Instead of `notes`.
    pub(crate) note_bytes: Option<Vec<u8>>,
    /// Whether there is a base section.
    pub(crate) base: bool,
    /// How far the file was moved after the notes were written.
    pub(crate) moved: u64,
    pub(crate) build_id: Option<Vec<u8>>,
    pub(crate) needed: Vec<String>,
    pub(crate) runpath: Option<String>,
    pub(crate) interp: Option<String>,
    pub(crate) symbols: Vec<(String, u64)>,
}

impl Default for Build {
    fn default() -> Self {
        Self {
            arch: Arch::X86_64,
            text: vec![0x90; 256],
            notes: Vec::new(),
            note_bytes: None,
            base: true,
            moved: 0,
            build_id: None,
            needed: Vec::new(),
            runpath: None,
            interp: None,
            symbols: Vec::new(),
        }
    }
}

/// A note of the ELF format.
pub(crate) fn note(owner: &str, kind: u32, desc: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend((owner.len() as u32 + 1).to_le_bytes());
    bytes.extend((desc.len() as u32).to_le_bytes());
    bytes.extend(kind.to_le_bytes());
    bytes.extend(owner.as_bytes());
    bytes.push(0);
    pad(&mut bytes, 4);
    bytes.extend(desc);
    pad(&mut bytes, 4);
    bytes
}

fn pad(bytes: &mut Vec<u8>, to: usize) {
    bytes.resize(bytes.len().next_multiple_of(to), 0);
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A string table and the offset of each string.
fn strings<'s>(list: impl IntoIterator<Item = &'s str>) -> (Vec<u8>, Vec<u64>) {
    let mut bytes = vec![0];
    let mut offsets = Vec::new();
    for text in list {
        offsets.push(bytes.len() as u64);
        bytes.extend(text.as_bytes());
        bytes.push(0);
    }
    (bytes, offsets)
}

impl Build {
    pub(crate) fn with_notes(notes: impl IntoIterator<Item = BuildNote>) -> Self {
        Self { notes: notes.into_iter().collect(), ..Self::default() }
    }

    fn data_offset(&self) -> u64 {
        (TEXT + self.text.len() as u64).next_multiple_of(0x1000)
    }

    fn note_section(&self) -> Vec<u8> {
        let base = TEXT + TEXT_BIAS;
        let data = self.data_offset() + DATA_BIAS;
        let one = |entry: &BuildNote| {
            let semaphore = entry.semaphore.map_or(0, |at| data + at);
            let mut desc = words(&[base + entry.site, base, semaphore]);
            for text in [&entry.provider, &entry.name, &entry.args] {
                desc.extend(text.as_bytes());
                desc.push(0);
            }
            note("stapsdt", 3, &desc)
        };
        self.note_bytes.clone().unwrap_or_else(|| self.notes.iter().flat_map(one).collect())
    }

    fn dynamic(&self, at: u64) -> Vec<u8> {
        if self.needed.is_empty() && self.runpath.is_none() {
            return Vec::new();
        }
        let (table, offsets) = strings(self.needed.iter().chain(&self.runpath).map(String::as_str));
        let entries = offsets.len() as u64 + 2;
        let mut list = vec![5, at + entries * 16];
        for (index, &offset) in offsets.iter().enumerate() {
            list.extend([if index < self.needed.len() { 1 } else { 29 }, offset]);
        }
        list.extend([0, 0]);
        let mut bytes = words(&list);
        bytes.extend(table);
        bytes
    }

    /// The file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut out = vec![0; TEXT as usize];
        out.extend(&self.text);
        out.resize(self.data_offset() as usize, 0);
        let data = out.len() as u64;
        out.resize(out.len() + SEMAPHORES as usize, 0);
        let dynamic_at = out.len() as u64;
        let dynamic = self.dynamic(dynamic_at + DATA_BIAS + self.moved);
        out.extend(&dynamic);
        let data_len = out.len() as u64 - data;
        let mut segments = vec![
            [1 | 5 << 32, 0, TEXT_BIAS + self.moved, TEXT + self.text.len() as u64],
            [1 | 6 << 32, data, data + DATA_BIAS + self.moved, data_len],
        ];
        if !dynamic.is_empty() {
            segments.push([2 | 6 << 32, dynamic_at, 0, dynamic.len() as u64]);
        }
        if let Some(interp) = &self.interp {
            segments.push([3 | 4 << 32, out.len() as u64, 0, interp.len() as u64 + 1]);
            out.extend(interp.as_bytes());
            out.push(0);
        }
        if let Some(id) = &self.build_id {
            let bytes = note("GNU", 3, id);
            segments.push([4 | 4 << 32, out.len() as u64, 0, bytes.len() as u64]);
            out.extend(bytes);
        }

        let (names, name) = strings([".note.stapsdt", ".stapsdt.base", ".shstrtab", ".symtab", ".strtab"]);
        let mut sections = vec![[0; 8]];
        let mut add = |out: &mut Vec<u8>, name: u64, kind: u64, address: u64, link: u64, bytes: &[u8]| {
            let (offset, size) = (out.len() as u64, bytes.len() as u64);
            sections.push([name | kind << 32, 0, address, offset, size, link, 4, 0]);
            out.extend(bytes);
        };
        let notes = self.note_section();
        let mut names_index = 1;
        if !notes.is_empty() {
            add(&mut out, name[0], 7, 0, 0, &notes);
            names_index += 1;
        }
        if self.base {
            add(&mut out, name[1], 1, TEXT + TEXT_BIAS + self.moved, 0, &[0]);
            names_index += 1;
        }
        add(&mut out, name[2], 3, 0, 0, &names);
        let (table, offsets) = strings(self.symbols.iter().map(|(name, _)| name.as_str()));
        let object_in_section_1 = 1 << 32 | 1 << 48;
        let symbols: Vec<u64> = offsets
            .iter()
            .zip(&self.symbols)
            .flat_map(|(name, (_, address))| [name | object_in_section_1, *address, 4])
            .collect();
        add(&mut out, name[3], 2, 0, names_index + 2, &words(&symbols));
        add(&mut out, name[4], 3, 0, 0, &table);

        let sections_at = out.len() as u64;
        out.extend(words(&sections.concat()));
        let machine: u64 = match self.arch {
            Arch::X86_64 => 62,
            Arch::Aarch64 => 183,
        };
        let mut head = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        head.extend(words(&[3 | machine << 16 | 1 << 32, 0, 64, sections_at]));
        let counts = [0, 0, 64, 56, segments.len(), 64, sections.len(), names_index as usize];
        head.extend(counts.iter().flat_map(|&count| (count as u16).to_le_bytes()));
        for [kind, offset, address, size] in segments {
            head.extend(words(&[kind, offset, address, address, size, size, 0x1000]));
        }
        out[..head.len()].copy_from_slice(&head);
        out
    }
}

/// An open, unnamed file with these bytes.
pub(crate) fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("room for a temporary file");
    file
}
