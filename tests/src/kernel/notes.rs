//! Finds a program's markers and symbols. Only for the tests' own programs: it trusts them.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use object::{Object as _, ObjectSection as _, ObjectSegment as _, ObjectSymbol as _};
use sidecar_agent::bpf::Site;

/// Where a program's markers and symbols are in its file.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    markers: HashMap<(String, String), Site>,
    symbols: HashMap<String, u64>,
}

impl Notes {
    /// Reads a program.
    ///
    /// # Errors
    /// When it can't be read, or is not as the tests' programs are.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        let elf = object::File::parse(&*bytes)?;
        let offset = |address: u64| -> Result<u64> {
            let segment = elf
                .segments()
                .find(|segment| (segment.address()..segment.address() + segment.size()).contains(&address))
                .with_context(|| format!("no segment holds {address:#x}"))?;
            Ok(address - segment.address() + segment.file_range().0)
        };
        let mut notes = Self::default();
        for symbol in elf.symbols().filter(|symbol| symbol.address() != 0) {
            if let (Ok(name), Ok(offset)) = (symbol.name(), offset(symbol.address())) {
                notes.symbols.insert(name.to_owned(), offset);
            }
        }
        let Some(section) = elf.section_by_name(".note.stapsdt") else { return Ok(notes) };
        let base = elf.section_by_name(".stapsdt.base").map_or(0, |section| section.address());
        let mut rest = section.data()?;
        while rest.len() >= 12 {
            let (name_len, desc_len) = (word(rest, 0) as usize, word(rest, 4) as usize);
            let start = 12 + name_len.next_multiple_of(4);
            let description = rest.get(start..start + desc_len).context("a note is cut")?;
            ensure!(description.len() > 24, "a note is short");
            let shift = base.wrapping_sub(long(description, 8));
            let semaphore = long(description, 16);
            let mut texts = description[24..].split(|&byte| byte == 0);
            let mut text = || {
                texts.next().map(|text| String::from_utf8_lossy(text).into_owned()).context("a note's text")
            };
            let site = Site {
                offset: offset(long(description, 0).wrapping_add(shift))?,
                semaphore: if semaphore == 0 { 0 } else { offset(semaphore.wrapping_add(shift))? },
                cookie: 0,
            };
            notes.markers.insert((text()?, text()?), site);
            rest = rest.get(start + desc_len.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(notes)
    }

    /// The site of a marker, with the index of a spec as its cookie.
    ///
    /// # Errors
    /// When the program has no such marker.
    pub fn site(&self, provider: &str, name: &str, spec: u32) -> Result<Site> {
        let site = self.markers.get(&(provider.to_owned(), name.to_owned()));
        let site = site.with_context(|| format!("the program has no marker {provider}:{name}"))?;
        Ok(Site { cookie: spec.into(), ..*site })
    }

    /// File offset of a symbol.
    ///
    /// # Errors
    /// When the program has no such symbol.
    pub fn symbol(&self, name: &str) -> Result<u64> {
        self.symbols.get(name).copied().with_context(|| format!("the program has no symbol {name}"))
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..at + 4].iter().rev().fold(0, |value, &byte| value << 8 | u32::from(byte))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from(word(bytes, at)) | u64::from(word(bytes, at + 4)) << 32
}
