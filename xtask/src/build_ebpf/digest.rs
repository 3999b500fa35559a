//! What the object is built from, as one digest.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

/// SHA-256 in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Digest of the sources of the kernel programs, of the versions they link, and of their build profile.
pub(super) fn source(root: &Path) -> Result<String> {
    let mut files = vec![root.join("sidecar-ebpf/Cargo.toml"), root.join("sidecar-common/Cargo.toml")];
    collect(&root.join("sidecar-ebpf/src"), &mut files)?;
    collect(&root.join("sidecar-common/src"), &mut files)?;
    files.sort();
    let mut digest = Sha256::new();
    for path in files {
        let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
        let bytes = fs::read(&path).with_context(|| path.display().to_string())?;
        digest.update(format!("{name}\0{}\0", bytes.len()));
        digest.update(bytes);
    }
    digest.update(versions(&fs::read_to_string(root.join("Cargo.lock"))?));
    digest.update(profile(&fs::read_to_string(root.join("Cargo.toml"))?));
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), files)?;
        } else {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// The locked versions of the kernel-side crates.
fn versions(lock: &str) -> String {
    lock.split("[[package]]")
        .filter(|package| package.contains("name = \"aya-ebpf") || package.contains("name = \"aya-log-ebpf"))
        .flat_map(|package| {
            package.lines().filter(|line| line.starts_with("name") || line.starts_with("version"))
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The build profile's section of the workspace manifest.
fn profile(manifest: &str) -> &str {
    let start = manifest.find("[profile.bpf]").unwrap_or(manifest.len());
    let rest = &manifest[start..];
    rest.find("\n[").map_or(rest, |end| &rest[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_kernel_side_versions_and_the_bpf_profile_count() {
        let lock = "[[package]]\nname = \"aya\"\nversion = \"1\"\n\n[[package]]\nname = \"aya-ebpf\"\nversion = \"2\"\n";
        assert_eq!(versions(lock), "name = \"aya-ebpf\"\nversion = \"2\"");
        assert_eq!(profile("[a]\nb = 1\n[profile.bpf]\nx = 2\n[c]\n"), "[profile.bpf]\nx = 2");
        assert_eq!(profile("[a]\n"), "");
    }

    #[test]
    fn every_change_of_a_source_file_changes_the_digest() {
        let root = std::env::temp_dir().join(format!("sidecar-digest-{}", std::process::id()));
        for folder in ["sidecar-ebpf/src/programs", "sidecar-common/src"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for (name, text) in [
            ("Cargo.lock", ""),
            ("Cargo.toml", "[profile.bpf]\nopt-level = 3\n"),
            ("sidecar-ebpf/Cargo.toml", ""),
            ("sidecar-common/Cargo.toml", ""),
            ("sidecar-ebpf/src/programs/hit.rs", "one"),
            ("sidecar-common/src/lib.rs", "two"),
        ] {
            fs::write(root.join(name), text).unwrap();
        }
        let first = source(&root).unwrap();
        assert_eq!(first, source(&root).unwrap());
        fs::write(root.join("sidecar-ebpf/src/programs/hit.rs"), "uno").unwrap();
        let second = source(&root).unwrap();
        fs::write(root.join("Cargo.toml"), "[profile.bpf]\nopt-level = 2\n").unwrap();
        let third = source(&root).unwrap();
        fs::remove_dir_all(&root).unwrap();
        assert_ne!(first, second);
        assert_ne!(second, third);
    }
}
