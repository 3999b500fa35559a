//! Reads the stapsdt notes of an ELF file, and checks that the markers are whole in it.

use object::read::elf::{ElfFile64, FileHeader, ProgramHeader};
use object::{Endianness, Object, ObjectSection, elf};

/// One stapsdt note.
#[derive(Debug)]
pub(crate) struct Note {
    pub(crate) provider: String,
    pub(crate) name: String,
    pub(crate) args: String,
    pub(crate) location: u64,
    pub(crate) base: u64,
    pub(crate) semaphore: u64,
}

fn word(data: &[u8], at: usize, size: usize) -> u64 {
    data[at..at + size].iter().rev().fold(0, |value, &byte| value << 8 | u64::from(byte))
}

/// The notes of a linked 64-bit little-endian file, in order of their names.
pub(crate) fn notes(file: &[u8]) -> Vec<Note> {
    let elf = ElfFile64::<Endianness>::parse(file).unwrap();
    let section = elf.section_by_name(".note.stapsdt").expect("the file has no section .note.stapsdt");
    let data = section.data().unwrap();
    let mut notes = Vec::new();
    let mut at = 0;
    while at < data.len() {
        let (owner, len, kind) = (word(data, at, 4), word(data, at + 4, 4) as usize, word(data, at + 8, 4));
        assert_eq!((owner, kind, &data[at + 12..at + 20]), (8, 3, &b"stapsdt\0"[..]));
        let body = &data[at + 20..at + 20 + len];
        let mut strings =
            body[24..].split(|&byte| byte == 0).map(|text| String::from_utf8_lossy(text).into());
        notes.push(Note {
            provider: strings.next().unwrap(),
            name: strings.next().unwrap(),
            args: strings.next().unwrap(),
            location: word(body, 0, 8),
            base: word(body, 8, 8),
            semaphore: word(body, 16, 8),
        });
        at += (20 + len).next_multiple_of(4);
    }
    notes.sort_by(|a, b| a.name.cmp(&b.name));
    notes
}

/// File offset of an address, and the flags of the segment that holds it.
pub(crate) fn offset(file: &[u8], address: u64) -> (usize, u32) {
    let elf = ElfFile64::<Endianness>::parse(file).unwrap();
    let endian = elf.endian();
    for segment in elf.elf_header().program_headers(endian, file).unwrap() {
        let start = segment.p_vaddr(endian);
        if segment.p_type(endian) == elf::PT_LOAD
            && (start..start + segment.p_filesz(endian)).contains(&address)
        {
            return ((address - start + segment.p_offset(endian)) as usize, segment.p_flags(endian).0);
        }
    }
    panic!("no segment holds {address:#x}");
}

/// How many writable segments are mapped from the page of a file that holds this offset. The kernel raises a semaphore
/// in the first one.
fn writable_segments_on_page(file: &[u8], offset: u64) -> usize {
    let elf = ElfFile64::<Endianness>::parse(file).unwrap();
    let endian = elf.endian();
    let page = offset / 4096;
    let holds =
        |start: u64, size: u64| size > 0 && (start / 4096..=(start + size - 1) / 4096).contains(&page);
    let segments = elf.elf_header().program_headers(endian, file).unwrap().iter();
    segments
        .filter(|segment| {
            segment.p_type(endian) == elf::PT_LOAD && segment.p_flags(endian).0 & elf::PF_W.0 != 0
        })
        .filter(|segment| holds(segment.p_offset(endian), segment.p_filesz(endian)))
        .count()
}

/// Checks that a file has each of the four markers once, whole, and in the right places.
pub(crate) fn check(what: &str, file: &[u8], args: [&str; 4], code: &[u8], alignment: u64) {
    let notes = notes(file);
    let seen: Vec<_> = notes.iter().map(|n| (&*n.provider, &*n.name, &*n.args)).collect();
    let names = ["anomaly", "event", "test_end", "test_start"];
    let expected: Vec<_> = names.into_iter().zip(args).map(|(name, args)| ("sidecar", name, args)).collect();
    assert_eq!(seen, expected, "{what}");

    let elf = ElfFile64::<Endianness>::parse(file).unwrap();
    let base = elf.section_by_name(".stapsdt.base").expect("no section .stapsdt.base").address();
    let probes = elf.section_by_name(".probes").expect("no section .probes");
    let probes = probes.address()..probes.address() + probes.size();
    let mut semaphores: Vec<u64> = notes.iter().map(|note| note.semaphore).collect();
    semaphores.sort_unstable();
    semaphores.dedup();
    assert_eq!(semaphores.len(), 4, "{what}: a semaphore each");
    for note in &notes {
        let (at, flags) = offset(file, note.location);
        assert_eq!(flags & (elf::PF_X | elf::PF_W).0, elf::PF_X.0, "{what}: {note:?}");
        assert_eq!(&file[at..at + code.len()], code, "{what}: {note:?}");
        assert_eq!(note.location % alignment, 0, "{what}: {note:?}");
        assert_eq!(note.base, base, "{what}: {note:?}");
        let (at, flags) = offset(file, note.semaphore);
        assert_eq!(flags & (elf::PF_X | elf::PF_W).0, elf::PF_W.0, "{what}: {note:?}");
        assert!(probes.contains(&note.semaphore), "{what}: {note:?}");
        assert_eq!(file[at..at + 2], [0, 0], "{what}: {note:?}");
        assert_eq!(writable_segments_on_page(file, at as u64), 1, "{what}: {note:?}");
    }
}

/// Argument strings on x86-64, in order of the markers' names.
pub(crate) const X86_64: [&str; 4] = [
    "8@%rdi 8@%rsi",
    "8@%rdi 8@%rsi 8@%rdx 8@%rcx 8@%r8 8@%r9",
    "8@%rdi 8@%rsi 4@%edx 8@%rcx 8@%r8 4@%r9d",
    "8@%rdi 8@%rsi 8@%rdx 8@%rcx 4@%r8d",
];

/// Argument strings on aarch64, in order of the markers' names.
pub(crate) const AARCH64: [&str; 4] = [
    "8@x0 8@x1",
    "8@x0 8@x1 8@x2 8@x3 8@x4 8@x5",
    "8@x0 8@x1 4@x2 8@x3 8@x4 4@x5",
    "8@x0 8@x1 8@x2 8@x3 4@x4",
];

/// A marker's code on x86-64: the 1-byte nop, the 5-byte nop, the 10-byte nop, `ret`.
pub(crate) const X86_64_CODE: &[u8] =
    &[0x90, 0x0f, 0x1f, 0x44, 0, 0, 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, 0xc3];

/// A marker's code on aarch64: `nop; ret`.
pub(crate) const AARCH64_CODE: &[u8] = &[0x1f, 0x20, 0x03, 0xd5, 0xc0, 0x03, 0x5f, 0xd6];

/// Argument strings and code of the processor that runs the tests.
pub(crate) fn native() -> ([&'static str; 4], &'static [u8], u64) {
    if cfg!(target_arch = "x86_64") { (X86_64, X86_64_CODE, 16) } else { (AARCH64, AARCH64_CODE, 4) }
}
