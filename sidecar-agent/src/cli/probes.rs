//! `sidecar probes`: what a file or a process offers, a configuration for it, and what an agent watches.

use clap::{Args, Subcommand};
use std::path::PathBuf;

use super::AgentArgs;

/// What `sidecar probes --help` says first.
pub(super) const LONG_ABOUT: &str = "\
Show what can be probed in a program, and what a running agent probes.";

/// What `sidecar probes inspect --help` says first.
const INSPECT_ABOUT: &str = "\
Show the markers of a file or of a running process, and functions by name.

Of each: where a probe would go and what a hit costs the program, and what can't be probed and why. Nothing is attached, \
and no privilege is needed beyond reading the file; a process of somebody else needs root. Of a process, its program and \
every library that it has mapped are shown, as they are in its own mount namespace.";

/// What `sidecar probes suggest --help` says first.
const SUGGEST_ABOUT: &str = "\
Print a configuration for the markers of a file, and for functions by name.

It can be used as it is: `sidecar check` accepts it. What an argument means is not in the file, so each is a number \
until somebody says otherwise; comments tell what it could be. Markers that sidecar knows need no word.";

/// What `sidecar probes list --help` says first.
const LIST_ABOUT: &str = "\
Show what a running agent probes: markers and functions, where they are attached, hits, faults, and cost.

The cost of a probe is its hits times the mean run time of the agent's kernel program, which the kernel measures in short \
windows for all probes together. The trap that leads there comes on top: `sidecar probes inspect` tells its price.";

/// Flags of `sidecar probes`.
#[derive(Args, Debug)]
#[command(disable_help_subcommand = true, subcommand_required = true, arg_required_else_help = true)]
pub struct ProbesArgs {
    /// What to show.
    #[command(subcommand)]
    pub what: ProbesVerb,
}

/// What `sidecar probes` shows.
#[derive(Debug, Subcommand)]
pub enum ProbesVerb {
    /// Show the markers of a file or of a running process, and functions by name.
    #[command(long_about = INSPECT_ABOUT)]
    Inspect(InspectArgs),
    /// Print a configuration for the markers of a file.
    #[command(long_about = SUGGEST_ABOUT)]
    Suggest(SuggestArgs),
    /// Show what a running agent probes.
    #[command(long_about = LIST_ABOUT)]
    List(ListArgs),
}

/// Flags of `sidecar probes inspect`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status:
  0    shown
  1    the file or the process can't be read, or the answer can't be written
  2    wrong usage

Examples:
  sidecar probes inspect target/debug/deps/app-0123456789abcdef
  sidecar probes inspect /usr/lib/x86_64-linux-gnu/libgtest.so --functions 'testing::*::OnTestEnd(*)'
  sidecar probes inspect app --functions '/^app::\\w+::handle/' --json
  sudo sidecar probes inspect 4711")]
pub struct InspectArgs {
    /// A file, or the number of a process. A file whose name is a number is ./NUMBER.
    #[arg(value_name = "FILE|PID")]
    pub target: PathBuf,
    /// Also show functions: a name (mangled or demangled), a glob over demangled names, a regular expression between
    /// slashes, or +0xOFFSET in the file. Can be repeated.
    #[arg(long, value_name = "PATTERN")]
    pub functions: Vec<String>,
    /// Show the answer as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Flags of `sidecar probes suggest`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status:
  0    printed
  1    the file can't be read, or the answer can't be written
  2    wrong usage

Examples:
  sidecar probes suggest /usr/bin/python3 > sidecar.yml
  sidecar check --config sidecar.yml
  sidecar probes suggest app --functions 'checkout::*' --functions '/^db::.*query$/'")]
pub struct SuggestArgs {
    /// The file.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Also watch functions: a name, a glob, a regular expression between slashes, or +0xOFFSET, as for `inspect`. Can be
    /// repeated.
    #[arg(long, value_name = "PATTERN")]
    pub functions: Vec<String>,
}

/// Flags of `sidecar probes list`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status:
  0    shown
  2    not reachable, refused, or wrong usage

Examples:
  sudo sidecar probes list
  sudo sidecar probes list --json | jq '.probes[] | select(.hits > 0)'")]
pub struct ListArgs {
    /// Which agent is asked.
    #[command(flatten)]
    pub agent: AgentArgs,
    /// Show the answers as one JSON object.
    #[arg(long)]
    pub json: bool,
}
