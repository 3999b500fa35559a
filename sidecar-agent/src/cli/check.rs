//! `sidecar check` and `sidecar config`.

use clap::{Args, Subcommand, ValueEnum};
use std::net::SocketAddr;
use std::path::PathBuf;

/// What `sidecar check --help` says first.
pub(super) const LONG_ABOUT: &str = "\
Check a configuration, and show every value that would be in force and where it comes from.

Reads what `sidecar run` would read with the same flags: the defaults, then the file, then the environment, then the \
flags; the later wins. Nothing is started, watched or changed, and no privilege is needed. The first thing that is \
wrong goes to standard error with its file, line, key and reason.";

/// Flags of `sidecar check`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status:
  0    the configuration can be used
  1    the answer could not be written
  2    wrong usage of sidecar
  78   the configuration can't be used; standard error says why

Examples:
  sidecar check                             the defaults and the environment
  sidecar check --config sidecar.yml        before `sidecar run` or a reload
  sidecar check --config sidecar.yml --format json | jq '.values[] | select(.source != \"default\")'")]
pub struct CheckArgs {
    /// Check this file (YAML). Without it, the defaults, the environment and the flags.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// As of `sidecar run`: serve HTTP on this address.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// How to answer, on standard output.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// How `sidecar check` answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line a key: key, value, where it comes from.
    Text,
    /// One JSON object, also where the configuration can't be used.
    Json,
}

/// What `sidecar config --help` says first.
pub(super) const CONFIG_LONG_ABOUT: &str = "\
Print what helps to write a configuration.

Both are made of the same list of keys by which configurations are read, so they fit this version of sidecar. To see \
whether a file is right, use `sidecar check`.";

/// What `sidecar config` prints.
#[derive(Args, Debug)]
#[command(
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  sidecar config default > sidecar.yml
  sidecar config schema > sidecar.schema.json

An editor with a YAML language server checks a file that begins with
  # yaml-language-server: $schema=sidecar.schema.json"
)]
pub struct ConfigArgs {
    /// What to print.
    #[command(subcommand)]
    pub what: Printed,
}

/// What `sidecar config` prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Subcommand)]
pub enum Printed {
    /// Every key with its default, and its range, variable and effect as comments.
    Default,
    /// A JSON schema (draft 2020-12), by which editors complete and check.
    Schema,
}
