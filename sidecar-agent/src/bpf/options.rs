//! What is asked of the kernel side when it is loaded.

use std::path::PathBuf;

/// Which processes are watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every process on the node.
    Node,
    /// This process and all that descend from it from now on.
    Tree,
}

/// How to load.
#[derive(Clone, Debug)]
pub struct LoadOptions {
    /// Size of the ring in bytes: a power of two, at least a page.
    pub ring_bytes: u32,
    /// Number of specs.
    pub max_specs: u32,
    /// Number of histograms.
    pub max_histograms: u32,
    /// Number of processes that a tree holds.
    pub max_processes: u32,
    /// Number of starts that are held until their test's end: a multiple of [`sidecar_common::HELD_WAYS`].
    pub max_held: u32,
    /// Number of calls that are remembered until they return: a multiple of [`sidecar_common::FRAME_WAYS`].
    pub max_frames: u32,
    /// Which processes are watched.
    pub scope: Scope,
    /// Write a record for each exec of a watched process.
    pub exec_records: bool,
    /// Write a record for each exit of a watched process.
    pub exit_records: bool,
    /// Tests end with their process, where the kernel tells how it ended ([`super::Features::exits`]).
    pub follow_exits: bool,
    /// An object that takes the embedded one's place.
    pub object: Option<PathBuf>,
    /// Leave `uprobe_multi` unused, as on a kernel that lacks it.
    pub no_uprobe_multi: bool,
    /// Leave sleepable programs unused, as on a kernel that lacks them.
    pub no_sleepable: bool,
}

/// What the ring keeps free at least for records that are precious, where that is no more than a quarter of it: three of
/// the largest.
const LEAST_RESERVE: u32 = 64 << 10;

/// Variables that leave a feature unused, as on a kernel that lacks it: for diagnosis, and for tests.
const NO_UPROBE_MULTI: &str = "SIDECAR_NO_UPROBE_MULTI";
/// See [`NO_UPROBE_MULTI`].
const NO_SLEEPABLE: &str = "SIDECAR_NO_SLEEPABLE";

impl LoadOptions {
    /// The defaults, without the features that the environment says to leave unused.
    #[must_use]
    pub fn from_environment() -> Self {
        let says = |name| std::env::var_os(name).is_some_and(|value| value == "1");
        Self { no_uprobe_multi: says(NO_UPROBE_MULTI), no_sleepable: says(NO_SLEEPABLE), ..Self::default() }
    }

    /// Ring bytes up to which records find room that are kept by their rate only: seven eighths, of a small ring at least
    /// three quarters. The rest is for failures with their starts, and for anomalies that programs report.
    #[must_use]
    pub fn sampled_room(&self) -> u32 {
        let ring = self.ring_bytes;
        ring - (ring / 8).max(LEAST_RESERVE).min(ring / 4)
    }

    /// Sets of slots for held starts; one at least.
    pub(super) fn held_sets(&self) -> u32 {
        (self.max_held / sidecar_common::HELD_WAYS as u32).max(1)
    }

    /// Sets of slots for calls that have not returned.
    pub(super) fn frame_sets(&self) -> u32 {
        self.max_frames / sidecar_common::FRAME_WAYS as u32
    }
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            ring_bytes: 2 << 20,
            max_specs: 4096,
            max_histograms: 256,
            max_processes: 65_536,
            max_held: sidecar_common::MAX_HELD,
            max_frames: 0,
            scope: Scope::Node,
            exec_records: false,
            exit_records: false,
            follow_exits: false,
            object: None,
            no_uprobe_multi: false,
            no_sleepable: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_eighth_of_the_ring_is_for_what_is_precious_and_more_of_a_small_one() {
        let room = |ring_bytes| LoadOptions { ring_bytes, ..LoadOptions::default() }.sampled_room();
        assert_eq!(room(2 << 20), (2 << 20) - (256 << 10));
        assert_eq!(room(1 << 31), (1 << 31) - (1 << 28));
        assert_eq!(room(512 << 10), (512 - 64) << 10);
        assert_eq!(room(64 << 10), 48 << 10);
        assert_eq!(room(4096), 3072);
    }
}
