//! The separate debug file of a stripped program: by build id, or by the name and checksum that it carries.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use object::LittleEndian as LE;
use object::elf::{self, FileHeader64};
use object::read::elf::NoteIterator;

use super::super::header::{Elf, Sections};
use super::super::notes::{BUILD_ID_MAX, read_build_id};
use super::super::{Limits, open_in};
use super::FunctionLimits;

/// Where distributions put debug files.
const FOLDER: &str = "/usr/lib/debug";
const BUILD_ID_SECTION: &[u8] = b".note.gnu.build-id";
const LINK_SECTION: &[u8] = b".gnu_debuglink";
/// Longest `.gnu_debuglink`: a file name, padding, and the checksum.
const LINK_MAX: u64 = 4 << 10;
/// Bytes that are read at once for a checksum.
const PIECE: u64 = 1 << 20;

/// Where to look for the debug file of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DebugFiles {
    /// In this order. Links in a root stay in it.
    roots: Vec<PathBuf>,
    /// Path of the program, as seen in the first root.
    image: Option<PathBuf>,
}

/// An open debug file that belongs to a program.
pub(super) struct DebugFile {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

impl DebugFiles {
    /// Nowhere.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// On this machine, for a program at this path.
    #[must_use]
    pub fn system(image: &Path) -> Self {
        Self { roots: vec![PathBuf::from("/")], image: Some(image.to_owned()) }
    }

    /// In the root of a process (`/proc/PID/root`), then on this machine, for a program at this path in that root.
    #[must_use]
    pub fn in_root(root: &Path, image: &Path) -> Self {
        Self { roots: vec![root.to_owned(), PathBuf::from("/")], image: Some(image.to_owned()) }
    }

    /// The debug file of a program. What was found and does not fit is told in `passed_over`.
    pub(super) fn find(
        &self,
        elf: &Elf<'_>,
        sections: &Sections,
        most: &FunctionLimits,
        end: Instant,
        passed_over: &mut Vec<String>,
    ) -> Option<DebugFile> {
        let id = build_id(elf, sections);
        let link = link(elf, sections);
        for root in &self.roots {
            let by_id = id.as_deref().and_then(by_build_id).into_iter().map(|path| (path, None));
            let image = self.image.as_deref();
            let by_name = link.iter().flat_map(|(name, checksum)| {
                by_name(image, name).into_iter().map(|path| (path, Some(*checksum)))
            });
            for (inside, checksum) in by_id.chain(by_name) {
                let Ok(file) = open_in(root, &inside) else { continue };
                let path = root.join(inside.strip_prefix("/").unwrap_or(&inside));
                match fits(&file, elf.limits, most, end, id.as_deref(), checksum) {
                    Ok(()) => return Some(DebugFile { file, path }),
                    Err(why) => passed_over.push(format!("{}: {why}", path.display())),
                }
            }
        }
        None
    }
}

/// Whether a file is the debug file of a program, or why not.
fn fits(
    file: &File,
    limits: &Limits,
    most: &FunctionLimits,
    end: Instant,
    id: Option<&[u8]>,
    checksum: Option<u32>,
) -> Result<(), String> {
    let elf = Elf::open(file, limits).map_err(|error| error.to_string())?;
    let sections = elf.sections().map_err(|error| error.to_string())?;
    // Without a build id of the program only the checksum tells.
    if id.is_some() && build_id(&elf, &sections).as_deref() != id {
        return Err("its build id is not the program's".into());
    }
    match checksum {
        None => Ok(()),
        Some(wanted) => match crc32(file, elf.reader.len, most.checksum, end)? {
            found if found == wanted => Ok(()),
            _ => Err("its checksum is not the one that the program names".into()),
        },
    }
}

fn crc32(file: &File, len: u64, most: u64, end: Instant) -> Result<u32, String> {
    if len > most {
        return Err(format!("it has {len} bytes, more than the limit of {most} for a checksum"));
    }
    let mut hasher = crc32fast::Hasher::new();
    let mut at = 0;
    while at < len {
        if Instant::now() >= end {
            return Err("taking its checksum took too long".into());
        }
        let size = usize::try_from(PIECE.min(len - at)).unwrap_or_default();
        let mut bytes = vec![0; size];
        file.read_exact_at(&mut bytes, at).map_err(|error| error.to_string())?;
        hasher.update(&bytes);
        at += size as u64;
    }
    Ok(hasher.finalize())
}

/// The build id by its section, which a debug file still has; its segments lead nowhere.
fn build_id(elf: &Elf<'_>, sections: &Sections) -> Option<Vec<u8>> {
    let section = sections.all().iter().find(|section| {
        section.sh_type.get(LE) == elf::SHT_NOTE && sections.is_named(section, BUILD_ID_SECTION)
    });
    let Some(section) = section else { return read_build_id(elf, &elf.segments().ok()?) };
    let limit = elf.limits.note as u64;
    let data = elf.reader.read("the build id", section.sh_offset.get(LE), section.sh_size.get(LE), limit);
    let data = data.ok()?;
    let mut notes = NoteIterator::<FileHeader64<LE>>::new(LE, 4, &data).ok()?.map_while(Result::ok);
    let id =
        notes.find(|note| note.name() == elf::ELF_NOTE_GNU && note.n_type(LE) == elf::NT_GNU_BUILD_ID)?;
    (1..=BUILD_ID_MAX).contains(&id.desc().len()).then(|| id.desc().to_vec())
}

/// Name and checksum of the debug file, as the program says.
fn link(elf: &Elf<'_>, sections: &Sections) -> Option<(String, u32)> {
    let section = sections.all().iter().find(|section| sections.is_named(section, LINK_SECTION))?;
    let (offset, size) = (section.sh_offset.get(LE), section.sh_size.get(LE));
    let data = elf.reader.read("the debug link", offset, size, LINK_MAX).ok()?;
    let end = data.iter().position(|&byte| byte == 0)?;
    let name = std::str::from_utf8(data.get(..end)?).ok()?;
    let checksum = data.get((end + 1).next_multiple_of(4)..)?.first_chunk()?;
    // A name with a path could lead anywhere.
    let is_plain = !name.is_empty() && !name.contains('/') && name != "." && name != "..";
    is_plain.then(|| (name.to_owned(), u32::from_le_bytes(*checksum)))
}

fn by_build_id(id: &[u8]) -> Option<PathBuf> {
    let (first, rest) = id.split_first().filter(|(_, rest)| !rest.is_empty())?;
    let rest: String = rest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(PathBuf::from(format!("{FOLDER}/.build-id/{first:02x}/{rest}.debug")))
}

fn by_name(image: Option<&Path>, name: &str) -> Vec<PathBuf> {
    let Some(folder) = image.filter(|path| path.is_absolute()).and_then(Path::parent) else {
        return Vec::new();
    };
    let below = Path::new(FOLDER).join(folder.strip_prefix("/").unwrap_or(folder));
    vec![folder.join(".debug").join(name), below.join(name), folder.join(name)]
}
