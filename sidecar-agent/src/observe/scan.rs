//! What is on this machine already: running processes, files in use.

use std::{collections::HashSet, fs::File, path::Path};

use super::process::{Process, mapped};
use crate::elf::{Arch, identify};

/// The processor that this program runs on.
pub(super) const fn own_arch() -> Arch {
    if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 }
}

/// Process ids in this pid namespace.
pub(super) fn processes() -> Vec<u32> {
    let Ok(entries) = Path::new("/proc").read_dir() else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Device and inode, as in an [`crate::elf::ImageId`], of the files whose code processes have mapped: their programs and
/// libraries.
pub(super) fn mapped_files() -> HashSet<(u64, u64)> {
    let mut seen = HashSet::new();
    let mut found = HashSet::new();
    let mut add = |file: File| {
        if let Ok(id) = identify(&file) {
            found.insert((id.dev, id.ino));
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
        assert!(mapped.contains(&(own.dev, own.ino)));
        assert!(mapped.len() > 1, "the C library is mapped too");
    }
}
