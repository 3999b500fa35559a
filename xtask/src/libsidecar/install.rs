//! Puts the C library where programs look for it, with what tells compilers, pkg-config and CMake of it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Built, read};
use crate::process;

/// Where files are written that will be found in `prefix`.
pub(super) fn staged(destdir: Option<&Path>, prefix: &Path) -> PathBuf {
    destdir.map_or_else(|| prefix.to_path_buf(), |root| root.join(prefix.strip_prefix("/").unwrap_or(prefix)))
}

/// Installs all files and says where they are.
pub(super) fn install(built: &Built, prefix: &Path, to: &Path) -> Result<()> {
    let root = process::root();
    let clients = root.join("clients/cpp");
    put(&root.join("sidecar-markers/include/sidecar.h"), &to.join("include/sidecar.h"))?;
    for (from, under) in [("include/sidecar", "include/sidecar"), ("src", "share/sidecar")] {
        for file in files(&clients.join(from))? {
            let name = file.file_name().context("a file without a name")?;
            put(&file, &to.join(under).join(name))?;
        }
    }

    let lib = to.join("lib");
    let (soname, version) = (built.abi.soname(), built.abi.full_version());
    let name = format!("libsidecar.so.{version}");
    put(&built.shared, &lib.join(&name))?;
    link(&name, &lib.join(&soname))?;
    link(&soname, &lib.join("libsidecar.so"))?;
    put(&built.fixed, &lib.join("libsidecar.a"))?;

    let filled = |template: &str| {
        let text = template.replace("@VERSION@", &version);
        text.replace("@SONAME@", &soname).replace("@PREFIX@", &prefix.display().to_string())
    };
    let templates = clients.join("install");
    for (template, place) in [
        ("sidecar.pc.in", "pkgconfig/sidecar.pc"),
        ("sidecar-config.cmake.in", "cmake/sidecar/sidecar-config.cmake"),
        ("sidecar-config-version.cmake.in", "cmake/sidecar/sidecar-config-version.cmake"),
    ] {
        write(&lib.join(place), filled(&read(&templates.join(template))?).as_bytes())?;
    }
    println!("installed libsidecar {version} under {}", to.display());
    Ok(())
}

/// The files of a folder, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

fn put(from: &Path, to: &Path) -> Result<()> {
    write(to, &fs::read(from).with_context(|| format!("cannot read {}", from.display()))?)
}

/// Writes a file in the old one's place, which programs may have open.
fn write(to: &Path, bytes: &[u8]) -> Result<()> {
    let failed = || format!("cannot write {}", to.display());
    let folder = to.parent().with_context(failed)?;
    fs::create_dir_all(folder).with_context(failed)?;
    let mut fresh = to.as_os_str().to_owned();
    fresh.push(".new");
    fs::write(&fresh, bytes).with_context(failed)?;
    fs::rename(&fresh, to).with_context(failed)
}

/// A symbolic link beside the file that it names.
fn link(name: &str, to: &Path) -> Result<()> {
    if to.symlink_metadata().is_ok() {
        fs::remove_file(to).with_context(|| format!("cannot replace {}", to.display()))?;
    }
    std::os::unix::fs::symlink(name, to).with_context(|| format!("cannot link {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_staged_below_a_folder_and_found_without_it() {
        let prefix = Path::new("/usr/local");
        assert_eq!(staged(None, prefix), prefix);
        assert_eq!(staged(Some(Path::new("/tmp/x")), prefix), Path::new("/tmp/x/usr/local"));
    }
}
