//! `cargo xtask build-ebpf`: builds the kernel programs from their source.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::process;

/// Build the kernel programs, or check the committed object against their source
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Change nothing: fail when the committed object does not come from the source as it is
    #[arg(long)]
    check: bool,
    /// Install what the build needs and this machine lacks
    #[arg(long)]
    install: bool,
    /// Features of the kernel programs to switch on, for debugging
    #[arg(long, value_name = "NAME")]
    features: Vec<String>,
}

/// Where `build-ebpf --check` leaves the object that it built from source.
pub(crate) fn rebuilt_object() -> PathBuf {
    process::root().join("target/ebpf/sidecar.bpf.o")
}

/// Runs the verb.
pub(crate) fn run(args: Args) -> Result<()> {
    bail!(
        "this tree has no kernel programs to build (check: {}, install: {}, features: {:?})",
        args.check,
        args.install,
        args.features
    )
}
