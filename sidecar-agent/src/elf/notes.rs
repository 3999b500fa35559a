//! The stapsdt notes of a file: which markers it has, where, and with which arguments.
//!
//! Format: <https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation>. Each note has three
//! addresses (site, base, semaphore) and three strings (provider, name, arguments).

use std::collections::HashMap;
use std::fs::File;

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64};
use object::read::elf::NoteIterator;

use super::header::{Elf, Sections, Segment, semaphore_offset, site_offset};
use super::{Arch, ElfError, Limits, identify};

/// One site of one marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The provider's name.
    pub provider: String,
    /// The marker's name.
    pub name: String,
    /// Where its arguments are, as the compiler wrote it.
    pub args: String,
    /// Address of the site as linked (moved with the file if it was prelinked).
    pub address: u64,
    /// File offset of the site.
    pub offset: u64,
    /// File offset of the marker's semaphore.
    pub semaphore: Option<u64>,
}

/// The markers of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageNotes {
    /// The processor it is for.
    pub arch: Arch,
    /// The GNU build id; `None` also if the file has no markers, for then it is not looked for.
    pub build_id: Option<Vec<u8>>,
    /// The sites that a probe can be put on.
    pub notes: Vec<Note>,
    /// What can't be used, and why. At most [`Limits::skipped`], the last of which counts the rest.
    pub skipped: Vec<(String, String)>,
}

const SECTION: &[u8] = b".note.stapsdt";
const BASE_SECTION: &[u8] = b".stapsdt.base";
const OWNER: &[u8] = b"stapsdt";
/// `n_type` of a stapsdt note.
const TYPE: elf::NoteType = elf::NoteType(3);
/// Longest build id that is kept; SHA-1 has 20 bytes, SHA-256 32.
pub(super) const BUILD_ID_MAX: usize = 64;

/// Reads all markers of a file.
///
/// # Errors
/// The file can't be read, is not a 64-bit little-endian program or library, has tables outside the file
/// or above the limits, or changed meanwhile. A note that can't be used is no error: it is skipped.
pub fn read_notes(file: &File, limits: &Limits) -> Result<ImageNotes, ElfError> {
    read_notes_where(file, limits, |_, _| true)
}

/// Reads the markers of a file whose provider and name `wanted` accepts. A file without markers costs the
/// ELF header, the section headers and their names.
///
/// # Errors
/// As [`read_notes`].
pub fn read_notes_where(
    file: &File,
    limits: &Limits,
    mut wanted: impl FnMut(&str, &str) -> bool,
) -> Result<ImageNotes, ElfError> {
    let failed = |source| ElfError::Io { what: "the file's attributes", source };
    let elf = Elf::open(file, limits)?;
    let before = identify(file).map_err(failed)?;
    let result = read(&elf, &mut wanted);
    // A file that changes while it is read can give any error, so this one comes first.
    if identify(file).map_err(failed)? != before || before.size != elf.reader.len {
        return Err(ElfError::Changed);
    }
    result
}

fn read(elf: &Elf<'_>, wanted: &mut dyn FnMut(&str, &str) -> bool) -> Result<ImageNotes, ElfError> {
    let mut found = Collector {
        limits: elf.limits,
        arch: elf.arch,
        segments: Vec::new(),
        base: None,
        sites: HashMap::new(),
        seen: 0,
        notes: Vec::new(),
        skipped: Vec::new(),
        skipped_more: 0,
    };
    let sections = elf.sections()?;
    let mut budget = elf.limits.note_bytes;
    let mut build_id = None;
    for (index, section) in sections.all().iter().filter(|section| is_notes(&sections, section)).enumerate() {
        if index == 0 {
            found.segments = elf.segments()?;
            found.base = base_address(&sections);
            build_id = read_build_id(elf, &found.segments);
        }
        let what = "the marker notes";
        let data = elf.reader.read(what, section.sh_offset.get(LE), section.sh_size.get(LE), budget)?;
        budget -= data.len() as u64;
        found.section(&data, section.sh_addralign.get(LE), wanted);
    }
    Ok(found.finish(build_id))
}

fn is_notes(sections: &Sections, section: &elf::SectionHeader64<LE>) -> bool {
    section.sh_type.get(LE) == elf::SHT_NOTE && sections.is_named(section, SECTION)
}

fn base_address(sections: &Sections) -> Option<u64> {
    let section = sections.all().iter().find(|section| sections.is_named(section, BASE_SECTION))?;
    Some(section.sh_addr.get(LE))
}

pub(super) fn read_build_id(elf: &Elf<'_>, segments: &[Segment]) -> Option<Vec<u8>> {
    let mut candidates =
        segments.iter().filter(|segment| segment.kind == elf::PT_NOTE).take(MAX_NOTE_SEGMENTS);
    candidates.find_map(|segment| {
        let limit = elf.limits.note as u64;
        let data = elf.reader.read("the build id", segment.offset, segment.size, limit).ok()?;
        // Segments with 8-byte alignment hold properties, never a build id.
        let notes = NoteIterator::<FileHeader64<LE>>::new(LE, 4, &data).ok()?;
        let id = notes
            .map_while(Result::ok)
            .find(|note| note.name() == elf::ELF_NOTE_GNU && note.n_type(LE) == elf::NT_GNU_BUILD_ID)?;
        (id.desc().len() <= BUILD_ID_MAX).then(|| id.desc().to_vec())
    })
}

/// Most markers at one address; linkers that fold equal functions make several, nothing makes many.
const MAX_AT_ONE_ADDRESS: usize = 16;
/// Most note segments that are searched for a build id; linkers make one or two.
const MAX_NOTE_SEGMENTS: usize = 16;

/// The three addresses and three strings of a note.
struct Parsed<'d> {
    site: u64,
    base: u64,
    semaphore: u64,
    provider: &'d str,
    name: &'d str,
    args: &'d str,
}

/// What is known of a file while its notes are read.
struct Collector<'l> {
    limits: &'l Limits,
    arch: Arch,
    segments: Vec<Segment>,
    base: Option<u64>,
    /// Positions of the notes at each file offset.
    sites: HashMap<u64, Vec<usize>>,
    seen: usize,
    notes: Vec<Note>,
    skipped: Vec<(String, String)>,
    skipped_more: usize,
}

impl Collector<'_> {
    fn section(&mut self, data: &[u8], align: u64, wanted: &mut dyn FnMut(&str, &str) -> bool) {
        let notes = match NoteIterator::<FileHeader64<LE>>::new(LE, align, data) {
            Ok(notes) => notes,
            Err(error) => return self.skip("all markers".into(), error.to_string()),
        };
        for (index, note) in notes.enumerate() {
            let note = match note {
                Ok(note) => note,
                Err(error) => {
                    return self.skip(format!("the markers from note {index} on"), error.to_string());
                }
            };
            if note.name() != OWNER || note.n_type(LE) != TYPE {
                continue;
            }
            self.seen += 1;
            if self.seen > self.limits.notes {
                let why = format!("more than the limit of {}", self.limits.notes);
                return self.skip(format!("the markers from note {index} on"), why);
            }
            match parse(note.desc(), self.limits) {
                Ok(parsed) if wanted(parsed.provider, parsed.name) => self.note(&parsed),
                Ok(_) => {}
                Err(why) => self.skip(format!("note {index}"), why.into()),
            }
        }
    }

    fn note(&mut self, parsed: &Parsed<'_>) {
        match self.place(parsed) {
            Ok(note) => {
                self.sites.entry(note.offset).or_default().push(self.notes.len());
                self.notes.push(note);
            }
            Err(why) => {
                let what = format!("{}:{} at {:#x}", parsed.provider, parsed.name, parsed.site);
                self.skip(what, why.into());
            }
        }
    }

    fn place(&self, parsed: &Parsed<'_>) -> Result<Note, &'static str> {
        // Prelink moves a file without rewriting notes that are not loaded; the base section moves with it.
        let moved = self.base.map_or(0, |base| base.wrapping_sub(parsed.base));
        let address = parsed.site.wrapping_add(moved);
        let offset = site_offset(&self.segments, address, self.arch)?;
        let semaphore = match parsed.semaphore {
            0 => None,
            semaphore => Some(semaphore_offset(&self.segments, semaphore.wrapping_add(moved))?),
        };
        let here = self.sites.get(&offset).map_or(&[][..], Vec::as_slice);
        if here.len() >= MAX_AT_ONE_ADDRESS {
            return Err("too many markers are at this address already");
        }
        for other in here.iter().filter_map(|&at| self.notes.get(at)) {
            if other.semaphore != semaphore {
                return Err("another marker at the same address has another semaphore, \
                            and the kernel allows one");
            }
            if other.provider == parsed.provider && other.name == parsed.name {
                return Err("the same marker is at this address already");
            }
        }
        let (provider, name) = (parsed.provider.to_owned(), parsed.name.to_owned());
        Ok(Note { provider, name, args: parsed.args.to_owned(), address, offset, semaphore })
    }

    fn skip(&mut self, what: String, why: String) {
        if self.skipped.len() + 1 < self.limits.skipped {
            self.skipped.push((what, why));
        } else {
            self.skipped_more += 1;
        }
    }

    fn finish(mut self, build_id: Option<Vec<u8>>) -> ImageNotes {
        if self.skipped_more > 0 {
            self.skipped.push((format!("{} more", self.skipped_more), "not listed".into()));
        }
        ImageNotes { arch: self.arch, build_id, notes: self.notes, skipped: self.skipped }
    }
}

fn parse<'d>(desc: &'d [u8], limits: &Limits) -> Result<Parsed<'d>, &'static str> {
    if desc.len() > limits.note {
        return Err("the note is longer than the limit");
    }
    let short = "the note is too short for its three addresses";
    let (site, rest) = desc.split_first_chunk().ok_or(short)?;
    let (base, rest) = rest.split_first_chunk().ok_or(short)?;
    let (semaphore, rest) = rest.split_first_chunk().ok_or(short)?;
    let mut strings = rest.split(|&byte| byte == 0);
    let mut string = || {
        let bytes = strings.next().ok_or("the note has fewer than three strings")?;
        if bytes.len() > limits.string {
            return Err("a string in the note is longer than the limit");
        }
        std::str::from_utf8(bytes).map_err(|_| "a string in the note is not UTF-8")
    };
    let (provider, name, args) = (string()?, string()?, string()?);
    if provider.is_empty() || name.is_empty() {
        return Err("the note names no marker");
    }
    Ok(Parsed {
        site: u64::from_le_bytes(*site),
        base: u64::from_le_bytes(*base),
        semaphore: u64::from_le_bytes(*semaphore),
        provider,
        name,
        args,
    })
}
