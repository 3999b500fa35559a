//! What is suggested for real programs is a configuration that `sidecar check` accepts.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use sidecar_tests::agent;
use sidecar_tests::node::scratch::Scratch;

use crate::ask::{probes, said};

/// Debian's, which has markers.
pub(crate) const PYTHON: Python = Python("/usr/bin/python3");

/// A path that may be missing.
pub(crate) struct Python(&'static str);

impl Python {
    pub(crate) fn exists(&self) -> bool {
        Path::new(self.0).exists()
    }
}

/// The suggestion for a file, after `sidecar check` has accepted it.
fn accepted(file: &Path) -> Result<String> {
    let scratch = Scratch::new()?;
    let suggestion = probes(&["suggest".as_ref(), file.as_os_str()])?;
    assert_eq!((suggestion.code, suggestion.err.as_str()), (Some(0), ""), "{suggestion:?}");
    let config = scratch.path("sidecar.yml");
    std::fs::write(&config, &suggestion.out)?;
    let checked = said(Command::new(agent::path()?).args(["check", "--config"]).arg(&config))?;
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), ""), "{}", suggestion.out);
    Ok(suggestion.out)
}

pub(crate) fn nextest_path() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join("cargo-nextest")).find(|path| path.is_file())
}

pub(crate) fn nextest() -> Result<()> {
    let text = accepted(&nextest_path().context("cargo-nextest")?)?;
    assert!(text.contains("markers are known to sidecar"), "{text}");
    assert!(!text.contains("marker: \"test-attempt"), "known ones need no word: {text}");
    Ok(())
}

pub(crate) fn python() -> Result<()> {
    let text = accepted(Path::new(PYTHON.0))?;
    if text.contains("probes: []") {
        println!("this python3 has no markers");
    } else {
        assert!(text.contains("provider: \"python\"") && text.contains("files: ["), "{text}");
    }
    Ok(())
}

/// libc, which every dynamic program has mapped, and libstdc++ beside it.
pub(crate) fn library_paths() -> Option<[PathBuf; 2]> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    let libc = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .find(|path| path.contains("/libc.so"))?;
    let libc = PathBuf::from(libc);
    let names = [libc.with_file_name("libstdc++.so.6"), PathBuf::from("/usr/lib64/libstdc++.so.6")];
    Some([libc, names.into_iter().find(|path| path.exists())?])
}

pub(crate) fn libraries() -> Result<()> {
    let [libc, libstdcpp] = library_paths().context("libraries")?;
    accepted(&libc)?;
    let text = accepted(&libstdcpp)?;
    if !text.contains("probes: []") {
        assert!(
            text.contains("provider: \"libstdcxx\"") && text.contains("libraries: [\"libstdc++.so"),
            "{text}"
        );
    }
    Ok(())
}
