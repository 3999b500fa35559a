//! The project's own commands: `cargo xtask --help` lists them. One file (or folder) a command.

mod bench;
mod build_ebpf;
mod demo;
mod libsidecar;
mod process;
mod test;
mod tidy;
mod vm;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own commands.
///
/// Everything a contributor does beyond plain cargo is here. `cargo xtask demo` shows what sidecar is;
/// `cargo xtask test` runs all checks that CI runs, in the same order.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    BuildEbpf(build_ebpf::Args),
    Test(test::Args),
    Bench(bench::Args),
    Demo(demo::Args),
    Libsidecar(libsidecar::Args),
    /// Check the architecture's rules: imports, spawns, file lengths, links, leftovers
    Tidy,
    Vm(vm::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::BuildEbpf(args) => build_ebpf::run(args).map(|()| ExitCode::SUCCESS),
        Command::Test(args) => test::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Libsidecar(args) => libsidecar::run(&args),
        Command::Tidy => tidy::run(),
        Command::Vm(args) => vm::run(&args),
    };
    result.unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        ExitCode::FAILURE
    })
}
