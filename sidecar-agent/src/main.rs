//! The program `sidecar`.

use clap::Parser;
use sidecar_agent::cli::{Cli, Verb};
use sidecar_agent::gate::{Ancestry, ProcessOptions};

fn main() -> anyhow::Result<()> {
    match Cli::parse().verb {
        Verb::GateProcess(args) => {
            let options = ProcessOptions::from(args);
            let mut tree = Ancestry::new(options.agent);
            Ok(sidecar_agent::gate::run(&options, |pid| tree.contains(pid))?)
        }
        Verb::Exec(_) => anyhow::bail!("`exec` is not part of this build"),
        Verb::Run(_) => anyhow::bail!("`run` is not part of this build"),
    }
}
