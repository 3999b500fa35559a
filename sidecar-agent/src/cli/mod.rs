//! The command line: verbs, flags, and their help. Nothing here does anything; `main` dispatches.

mod check;
mod client;
mod doctor;
mod exec;
mod gate_process;
mod probes;
mod run;
#[cfg(test)]
mod tests;

pub use check::{CheckArgs, ConfigArgs, Format, Printed};
pub use client::{AgentArgs, HealthArgs, StatusArgs, TailArgs};
pub use doctor::DoctorArgs;
pub use exec::ExecArgs;
pub use gate_process::GateProcessArgs;
pub use probes::{InspectArgs, ListArgs, ProbesArgs, ProbesVerb, SuggestArgs};
pub use run::RunArgs;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sidecar_common::ABI_VERSION;
use std::path::PathBuf;
use std::sync::LazyLock;

/// The program's version and that of the ABI between agent and kernel programs.
static VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{} (kernel program ABI {ABI_VERSION})", env!("CARGO_PKG_VERSION")));

/// Watches tests from outside, through eBPF.
///
/// Tests and programs tell what they do through USDT markers. sidecar attaches to the markers, turns each hit
/// into an event and a metric, and changes nothing about the tests: not their output, not their exit status,
/// and not their fate if sidecar itself fails.
#[derive(Debug, Parser)]
#[command(
    name = "sidecar",
    version = VERSION.as_str(),
    arg_required_else_help = true,
    subcommand_required = true,
    disable_help_subcommand = true,
    propagate_version = true,
    after_help = "\
Examples:
  sidecar exec -- cargo test                          watch one test run, then sum it up
  sidecar exec --report r.jsonl -- cargo nextest run  the same, and keep every event
  sidecar run --config sidecar.yml                    watch this node until stopped
  sidecar check --config sidecar.yml                  is it right, and what would be in force?
  sidecar tail --status failed                        show failures as that agent sees them

Watching needs root (or CAP_BPF, CAP_PERFMON and CAP_SYS_ADMIN). Without it, `exec` runs its command all the same.
`sidecar VERB --help` tells more of each verb."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// Flags of every verb.
    #[command(flatten)]
    pub global: GlobalArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run a command and watch it and all it starts.
    #[command(long_about = exec::LONG_ABOUT)]
    Exec(ExecArgs),
    /// Watch this node until SIGTERM or SIGINT.
    #[command(long_about = run::LONG_ABOUT)]
    Run(RunArgs),
    /// Check a configuration, and show what would be in force.
    #[command(long_about = check::LONG_ABOUT)]
    Check(CheckArgs),
    /// Print an example of a configuration, or its JSON schema.
    #[command(long_about = check::CONFIG_LONG_ABOUT)]
    Config(ConfigArgs),
    /// Ask a running agent how it is.
    #[command(long_about = client::HEALTH_ABOUT)]
    Health(HealthArgs),
    /// Show what a running agent does.
    #[command(long_about = client::STATUS_ABOUT)]
    Status(StatusArgs),
    /// Show the events of a running agent as they come.
    #[command(long_about = client::TAIL_ABOUT)]
    Tail(TailArgs),
    /// Show what can be probed in a program, and what a running agent probes.
    #[command(long_about = probes::LONG_ABOUT)]
    Probes(ProbesArgs),
    /// Say what this machine has of what sidecar uses.
    #[command(long_about = doctor::LONG_ABOUT)]
    Doctor(DoctorArgs),
    /// Hold programs until they are watched; started by `exec` itself.
    #[command(hide = true)]
    GateProcess(GateProcessArgs),
}

/// Flags of every verb.
#[derive(Args, Debug)]
pub struct GlobalArgs {
    /// How much sidecar says of itself, on standard error [default: warn for exec, info for run].
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Global options")]
    pub log_level: Option<LogLevel>,
    /// Load this BPF object instead of the built-in one. For debugging and CI.
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub bpf_object: Option<PathBuf>,
}

/// How much sidecar says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Only what made it fail.
    Error,
    /// Also what is missing from its work.
    Warn,
    /// Also what it does.
    Info,
    /// Also why.
    Debug,
}

/// When to show something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum When {
    /// If there is somebody to see it.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// Not at all.
    Never,
}

impl Cli {
    /// The log level in force.
    #[must_use]
    pub fn log_level(&self) -> LogLevel {
        self.global.log_level.unwrap_or(match self.verb {
            Verb::Exec(_)
            | Verb::GateProcess(_)
            | Verb::Check(_)
            | Verb::Config(_)
            | Verb::Health(_)
            | Verb::Status(_)
            | Verb::Tail(_)
            | Verb::Probes(_)
            | Verb::Doctor(_) => LogLevel::Warn,
            Verb::Run(_) => LogLevel::Info,
        })
    }
}
