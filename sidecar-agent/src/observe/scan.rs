//! What is on this machine already: configured files, running processes, files in use.

use std::{
    collections::HashSet,
    fs::File,
    path::{Component, Path, PathBuf},
};

use globset::{GlobBuilder, GlobMatcher};

use crate::elf::{Arch, identify};

/// Files that one glob may match.
const MOST_FILES: usize = 10_000;
/// Folders below the first wildcard.
const DEEPEST: usize = 16;

/// The processor that this program runs on.
pub(super) const fn own_arch() -> Arch {
    if cfg!(target_arch = "aarch64") { Arch::Aarch64 } else { Arch::X86_64 }
}

/// Existing files that the globs of absolute paths match. `*` stays within a folder, `**` does not.
pub(super) fn files(globs: &[String]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for glob in globs {
        match GlobBuilder::new(glob).literal_separator(true).build() {
            Ok(compiled) => {
                let before = found.len();
                walk(&base(glob), &compiled.compile_matcher(), 0, &mut found);
                if found.len() == before {
                    tracing::info!(
                        "discovery.files: nothing matches {glob} yet; programs are looked at as they start"
                    );
                }
            }
            Err(error) => tracing::warn!("discovery.files: {glob}: {error}"),
        }
        if found.len() >= MOST_FILES {
            tracing::warn!("discovery.files: more than {MOST_FILES} files match; the others are left out");
            break;
        }
    }
    found
}

/// The part of a glob before its first wildcard.
fn base(glob: &str) -> PathBuf {
    let plain =
        |component: &Component<'_>| !component.as_os_str().to_string_lossy().contains(['*', '?', '[', '{']);
    Path::new(glob).components().take_while(plain).collect()
}

fn walk(path: &Path, glob: &GlobMatcher, depth: usize, found: &mut Vec<PathBuf>) {
    if found.len() >= MOST_FILES || depth > DEEPEST {
        return;
    }
    if path.is_file() {
        if glob.is_match(path) {
            found.push(path.to_owned());
        }
        return;
    }
    let Ok(entries) = path.read_dir() else { return };
    for entry in entries.flatten() {
        // Links are not followed into folders, so that a loop ends.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_file = !is_folder && entry.path().is_file();
        if is_folder || is_file {
            walk(&entry.path(), glob, depth + 1, found);
        }
    }
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
    fn globs_find_files_and_stay_within_their_folder() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for name in ["a/one.bin", "a/b/two.bin", "a/three.txt"] {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::os::unix::fs::symlink(&root, root.join("a/loop")).unwrap();
        let find = |glob: &str| {
            let mut found = files(&[format!("{}/{glob}", root.display())]);
            found.sort();
            found
                .into_iter()
                .map(|path| path.strip_prefix(&root).unwrap().display().to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(find("a/*.bin"), ["a/one.bin"]);
        assert_eq!(find("a/**/*.bin"), ["a/b/two.bin", "a/one.bin"]);
        assert_eq!(find("a/one.bin"), ["a/one.bin"]);
        assert_eq!(find("none/*"), Vec::<String>::new());
        assert_eq!(files(&["[".to_owned()]), Vec::<PathBuf>::new());
    }

    #[test]
    fn this_process_is_running_and_executes_its_file() {
        assert!(processes().contains(&std::process::id()));
        let own = identify(&File::open("/proc/self/exe").unwrap()).unwrap();
        let mapped = mapped_files();
        assert!(mapped.contains(&(own.dev, own.ino)));
        assert!(mapped.len() > 1, "the C library is mapped too");
    }
}
