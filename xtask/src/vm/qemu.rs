//! The machine: qemu with its software emulation, because CI's own machines are guests without a guest of their own.

use std::{path::Path, process::Command};

use anyhow::{Result, bail};

use crate::process;

const PROGRAM: &str = "qemu-system-x86_64";
const PACKAGE: &str = "qemu-system-x86";
/// Memory in MiB: the files take 0.3 GiB, and tests hold rings and copies of programs.
const MEMORY: u32 = 3072;
/// Processors, as CI's machine has.
const PROCESSORS: u32 = 2;
/// Words for the kernel: its messages from errors on to the console, an end in place of a wait when it panics, and
/// nothing that only costs time under emulation.
const KERNEL_WORDS: &str =
    "console=ttyS0 panic=-1 quiet loglevel=4 mitigations=off init_on_alloc=0 kfence.sample_interval=0";

/// Whether qemu is there.
pub(crate) fn is_provided() -> bool {
    process::which(PROGRAM).is_some()
}

/// Sees to it that qemu is there.
pub(super) fn provide() -> Result<()> {
    if is_provided() {
        return Ok(());
    }
    if !process::is_root() || process::which("apt-get").is_none() {
        bail!("{PROGRAM} is missing; on Debian: apt-get install --no-install-recommends {PACKAGE}");
    }
    println!("installing {PACKAGE}");
    process::success(&mut process::command(["apt-get", "update", "-qq"]))?;
    let mut install =
        process::command(["apt-get", "install", "-y", "-qq", "--no-install-recommends", PACKAGE]);
    process::success(install.env("DEBIAN_FRONTEND", "noninteractive"))
}

/// The machine as a command. Its console is its standard output.
pub(super) fn command(kernel: &Path, files: &Path) -> Command {
    let mut command = process::command([PROGRAM]);
    command
        .args(["-accel", "tcg,thread=multi,tb-size=512", "-cpu", "qemu64"])
        .args(["-smp", &PROCESSORS.to_string(), "-m", &MEMORY.to_string()])
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-no-reboot"])
        .args(["-append", KERNEL_WORDS])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(files);
    command
}
