//! Looks at the libraries that a process has mapped: those of which its file says nothing (`dlopen`), and those of
//! another mount namespace.

use std::{io, os::unix::ffi::OsStrExt, path::Path};

use super::{
    process::{Process, mapped},
    shared::Shared,
};
use crate::mapping::is_own_library;

/// Whether a mapped file is one of these libraries: absolute paths or file names. `libx.so.1` is `libx.so.1.2` too, for
/// the file behind a library's name has its whole version.
fn is_wanted(wanted: &[String], path: &Path) -> bool {
    let is = |whole: &[u8], name: &[u8]| {
        whole.strip_prefix(name).is_some_and(|rest| rest.is_empty() || matches!(rest[0], b'.' | b' '))
    };
    let whole = path.as_os_str().as_bytes();
    let file = whole.rsplit(|&byte| byte == b'/').next().unwrap_or(whole);
    is_own_library(file)
        || wanted.iter().any(|name| is(if name.starts_with('/') { whole } else { file }, name.as_bytes()))
}

/// Attaches to those libraries that a process has mapped and that are wanted.
///
/// # Errors
/// The process has ended.
pub(super) fn consider_mapped(shared: &Shared, process: &Process, wanted: &[String]) -> io::Result<()> {
    let maps = process.maps()?;
    if maps.is_empty() {
        // It has ended, or is the kernel's own.
        return Err(io::ErrorKind::NotFound.into());
    }
    for mapped in mapped(&maps).filter(|mapped| is_wanted(wanted, mapped.path)) {
        // It may be unmapped again.
        if let Ok(file) = process.open_mapped(&mapped) {
            shared.consider_with(&file, mapped.path, &process.debug_files(mapped.path));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_known_by_path_or_name_and_with_its_whole_version() {
        let wanted = ["libx.so.1", "/opt/liby.so"].map(str::to_owned);
        let is = |path: &str| is_wanted(&wanted, Path::new(path));
        for path in ["/usr/lib/libx.so.1", "/a/libx.so.1.2.3", "/opt/liby.so", "/a/libx.so.1 (deleted)"] {
            assert!(is(path), "{path}");
        }
        for path in
            ["/usr/lib/libx.so.10", "/usr/lib/libx.so", "/usr/lib/liby.so", "/liblibx.so.1", "/a/mylibx.so.1"]
        {
            assert!(!is(path), "{path}");
        }
        assert!(!is_wanted(&[], Path::new("/usr/lib/libx.so.1")));
        assert!(is_wanted(&[], Path::new("/venv/_sidecar_native.abi3.so (deleted)")));
    }
}
