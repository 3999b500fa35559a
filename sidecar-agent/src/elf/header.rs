//! The ELF header, the segments and the sections of a file.

use std::fs::File;

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64, ProgramHeader64, SectionHeader64};
use object::pod;

use super::reader::Reader;
use super::{Arch, ElfError, Limits};

/// An ELF file whose header has been checked.
pub(super) struct Elf<'f> {
    pub(super) reader: Reader<'f>,
    pub(super) arch: Arch,
    pub(super) limits: &'f Limits,
    header: FileHeader64<LE>,
}

/// A loadable part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    pub(super) kind: elf::ProgramType,
    address: u64,
    pub(super) offset: u64,
    pub(super) size: u64,
    executable: bool,
    writable: bool,
}

/// Sections and their names.
pub(super) struct Sections {
    headers: Vec<u8>,
    names: Vec<u8>,
}

const HEADER_LEN: u64 = size_of::<FileHeader64<LE>>() as u64;
const SECTION_LEN: u64 = size_of::<SectionHeader64<LE>>() as u64;
const SEGMENT_LEN: u64 = size_of::<ProgramHeader64<LE>>() as u64;

impl<'f> Elf<'f> {
    /// Reads and checks the header.
    pub(super) fn open(file: &'f File, limits: &'f Limits) -> Result<Self, ElfError> {
        let reader = Reader::open(file)?;
        let head = reader.read("the ELF header", 0, reader.len.min(HEADER_LEN), HEADER_LEN)?;
        if !head.starts_with(&elf::ELFMAG) {
            return Err(ElfError::NotElf);
        }
        let Ok((header, _)) = pod::from_bytes::<FileHeader64<LE>>(&head) else {
            return Err(ElfError::Truncated { what: "the ELF header", end: HEADER_LEN, len: reader.len });
        };
        let ident = header.e_ident;
        if ident.class == elf::ELFCLASS32 {
            return Err(ElfError::Class32);
        }
        if ident.class != elf::ELFCLASS64 {
            return Err(ElfError::Malformed("neither 32-bit nor 64-bit"));
        }
        if ident.data != elf::ELFDATA2LSB {
            return Err(ElfError::BigEndian);
        }
        let arch = match header.e_machine.get(LE) {
            elf::EM_X86_64 => Arch::X86_64,
            elf::EM_AARCH64 => Arch::Aarch64,
            other => return Err(ElfError::Machine(other.0)),
        };
        let kind = header.e_type.get(LE);
        if kind != elf::ET_EXEC && kind != elf::ET_DYN {
            return Err(ElfError::Kind(kind.0));
        }
        if reader.len > limits.file {
            return Err(ElfError::TooLarge {
                what: "the file's length",
                value: reader.len,
                limit: limits.file,
            });
        }
        Ok(Self { reader, arch, limits, header: *header })
    }

    /// The address as linked at which a program begins.
    pub(super) fn start(&self) -> Option<u64> {
        Some(self.header.e_entry.get(LE)).filter(|address| *address != 0)
    }

    /// The segments that hold something of the file.
    pub(super) fn segments(&self) -> Result<Vec<Segment>, ElfError> {
        let what = "the table of segments";
        let count = u64::from(self.header.e_phnum.get(LE));
        let offset = self.header.e_phoff.get(LE);
        if count == 0 || offset == 0 {
            return Ok(Vec::new());
        }
        if u64::from(self.header.e_phentsize.get(LE)) != SEGMENT_LEN {
            return Err(ElfError::Malformed("size of a segment header"));
        }
        check(what, count, self.limits.segments)?;
        let bytes = self.reader.read(what, offset, count * SEGMENT_LEN, u64::MAX)?;
        let headers = pod::slice_from_all_bytes::<ProgramHeader64<LE>>(&bytes)
            .map_err(|()| ElfError::Malformed("the table of segments"))?;
        Ok(headers.iter().map(|header| self.segment(header)).collect())
    }

    fn segment(&self, header: &ProgramHeader64<LE>) -> Segment {
        let offset = header.p_offset.get(LE);
        let flags = header.p_flags.get(LE).0;
        Segment {
            kind: header.p_type.get(LE),
            address: header.p_vaddr.get(LE),
            offset,
            // What lies past the end of the file is not in the file, whatever the header says.
            size: header.p_filesz.get(LE).min(self.reader.len.saturating_sub(offset)),
            executable: flags & elf::PF_X.0 != 0,
            writable: flags & elf::PF_W.0 != 0,
        }
    }

    /// The sections; none if the file has no table of them.
    pub(super) fn sections(&self) -> Result<Sections, ElfError> {
        let what = "the table of sections";
        let offset = self.header.e_shoff.get(LE);
        if offset == 0 {
            return Ok(Sections { headers: Vec::new(), names: Vec::new() });
        }
        if u64::from(self.header.e_shentsize.get(LE)) != SECTION_LEN {
            return Err(ElfError::Malformed("size of a section header"));
        }
        let mut count = u64::from(self.header.e_shnum.get(LE));
        let mut names_index = u64::from(self.header.e_shstrndx.get(LE).0);
        if count == 0 || names_index == u64::from(elf::SHN_XINDEX.0) {
            // Numbers too large for the header are in the first section (the ELF gABI, "Section Header").
            let first = self.reader.read(what, offset, SECTION_LEN, SECTION_LEN)?;
            let (first, _) = pod::from_bytes::<SectionHeader64<LE>>(&first)
                .map_err(|()| ElfError::Malformed("the first section"))?;
            if count == 0 {
                count = first.sh_size.get(LE);
            }
            if names_index == u64::from(elf::SHN_XINDEX.0) {
                names_index = u64::from(first.sh_link.get(LE));
            }
        }
        check(what, count, self.limits.sections)?;
        let headers = self.reader.read(what, offset, count * SECTION_LEN, u64::MAX)?;
        let mut sections = Sections { headers, names: Vec::new() };
        let names = usize::try_from(names_index).ok().and_then(|index| sections.all().get(index));
        if let Some(names) = names {
            let (offset, size) = (names.sh_offset.get(LE), names.sh_size.get(LE));
            sections.names =
                self.reader.read("the table of section names", offset, size, self.limits.section_names)?;
        }
        Ok(sections)
    }
}

impl Sections {
    /// The section headers.
    pub(super) fn all(&self) -> &[SectionHeader64<LE>] {
        pod::slice_from_all_bytes(&self.headers).unwrap_or_default()
    }

    /// Whether a section has this name.
    pub(super) fn is_named(&self, section: &SectionHeader64<LE>, name: &[u8]) -> bool {
        let start = section.sh_name.get(LE) as usize;
        let rest = self.names.get(start..).unwrap_or_default();
        rest.get(..name.len()) == Some(name) && rest.get(name.len()) == Some(&0)
    }
}

impl Segment {
    /// Address of its first byte, as linked.
    pub(super) const fn address(&self) -> u64 {
        self.address
    }

    /// Address of a file offset, if it is in this segment and this is code.
    pub(super) fn address_of_code(&self, offset: u64) -> Option<u64> {
        let within = offset.checked_sub(self.offset)?;
        let holds = self.kind == elf::PT_LOAD && self.executable && within < self.size;
        holds.then(|| self.address.checked_add(within)).flatten()
    }

    /// File offset of an address, if `len` bytes at it are in the file.
    fn offset_of(&self, address: u64, len: u64) -> Option<u64> {
        let within = address.checked_sub(self.address)?;
        if self.kind != elf::PT_LOAD || within.checked_add(len)? > self.size {
            return None;
        }
        self.offset.checked_add(within)
    }
}

/// File offset of `len` bytes at an address, in any segment.
pub(super) fn data_offset(segments: &[Segment], address: u64, len: u64) -> Option<u64> {
    segments.iter().find_map(|segment| segment.offset_of(address, len))
}

/// File offset of an instruction, or why no probe can be put there.
pub(super) fn site_offset(segments: &[Segment], address: u64, arch: Arch) -> Result<u64, &'static str> {
    let holds = |segment: &&Segment| segment.executable && segment.offset_of(address, 1).is_some();
    let Some(segment) = segments.iter().find(holds) else {
        return Err("the address is in no executable part of the file");
    };
    if segment.writable {
        return Err("the address is in a writable part of the file, where the kernel puts no probe");
    }
    let offset = segment.offset_of(address, 1).unwrap_or_default();
    match arch {
        Arch::Aarch64 if offset % 4 != 0 => Err("the address is inside an instruction"),
        Arch::Aarch64 | Arch::X86_64 => Ok(offset),
    }
}

/// File offset of a 16-bit semaphore, or why the kernel could not raise it.
pub(super) fn semaphore_offset(segments: &[Segment], address: u64) -> Result<u64, &'static str> {
    let offset = segments
        .iter()
        .filter(|segment| segment.writable && !segment.executable)
        .find_map(|segment| segment.offset_of(address, 2));
    match offset {
        // The kernel refuses an odd offset (uprobe_register), and 0 means none to it.
        Some(offset) if offset % 2 != 0 => Err("the semaphore is at an odd address"),
        Some(0) => Err("the semaphore is at the start of the file"),
        Some(offset) => Ok(offset),
        None => Err("the semaphore is in no writable part of the file"),
    }
}

fn check(what: &'static str, value: u64, limit: u64) -> Result<(), ElfError> {
    if value > limit { Err(ElfError::TooLarge { what, value, limit }) } else { Ok(()) }
}
