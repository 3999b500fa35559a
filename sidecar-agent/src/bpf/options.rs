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
    /// Number of starts that are held until their test's end.
    pub max_held: u32,
    /// Which processes are watched.
    pub scope: Scope,
    /// Write a record for each exec of a watched process.
    pub exec_records: bool,
    /// Write a record for each exit of a watched process.
    pub exit_records: bool,
    /// An object that takes the embedded one's place.
    pub object: Option<PathBuf>,
    /// Leave `uprobe_multi` unused, as on a kernel that lacks it.
    pub no_uprobe_multi: bool,
    /// Leave sleepable programs unused, as on a kernel that lacks them.
    pub no_sleepable: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            ring_bytes: 2 << 20,
            max_specs: 4096,
            max_histograms: 256,
            max_processes: 65_536,
            max_held: sidecar_common::MAX_HELD,
            scope: Scope::Node,
            exec_records: false,
            exit_records: false,
            object: None,
            no_uprobe_multi: false,
            no_sleepable: false,
        }
    }
}
