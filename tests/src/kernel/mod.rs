//! What the tests and benchmarks of the kernel programs share: markers to fire, programs that fire them, and the
//! kernel side loaded with specs that are written by hand.

pub mod notes;
pub mod program;
pub mod raw;
pub mod reading;
pub mod record;
pub mod session;
pub mod spec;
pub mod trial;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};

/// Divides the number of hits of the longest tests, for a machine that is emulated and takes 50 times as long for each.
pub const FEWER_HITS_VARIABLE: &str = "SIDECAR_TEST_FEWER_HITS";

/// As many hits as a test wants, or as many fewer as the environment says.
#[must_use]
pub fn hits(wanted: u64) -> u64 {
    let fewer = std::env::var(FEWER_HITS_VARIABLE).ok().and_then(|text| text.parse::<u64>().ok());
    wanted / fewer.unwrap_or(1).max(1)
}

/// A program of this crate that cargo has built beside the running one.
///
/// # Errors
/// When it is not there.
pub fn built(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe().context("the path of this program")?;
    let mut folder = own.parent().context("the folder of this program")?;
    if folder.file_name().is_some_and(|name| name == "deps") {
        folder = folder.parent().context("the folder above deps")?;
    }
    let path = folder.join(name);
    ensure!(path.is_file(), "{} is missing: cargo build -p sidecar-tests builds it", path.display());
    Ok(path)
}
