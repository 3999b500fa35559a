//! The libraries that a program will map when it starts, found before it does.

use std::collections::{HashSet, VecDeque};
use std::fs::File;
use std::path::{Path, PathBuf};

use super::resolve::expand;
use super::{ElfError, ImageId, Limits, SearchPath, identify, needed, open};

/// The libraries of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Libraries {
    /// The dynamic loader, then the libraries in the order in which the loader meets them.
    pub found: Vec<PathBuf>,
    /// What was not found, or could not be read.
    pub missing: Vec<MissingLibrary>,
}

/// A library that a program needs and that was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingLibrary {
    /// Its name.
    pub name: String,
    /// Why not.
    pub why: String,
}

/// One file whose libraries are still to be found.
struct Pending {
    path: PathBuf,
    /// Folders from the DT_RPATH of the files that led here.
    rpath: Vec<PathBuf>,
    depth: usize,
}

/// Finds the libraries that a program needs, and those that they need. `path` is where the program is
/// (`$ORIGIN` is its folder).
///
/// # Errors
/// The program itself can't be read. A library that can't is listed as missing.
pub fn libraries(
    file: &File,
    path: &Path,
    search: &SearchPath,
    limits: &Limits,
) -> Result<Libraries, ElfError> {
    let mut result = Libraries::default();
    let mut seen = Seen::default();
    let program = needed(file, limits)?;
    let arch = program.arch;
    if let Some(interp) = program.interp.as_deref().map(PathBuf::from).filter(|path| path.is_absolute()) {
        match open(&interp).and_then(|file| identify(&file)) {
            Ok(id) => {
                // Libraries name the loader by its file name too.
                seen.names.extend(interp.file_name().map(|name| name.to_string_lossy().into_owned()));
                seen.files.insert(id);
                result.found.push(interp);
            }
            Err(error) => {
                let why = error.to_string();
                result.missing.push(MissingLibrary { name: interp.display().to_string(), why });
            }
        }
    }
    let mut queue = VecDeque::from([Pending { path: real(path), rpath: Vec::new(), depth: 0 }]);
    let mut dynamic = Some(program);
    while let Some(pending) = queue.pop_front() {
        let current = match dynamic.take() {
            Some(program) => program,
            None => match read(&pending.path, limits) {
                Ok(current) => current,
                Err(why) => {
                    let name = pending.path.display().to_string();
                    result.missing.push(MissingLibrary { name, why });
                    continue;
                }
            },
        };
        let origin = pending.path.parent().unwrap_or(Path::new("/"));
        // A DT_RPATH counts for all that is needed from here on; a DT_RUNPATH switches it off for this file.
        let mut rpath = pending.rpath;
        if current.runpath.is_empty() {
            let own = current.rpath.iter().filter_map(|entry| expand(entry, origin));
            rpath.splice(..0, own);
            rpath.truncate(limits.libraries);
        }
        let searched: &[PathBuf] = if current.runpath.is_empty() { &rpath } else { &[] };
        for name in current.needed {
            if seen.names.len() >= limits.libraries {
                let why = format!("more than the limit of {} libraries", limits.libraries);
                result.missing.push(MissingLibrary { name, why });
                return Ok(result);
            }
            if !seen.names.insert(name.clone()) {
                continue;
            }
            let found = search.find_for(&name, arch, limits, searched, origin, &current.runpath);
            let Some(found) = found else {
                result.missing.push(MissingLibrary { name, why: "in none of the loader's folders".into() });
                continue;
            };
            if seen.is_new(&found) {
                if pending.depth < limits.depth {
                    let (path, rpath) = (real(&found), rpath.clone());
                    queue.push_back(Pending { path, rpath, depth: pending.depth + 1 });
                }
                result.found.push(found);
            }
        }
    }
    Ok(result)
}

/// Names that were looked for, and files that were found.
#[derive(Default)]
struct Seen {
    names: HashSet<String>,
    files: HashSet<ImageId>,
}

impl Seen {
    fn is_new(&mut self, path: &Path) -> bool {
        open(path).and_then(|file| identify(&file)).is_ok_and(|id| self.files.insert(id))
    }
}

fn read(path: &Path, limits: &Limits) -> Result<super::Dynamic, String> {
    let file = open(path).map_err(|error| error.to_string())?;
    needed(&file, limits).map_err(|error| error.to_string())
}

/// A path without links, as the loader makes it for `$ORIGIN`; the path itself where that fails.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::testing::Build;

    fn write(path: &Path, needed: &[&str], runpath: Option<&str>) {
        let needed = needed.iter().map(|&name| name.to_owned()).collect();
        let build = Build { needed, runpath: runpath.map(str::to_owned), ..Build::default() };
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, build.bytes()).unwrap();
    }

    fn resolve(program: &Path, limits: &Limits) -> Libraries {
        let search = SearchPath::new(None, Path::new("/no/such/file"));
        libraries(&open(program).unwrap(), program, &search, limits).unwrap()
    }

    #[test]
    fn libraries_of_libraries_are_found_once_and_loops_end() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().canonicalize().unwrap();
        write(&dir.join("bin/program"), &["libsc-a.so", "libsc-none.so"], Some("$ORIGIN/../lib"));
        write(&dir.join("lib/libsc-a.so"), &["libsc-b.so", "libsc-a.so"], Some("${ORIGIN}/deep"));
        write(&dir.join("lib/deep/libsc-b.so"), &["libsc-a.so"], Some("$ORIGIN/.."));
        let libraries = resolve(&dir.join("bin/program"), &Limits::default());
        let found = ["bin/../lib/libsc-a.so", "lib/deep/libsc-b.so"].map(|path| dir.join(path));
        assert_eq!(libraries.found, found);
        assert_eq!(libraries.missing.len(), 1);
        assert_eq!(libraries.missing[0].name, "libsc-none.so");
    }

    #[test]
    fn depth_and_number_of_libraries_are_bounded() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..10 {
            let next = format!("libsc-{}.so", i + 1);
            write(&dir.path().join(format!("libsc-{i}.so")), &[&next], Some("$ORIGIN"));
        }
        let program = dir.path().join("libsc-0.so");
        let limits = Limits { depth: 3, ..Limits::default() };
        assert_eq!(resolve(&program, &limits).found.len(), 4);
        let limits = Limits { libraries: 5, ..Limits::default() };
        let libraries = resolve(&program, &limits);
        assert_eq!(libraries.found.len(), 5);
        assert!(libraries.missing[0].why.contains("limit of 5"), "{:?}", libraries.missing);
    }

    #[test]
    fn the_libraries_of_this_test_are_the_ones_it_has_mapped() {
        let file = File::open("/proc/self/exe").unwrap();
        let exe = std::env::current_exe().unwrap();
        let libraries = libraries(&file, &exe, &SearchPath::system(None), &Limits::default()).unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        for path in &libraries.found {
            let path = path.canonicalize().unwrap();
            assert!(maps.contains(path.to_str().unwrap()), "{} is not mapped", path.display());
        }
        assert!(libraries.found.len() >= 2 && libraries.missing.is_empty(), "{libraries:?}");
    }
}
