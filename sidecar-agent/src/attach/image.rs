//! What is read of an image before probes are put on it.

use std::{
    cell::RefCell,
    collections::{HashMap, hash_map::DefaultHasher},
    fs::File,
    hash::{Hash as _, Hasher as _},
    path::Path,
    sync::Arc,
};

use super::{
    Reason, Remark, RemarkKind,
    functions::{Found, FoundFunctions, Wanted, find},
};
use crate::elf::{
    Arch, DebugFiles, ElfError, ImageNotes, Limits, Note, read_notes_where, sample, symbol_addresses,
};

/// Symbols of one image that are looked up at most: each look-up reads the image's table.
const MOST_SYMBOLS: usize = 32;

/// The wanted markers and functions of a file.
pub(super) struct Reading {
    pub(super) notes: ImageNotes,
    pub(super) functions: Vec<Found>,
    /// A hash of the markers and functions, and of the instructions at their sites.
    pub(super) print: u64,
}

/// Why there is nothing to attach.
pub(super) enum Unread {
    /// No ELF file, or none with a wanted marker or function.
    Nothing,
    /// It can't be used.
    Refused {
        reason: Reason,
        message: String,
        /// The answer holds for as long as the file stays as it is.
        lasting: bool,
    },
}

impl Unread {
    fn refused(reason: Reason, lasting: bool, message: impl ToString) -> Self {
        Self::Refused { reason, message: message.to_string(), lasting }
    }
}

/// Reads the markers of a file that `wanted` names, and looks for functions, also by the symbols of a debug file. `path`
/// is only for people. What is worth a word about functions goes into `remarks`.
pub(super) fn read(
    file: &File,
    path: &Path,
    limits: &Limits,
    wanted: impl FnMut(&str, &str) -> bool,
    functions: (&[Arc<Wanted>], &DebugFiles),
    remarks: &mut Vec<Remark>,
) -> Result<Reading, Unread> {
    let notes = match read_notes_where(file, limits, wanted) {
        Ok(notes) => notes,
        // Scripts, data: nothing to attach, and nothing to tell.
        Err(ElfError::NotElf | ElfError::NotAFile | ElfError::Kind(_)) => return Err(Unread::Nothing),
        Err(error @ ElfError::Changed) => return Err(Unread::refused(Reason::Changed, false, error)),
        Err(error @ ElfError::Io { .. }) => return Err(Unread::refused(Reason::Unreadable, false, error)),
        Err(error) => return Err(Unread::refused(Reason::Unusable, true, error)),
    };
    let (functions, debug) = functions;
    for (what, why) in &notes.skipped {
        tracing::debug!("{path:?}: {what:?}: {why}");
    }
    let FoundFunctions { found: functions, remarks: more } = match find(file, limits, functions, debug) {
        Ok(found) => found,
        Err(error @ ElfError::Changed) => return Err(Unread::refused(Reason::Changed, false, error)),
        Err(error) => {
            let key = functions.first().map(|wanted| wanted.mapping.key.clone()).unwrap_or_default();
            let message = error.to_string();
            remarks.push(Remark { key, kind: RemarkKind::Unreadable, message });
            FoundFunctions::default()
        }
    };
    remarks.extend(more);
    if notes.notes.is_empty() && functions.is_empty() {
        return Err(Unread::Nothing);
    }
    if Some(notes.arch) != own_arch() {
        return Err(Unread::refused(Reason::Foreign, true, "it is for another processor"));
    }
    let print = print(file, &notes.notes, &functions)
        .ok_or_else(|| Unread::refused(Reason::Unreadable, false, "its instructions can't be read"))?;
    Ok(Reading { notes, functions, print })
}

/// A hash of markers and functions and of the instructions at their sites, or `None` if they can't be read.
pub(super) fn print(file: &File, notes: &[Note], functions: &[Found]) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    let entries = functions.iter().map(|found| found.function.entry.offset);
    let mut offsets: Vec<u64> = notes.iter().map(|note| note.offset).chain(entries).collect();
    offsets.sort_unstable();
    sample(file, &offsets, &mut hasher).ok()?;
    for Note { provider, name, args, address, offset, semaphore } in notes {
        (provider, name, args, address, offset, semaphore).hash(&mut hasher);
    }
    for Found { wanted, function, returns } in functions {
        (&wanted.mapping.key, &function.name, function.entry.offset, returns).hash(&mut hasher);
    }
    Some(hasher.finish())
}

/// Addresses of an image's symbols, each looked up once, and no more than [`MOST_SYMBOLS`] of them.
pub(super) struct Symbols<'f> {
    file: &'f File,
    limits: &'f Limits,
    known: RefCell<HashMap<String, Option<u64>>>,
}

impl<'f> Symbols<'f> {
    pub(super) fn new(file: &'f File, limits: &'f Limits) -> Self {
        Self { file, limits, known: RefCell::default() }
    }

    pub(super) fn address(&self, name: &str) -> Option<u64> {
        if let Some(address) = self.known.borrow().get(name) {
            return *address;
        }
        if self.known.borrow().len() >= MOST_SYMBOLS {
            return None;
        }
        let names = [name.to_owned()];
        let address =
            symbol_addresses(self.file, self.limits, &names).ok().and_then(|mut found| found.remove(name));
        self.known.borrow_mut().insert(name.to_owned(), address);
        address
    }
}

/// The processor that this program runs on.
const fn own_arch() -> Option<Arch> {
    if cfg!(target_arch = "x86_64") {
        Some(Arch::X86_64)
    } else if cfg!(target_arch = "aarch64") {
        Some(Arch::Aarch64)
    } else {
        None
    }
}
