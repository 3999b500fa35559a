//! Where the code of a file is, and what can be told of a place in it.

use object::LittleEndian as LE;
use object::elf;

use super::super::header::{Elf, Sections, Segment, data_offset, site_offset};
use super::super::{Arch, ElfError};

/// The executable parts of a file.
pub(super) struct Code<'e, 'f> {
    elf: &'e Elf<'f>,
    segments: Vec<Segment>,
    /// First address and end of each section with code, sorted; none if the file has no sections.
    sections: Vec<(u64, u64)>,
}

impl<'e, 'f> Code<'e, 'f> {
    pub(super) fn new(elf: &'e Elf<'f>, sections: &Sections) -> Result<Self, ElfError> {
        let executable = |section: &&elf::SectionHeader64<LE>| {
            section.sh_flags.get(LE).0 & elf::SHF_EXECINSTR.0 != 0
                && section.sh_type.get(LE) != elf::SHT_NOBITS
        };
        let range = |section: &elf::SectionHeader64<LE>| {
            let address = section.sh_addr.get(LE);
            (address, address.saturating_add(section.sh_size.get(LE)))
        };
        let mut sections: Vec<_> = sections.all().iter().filter(executable).map(range).collect();
        sections.sort_unstable();
        Ok(Self { elf, segments: elf.segments()?, sections })
    }

    pub(super) fn arch(&self) -> Arch {
        self.elf.arch
    }

    /// File offset of an instruction, or why no probe can be put there.
    pub(super) fn offset(&self, address: u64) -> Result<u64, &'static str> {
        let offset = site_offset(&self.segments, address, self.elf.arch)?;
        let at = self.sections.partition_point(|&(start, _)| start <= address);
        let holds =
            at.checked_sub(1).and_then(|at| self.sections.get(at)).is_some_and(|&(_, end)| address < end);
        if holds || self.sections.is_empty() {
            Ok(offset)
        } else {
            Err("the address is in data, not in code")
        }
    }

    /// Address of a file offset that is in code.
    pub(super) fn address(&self, offset: u64) -> Result<u64, &'static str> {
        let outside = "the offset is in no executable part of the file";
        let addresses = self.segments.iter().filter_map(|segment| segment.address_of_code(offset));
        addresses.into_iter().next().ok_or(outside)
    }

    /// Whether so many bytes at an address are in the file.
    pub(super) fn holds(&self, address: u64, len: u64) -> bool {
        data_offset(&self.segments, address, len).is_some()
    }

    /// Bytes of the file, as many as there are up to `len`.
    pub(super) fn bytes(&self, offset: u64, len: u64) -> Result<Vec<u8>, ElfError> {
        let len = len.min(self.elf.reader.len.saturating_sub(offset));
        self.elf.reader.read("the code", offset, len, len)
    }

    /// Bytes at an address, if all of them are in one part of the file.
    pub(super) fn bytes_at(&self, address: u64, len: u64) -> Option<Vec<u8>> {
        let offset = data_offset(&self.segments, address, len)?;
        self.elf.reader.read("the code", offset, len, len).ok()
    }

    /// Address of the first segment of a kind, and how many bytes of it are in the file.
    pub(super) fn segment(&self, kind: elf::ProgramType) -> Option<(u64, u64)> {
        let segment = self.segments.iter().find(|segment| segment.kind == kind)?;
        Some((segment.address(), segment.size))
    }
}
