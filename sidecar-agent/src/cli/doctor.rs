//! `sidecar doctor`: its flags.

use clap::Args;

/// What `sidecar doctor --help` says first.
pub(super) const LONG_ABOUT: &str = "\
Say what this machine has of what sidecar uses.

Tries each kernel feature, privilege and setting, and says what is lost without it and what mends it. It asks as whoever \
calls it: run it as the agent's user, with the agent's privileges.";

/// Flags of `sidecar doctor`.
#[derive(Args, Debug)]
#[command(after_help = "\
Exit status:
  0    all that is needed is there
  1    something is missing without which nothing can be watched
  2    wrong usage

Examples:
  sudo sidecar doctor
  sudo sidecar doctor --json | jq '.checks[] | select(.state != \"ok\")'")]
pub struct DoctorArgs {
    /// Show the answer as JSON.
    #[arg(long)]
    pub json: bool,
}
