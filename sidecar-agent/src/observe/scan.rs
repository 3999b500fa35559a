//! What is on this machine already: running processes, files in use.

use std::{collections::HashSet, fs::File, path::Path};

use super::process::{Process, mapped};
use crate::elf::{Arch, ImageId, OVERLAY, identify};

/// The processor that this program runs on.
pub(super) const fn own_arch() -> Arch {
    if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 }
}

/// Process ids in this pid namespace.
pub(super) fn processes() -> Vec<u32> {
    let Ok(entries) = Path::new("/proc").read_dir() else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Device and inode, as in an [`ImageId`], of files.
#[derive(Debug, Default)]
pub(super) struct Files(HashSet<(u64, u64)>);

impl Files {
    /// Whether a file is among them, or may be: as an overlay shows it, or one that an overlay shows.
    pub(super) fn has(&self, id: &ImageId) -> bool {
        let is_shown = |ino: &u64| ino & u64::from(u32::MAX) == id.ino & u64::from(u32::MAX);
        self.0.contains(&(id.dev, id.ino))
            || self.0.contains(&(OVERLAY, id.ino & u64::from(u32::MAX)))
            || id.dev == OVERLAY && self.0.iter().any(|(_, ino)| is_shown(ino))
    }
}

/// The files whose code processes have mapped: their programs and libraries.
pub(super) fn mapped_files() -> Files {
    let mut seen = HashSet::new();
    let mut found = Files::default();
    let mut add = |file: File| {
        if let Ok(id) = identify(&file) {
            found.0.insert((id.dev, id.ino));
        }
    };
    for pid in processes() {
        let Ok(process) = Process::open(pid) else { continue };
        if let Ok((file, _)) = process.executable() {
            add(file);
        }
        let Ok(maps) = process.maps() else { continue };
        for mapped in mapped(&maps) {
            // The device there is not the one that `stat` names on every file system, so the file itself is asked.
            if seen.insert(mapped.key.to_owned())
                && let Ok(file) = process.open_mapped(&mapped)
            {
                add(file);
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_running_and_executes_its_file() {
        assert!(processes().contains(&std::process::id()));
        let own = identify(&File::open("/proc/self/exe").unwrap()).unwrap();
        let mapped = mapped_files();
        assert!(mapped.has(&own));
        assert!(mapped.0.len() > 1, "the C library is mapped too");
    }

    #[test]
    fn a_file_is_in_use_where_an_overlay_shows_it_too() {
        let id = |dev, ino| ImageId { dev, ino, size: 1, mtime_ns: 1, ctime_ns: 1 };
        let files = Files([(7, 1), (OVERLAY, 2)].into());
        for (dev, ino, expected) in
            [(7, 1, true), (8, 1, false), (7, 2, true), (OVERLAY, 1, true), (OVERLAY, 3, false)]
        {
            assert_eq!(files.has(&id(dev, ino)), expected, "{dev} {ino}");
        }
    }
}
