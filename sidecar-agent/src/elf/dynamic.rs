//! What a program asks of the dynamic loader: libraries, where to look for them, and the loader itself.

use std::fs::File;

use object::LittleEndian as LE;
use object::elf::{self, Dyn64};
use object::pod;

use super::header::{Elf, Segment, data_offset};
use super::{Arch, ElfError, Limits};

/// What a program asks of the dynamic loader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dynamic {
    /// The processor it is for.
    pub arch: Arch,
    /// Names of the libraries (DT_NEEDED).
    pub needed: Vec<String>,
    /// Folders for this file's own libraries (DT_RUNPATH), unexpanded.
    pub runpath: Vec<String>,
    /// Folders for all libraries (DT_RPATH), unexpanded; without meaning where there is a `runpath`.
    pub rpath: Vec<String>,
    /// Path of the dynamic loader (PT_INTERP).
    pub interp: Option<String>,
}

const ENTRY_LEN: u64 = size_of::<Dyn64<LE>>() as u64;

/// Reads what a program asks of the dynamic loader; a static program asks nothing.
///
/// # Errors
/// The file can't be read, is not a 64-bit little-endian program or library, or its tables are outside the
/// file or above the limits.
pub fn needed(file: &File, limits: &Limits) -> Result<Dynamic, ElfError> {
    let elf = Elf::open(file, limits)?;
    let segments = elf.segments()?;
    let mut dynamic =
        Dynamic { arch: elf.arch, needed: Vec::new(), runpath: Vec::new(), rpath: Vec::new(), interp: None };
    if let Some(segment) = segments.iter().find(|segment| segment.kind == elf::PT_INTERP) {
        dynamic.interp = Some(elf.reader.string("the loader's path", segment.offset, limits.string)?);
    }
    let Some(segment) = segments.iter().find(|segment| segment.kind == elf::PT_DYNAMIC) else {
        return Ok(dynamic);
    };
    let size = segment.size - segment.size % ENTRY_LEN;
    let what = "the dynamic section";
    let bytes = elf.reader.read(what, segment.offset, size, limits.dynamic.saturating_mul(ENTRY_LEN))?;
    let entries = pod::slice_from_all_bytes::<Dyn64<LE>>(&bytes).map_err(|()| ElfError::Malformed(what))?;
    let end = entries.iter().position(|entry| entry.d_tag.get(LE) == elf::DT_NULL);
    let entries = entries.get(..end.unwrap_or(entries.len())).unwrap_or_default();
    let strings = Strings { elf: &elf, at: strings_offset(&segments, entries) };
    for entry in entries {
        let value = entry.d_val.get(LE);
        match entry.d_tag.get(LE) {
            elf::DT_NEEDED => {
                let (count, limit) = (dynamic.needed.len() as u64 + 1, limits.libraries as u64);
                if count > limit {
                    return Err(ElfError::TooLarge { what: "the number of libraries", value: count, limit });
                }
                dynamic.needed.push(strings.get(value)?);
            }
            elf::DT_RUNPATH => dynamic.runpath = folders(&strings.get(value)?),
            elf::DT_RPATH => dynamic.rpath = folders(&strings.get(value)?),
            _ => {}
        }
    }
    Ok(dynamic)
}

fn strings_offset(segments: &[Segment], entries: &[Dyn64<LE>]) -> Option<u64> {
    let table = entries.iter().find(|entry| entry.d_tag.get(LE) == elf::DT_STRTAB)?;
    data_offset(segments, table.d_val.get(LE), 1)
}

/// The string table of the dynamic section.
struct Strings<'e> {
    elf: &'e Elf<'e>,
    at: Option<u64>,
}

impl Strings<'_> {
    fn get(&self, index: u64) -> Result<String, ElfError> {
        let at = self.at.ok_or(ElfError::Malformed("a dynamic section without strings"))?;
        self.elf.reader.string("a library's name", at.saturating_add(index), self.elf.limits.string)
    }
}

fn folders(list: &str) -> Vec<String> {
    list.split(':').filter(|folder| !folder.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::testing::{Build, file_of};

    #[test]
    fn libraries_and_their_folders_are_read() {
        let build = Build {
            needed: vec!["libone.so.1".into(), "libtwo.so".into()],
            runpath: Some("$ORIGIN/../lib::/opt/lib".into()),
            interp: Some("/lib64/ld-linux-x86-64.so.2".into()),
            ..Build::default()
        };
        let dynamic = needed(&file_of(&build.bytes()), &Limits::default()).unwrap();
        assert_eq!(dynamic.needed, ["libone.so.1", "libtwo.so"]);
        assert_eq!(dynamic.runpath, ["$ORIGIN/../lib", "/opt/lib"]);
        assert_eq!(dynamic.interp.as_deref(), Some("/lib64/ld-linux-x86-64.so.2"));
    }

    #[test]
    fn a_file_without_a_dynamic_section_needs_nothing() {
        let dynamic = needed(&file_of(&Build::default().bytes()), &Limits::default()).unwrap();
        assert_eq!((dynamic.needed.len(), dynamic.interp), (0, None));
    }

    #[test]
    fn more_libraries_than_the_limit_are_refused() {
        let build = Build { needed: vec!["a".into(); 9], ..Build::default() };
        let limits = Limits { libraries: 8, ..Limits::default() };
        let error = needed(&file_of(&build.bytes()), &limits).unwrap_err();
        assert!(matches!(error, ElfError::TooLarge { value: 9, limit: 8, .. }), "{error}");
    }

    #[test]
    fn this_test_needs_libc() {
        let file = File::open("/proc/self/exe").unwrap();
        let dynamic = needed(&file, &Limits::default()).unwrap();
        assert!(dynamic.needed.iter().any(|name| name.starts_with("libc.so")), "{dynamic:?}");
        assert!(dynamic.interp.unwrap().contains("/ld-"));
    }
}
