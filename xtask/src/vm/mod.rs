//! `cargo xtask vm`: the kernel tests on another kernel, Debian's, in a machine that qemu emulates.
//!
//! One file a thing: `kernels` fetches the kernel, `programs` builds what is run, `tree` lays out the guest's files and
//! `cpio` packs them, `qemu` is the machine, `run` waits for it, `console` reads what it says, `guest` is its side, `choice` says which tests it runs.

mod choice;
mod console;
mod cpio;
mod guest;
mod kernels;
mod programs;
mod qemu;
mod run;
mod tree;

use std::{fs, io::BufWriter, process::ExitCode, time::Instant};

use anyhow::{Context, Result};

use crate::{process, test::Counts};
use kernels::Kernel;
pub(crate) use qemu::is_provided;

/// Where kernels and files are kept.
const FOLDER: &str = "target/vm";

/// Run the kernel tests on another kernel, in a machine that qemu emulates
///
/// Fetches Debian's cloud kernel of that version, makes an initramfs of the agent, the kernel tests and the libraries that
/// they load, boots it and sums what the tests say. No KVM is needed. The last line is `N passed, M failed, K skipped`;
/// the whole console is in target/vm. docs/kernels.md says what came of it on which kernel.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The kernel
    #[arg(long, value_enum, default_value_t = Kernel::Old)]
    kernel: Kernel,
    /// Run one test program only
    #[arg(long, value_name = "NAME", value_parser = choice::names())]
    test: Option<String>,
    /// Run only tests whose names contain this
    filter: Option<String>,
}

/// What came of a run.
pub(crate) struct Ran {
    /// Tests by outcome.
    pub(crate) counts: Counts,
    /// What failed besides single tests.
    pub(crate) faults: Vec<String>,
}

/// Runs the verb.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let tests: Vec<&str> = choice::names()
        .into_iter()
        .filter(|&test| args.test.as_deref().is_none_or(|one| one == test))
        .collect();
    let ran = boot(args.kernel, &tests, args.filter.as_deref())?;
    for fault in &ran.faults {
        println!("FAILED: {fault}");
    }
    println!("{}", ran.counts);
    let red = ran.counts.failed > 0 || !ran.faults.is_empty();
    Ok(if red { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// All kernel tests on the oldest kernel.
pub(crate) fn on_the_oldest() -> Result<Ran> {
    boot(Kernel::Old, &choice::names(), None)
}

fn boot(kernel: Kernel, tests: &[&str], filter: Option<&str>) -> Result<Ran> {
    let folder = process::root().join(FOLDER);
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    qemu::provide()?;
    let image = kernels::provide(kernel, &folder.join("kernels"))?;
    let programs = programs::build(tests)?;
    let object = process::root().join("sidecar-agent/bpf/sidecar.bpf.o");
    let tree = tree::Tree::fill(folder.join(format!("root-{}", kernel.version())), &programs, &object)?;
    tree.text(guest::JOB, &guest::job(tests, filter), 0o644)?;
    let files = folder.join(format!("initramfs-{}.cpio", kernel.version()));
    let mut archive = BufWriter::new(fs::File::create(&files).with_context(|| files.display().to_string())?);
    cpio::write(tree.root(), &mut archive)?;
    std::io::Write::flush(&mut archive)?;

    let log = folder.join(format!("console-{}.log", kernel.version()));
    println!("booting {}; its console is kept in {FOLDER}/console-{}.log", image.display(), kernel.version());
    let begun = Instant::now();
    let console = run::run(&mut qemu::command(&image, &files), &log)?;
    println!("the machine ran for {} s", begun.elapsed().as_secs());
    if filter.is_none() {
        for (test, reason) in
            tests.iter().flat_map(|test| choice::of(test).reasons().into_iter().map(move |r| (test, r)))
        {
            println!("not run on {}: of {test} {reason}", kernel.version());
        }
    }
    Ok(Ran { counts: console.counts, faults: console.faults })
}
