//! Leaves out of the object what neither the agent nor the kernel reads: DWARF.

use anyhow::Result;
use object::{
    build::elf::{Builder, SectionData},
    elf::SHT_STRTAB,
};

/// The object without its `.debug_*` sections and the relocations of sections that the kernel takes as they are.
pub(super) fn debug_sections(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut builder = Builder::read(bytes)?;
    for section in &mut builder.sections {
        let name = section.name.as_slice();
        section.delete = name.starts_with(b".debug_")
            || name.starts_with(b".rel.debug_")
            || name.starts_with(b".rel.BTF")
            || name == b".llvm_addrsig";
    }
    // LLVM keeps the sections' names in .strtab; the writer wants a section of their own.
    let names = builder.sections.add();
    names.name = ".shstrtab".into();
    names.sh_type = SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = SectionData::SectionString;
    builder.delete_orphans();
    let mut out = Vec::new();
    builder.write(&mut out)?;
    Ok(out)
}
