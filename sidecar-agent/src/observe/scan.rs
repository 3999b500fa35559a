//! What is on this machine already: running processes, files in use.

use std::{collections::HashSet, fs::File, path::Path};

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
    for pid in processes() {
        let mut add = |path: String| {
            if let Ok(id) = File::open(path).and_then(|file| identify(&file)) {
                found.insert((id.dev, id.ino));
            }
        };
        add(format!("/proc/{pid}/exe"));
        let Ok(maps) = std::fs::read(format!("/proc/{pid}/maps")) else { continue };
        for line in String::from_utf8_lossy(&maps).lines() {
            let mut words = line.split_ascii_whitespace();
            let (Some(range), Some(rights), _, Some(device), Some(inode)) =
                (words.next(), words.next(), words.next(), words.next(), words.next())
            else {
                continue;
            };
            // The device there is not the one that `stat` names on every file system, so the file itself is asked.
            if rights.contains('x') && inode != "0" && seen.insert((device.to_owned(), inode.to_owned())) {
                add(format!("/proc/{pid}/map_files/{range}"));
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
