//! Where the dynamic loader looks for libraries (ld.so(8)).
//!
//! Left out: the folders `glibc-hwcaps`, and entries with `$LIB` or `$PLATFORM`. A library that only they
//! lead to is not found before a program maps it.

use std::path::{Component, Path, PathBuf};

use super::{Arch, Limits, arch, open};

/// Where the dynamic loader looks for libraries, apart from what the programs themselves say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SearchPath {
    /// From `LD_LIBRARY_PATH`, unexpanded.
    library_path: Vec<String>,
    /// From `ld.so.conf`, then the loader's own.
    folders: Vec<PathBuf>,
}

/// The loader's own folders. Distributions differ; a folder that does not exist costs one failed look-up.
const DEFAULT_FOLDERS: [&str; 4] = ["/lib64", "/usr/lib64", "/lib", "/usr/lib"];
/// Debian's folders, for each processor.
const MULTIARCH: [&str; 2] = ["x86_64-linux-gnu", "aarch64-linux-gnu"];
/// Longest configuration file of the loader that is read.
const CONF_MAX: u64 = 64 << 10;
/// Most folders that the loader's configuration may name.
const FOLDERS_MAX: usize = 512;
/// How deep configuration files may include each other.
const INCLUDE_MAX: usize = 8;
/// Most configuration files that are read.
const FILES_MAX: usize = 256;

impl SearchPath {
    /// This machine's folders and a program's `LD_LIBRARY_PATH`.
    #[must_use]
    pub fn system(library_path: Option<&str>) -> Self {
        Self::new(library_path, Path::new("/etc/ld.so.conf"))
    }

    /// The folders of a loader configuration and a program's `LD_LIBRARY_PATH`. A configuration that can't be
    /// read counts as empty, as it does for the loader.
    #[must_use]
    pub fn new(library_path: Option<&str>, conf: &Path) -> Self {
        // The loader also takes a semicolon, and an empty entry for the working folder, which is not known here.
        let library_path =
            library_path.unwrap_or_default().split([':', ';']).filter(|entry| !entry.is_empty());
        let mut found = Conf { folders: Vec::new(), files: 0 };
        found.read(conf, 0);
        let mut folders = found.folders;
        for name in MULTIARCH {
            folders.extend(["/lib", "/usr/lib"].map(|folder| Path::new(folder).join(name)));
        }
        folders.extend(DEFAULT_FOLDERS.map(PathBuf::from));
        Self { library_path: library_path.map(str::to_owned).collect(), folders }
    }

    /// Path of a library for a processor, for a name as in a configuration (`libpython3.11.so.1.0`).
    #[must_use]
    pub fn find(&self, name: &str, arch: Arch, limits: &Limits) -> Option<PathBuf> {
        self.find_for(name, arch, limits, &[], Path::new("/"), &[])
    }

    /// Path of the library `name` that a file in the folder `origin` needs.
    pub(super) fn find_for(
        &self,
        name: &str,
        arch: Arch,
        limits: &Limits,
        rpath: &[PathBuf],
        origin: &Path,
        runpath: &[String],
    ) -> Option<PathBuf> {
        if name.contains('/') {
            let path = expand(name, origin)?;
            return fits(&path, arch, limits).then_some(path);
        }
        let before = rpath.iter().cloned();
        let environment = self.library_path.iter().filter_map(|entry| expand(entry, origin));
        let own = runpath.iter().filter_map(|entry| expand(entry, origin));
        let folders = before.chain(environment).chain(own).chain(self.folders.iter().cloned());
        folders.map(|folder| folder.join(name)).find(|path| fits(path, arch, limits))
    }
}

/// Replaces `$ORIGIN` and `${ORIGIN}`. None if it names another variable, or no absolute path comes out.
pub(super) fn expand(entry: &str, origin: &Path) -> Option<PathBuf> {
    let origin = origin.to_str()?;
    let text = entry.replace("${ORIGIN}", origin).replace("$ORIGIN", origin);
    let path = Path::new(&text);
    let plain = !entry.replace("${ORIGIN}", "").replace("$ORIGIN", "").contains('$');
    (plain && path.is_absolute()).then(|| path.to_owned())
}

/// Whether a path leads to a program or library for this processor; the loader passes over others.
fn fits(path: &Path, wanted: Arch, limits: &Limits) -> bool {
    open(path).is_ok_and(|file| arch(&file, limits).is_ok_and(|arch| arch == wanted))
}

/// What the loader's configuration names so far.
struct Conf {
    folders: Vec<PathBuf>,
    files: usize,
}

impl Conf {
    /// Adds what one configuration file names, and the files that it includes.
    fn read(&mut self, path: &Path, depth: usize) {
        if depth > INCLUDE_MAX || self.files >= FILES_MAX {
            return;
        }
        self.files += 1;
        for line in read_small(path).unwrap_or_default().lines() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if let Some(pattern) = line.strip_prefix("include").filter(|rest| rest.starts_with([' ', '\t'])) {
                for included in included(path, pattern.trim()) {
                    self.read(&included, depth + 1);
                }
            } else if !line.starts_with("hwcap") {
                let named =
                    line.split([' ', '\t', ':', ',']).map(Path::new).filter(|path| path.is_absolute());
                let room = FOLDERS_MAX.saturating_sub(self.folders.len());
                self.folders.extend(named.take(room).map(Path::to_owned));
            }
        }
    }
}

fn read_small(path: &Path) -> Option<String> {
    use std::io::Read as _;

    let mut bytes = Vec::new();
    open(path).ok()?.take(CONF_MAX).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The files that a pattern names, sorted. Wildcards count in the last part of the path only.
fn included(conf: &Path, pattern: &str) -> Vec<PathBuf> {
    let pattern = conf.parent().unwrap_or(Path::new("/")).join(pattern);
    let (Some(folder), Some(Component::Normal(name))) = (pattern.parent(), pattern.components().next_back())
    else {
        return Vec::new();
    };
    let Some(glob) = name.to_str().and_then(|name| globset::Glob::new(name).ok()) else {
        return Vec::new();
    };
    let matcher = glob.compile_matcher();
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(FILES_MAX);
    let mut files: Vec<_> =
        entries.filter(|entry| matcher.is_match(entry.file_name())).map(|entry| entry.path()).collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::testing::Build;

    #[test]
    fn origin_is_expanded_and_other_variables_are_not_understood() {
        let origin = Path::new("/opt/app/bin");
        for (entry, path) in [
            ("$ORIGIN/../lib", Some("/opt/app/bin/../lib")),
            ("${ORIGIN}/lib", Some("/opt/app/bin/lib")),
            ("/usr/lib", Some("/usr/lib")),
            ("$LIB/x", None),
            ("/lib/$PLATFORM", None),
            ("relative", None),
        ] {
            assert_eq!(expand(entry, origin), path.map(PathBuf::from), "{entry}");
        }
    }

    #[test]
    fn configuration_files_are_read_with_their_includes_and_loops_end() {
        let dir = tempfile::tempdir().unwrap();
        let conf = dir.path().join("ld.so.conf");
        let parts = dir.path().join("conf.d");
        std::fs::create_dir(&parts).unwrap();
        std::fs::write(&conf, "include conf.d/*.conf\n/first # why\nhwcap 0 nosegneg\nrelative\n").unwrap();
        std::fs::write(parts.join("b.conf"), "/b1:/b2, /b3\n").unwrap();
        std::fs::write(parts.join("a.conf"), "# nothing\n/a\n").unwrap();
        std::fs::write(parts.join("ignored.txt"), "/ignored\n").unwrap();
        let search = SearchPath::new(None, &conf);
        let expected = ["/a", "/b1", "/b2", "/b3", "/first", "/lib/x86_64-linux-gnu"].map(PathBuf::from);
        assert_eq!(search.folders[..6], expected);

        std::fs::write(&conf, "/loop\ninclude ld.so.conf\n").unwrap();
        let search = SearchPath::new(None, &conf);
        assert_eq!(search.folders.iter().filter(|folder| folder.ends_with("loop")).count(), 1 + INCLUDE_MAX);
        assert!(SearchPath::new(None, Path::new("/no/such/file")).folders.len() >= DEFAULT_FOLDERS.len());
    }

    #[test]
    fn a_file_of_another_processor_or_no_elf_file_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let folders = ["a", "b", "c"].map(|name| dir.path().join(name));
        for (folder, bytes) in folders.iter().zip([
            b"not ELF".to_vec(),
            Build { arch: Arch::Aarch64, ..Build::default() }.bytes(),
            Build::default().bytes(),
        ]) {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join("libx.so"), bytes).unwrap();
        }
        let list = folders.map(|folder| folder.display().to_string()).join(":");
        let search = SearchPath::new(Some(&list), Path::new("/no/such/file"));
        let found = search.find("libx.so", Arch::X86_64, &Limits::default());
        assert_eq!(found, Some(dir.path().join("c/libx.so")));
        assert_eq!(search.find("no-such-library.so", Arch::X86_64, &Limits::default()), None);
    }
}
