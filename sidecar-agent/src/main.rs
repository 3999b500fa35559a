//! The program `sidecar`: reads the command line and dispatches.

use std::{io::IsTerminal as _, process::ExitCode};

use clap::Parser;
use sidecar_agent::{
    bpf::Tree,
    check,
    cli::{Cli, LogLevel, ProbesVerb, Verb},
    client, doctor,
    exec::{self, signals::Signals},
    gate::{self, Ancestry, Files, ProcessOptions},
    privilege, probes, run,
};
use tracing::level_filters::LevelFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let level = match cli.log_level() {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(false);
    let object = cli.global.bpf_object;
    match cli.verb {
        Verb::GateProcess(args) => answer(gate_process(ProcessOptions::from(args))),
        Verb::Exec(args) => {
            // Before any thread starts, so that each of them leaves the signals alone.
            let signals = match Signals::take() {
                Ok(signals) => signals,
                Err(error) => return answer(Err(anyhow::anyhow!("taking over the signals: {error}"))),
            };
            log.without_time().init();
            exec::verb::run(&args, object, &signals)
        }
        Verb::Run(args) => {
            log.init();
            match run::run(&args, object) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    let code = error.exit_code();
                    answer(Err(error.into()));
                    ExitCode::from(code)
                }
            }
        }
        Verb::Check(args) => match check::check(&args, &mut std::io::stdout(), &mut std::io::stderr()) {
            Ok(code) => ExitCode::from(code),
            Err(error) => answer(Err(error.into())),
        },
        Verb::Config(args) => {
            answer(check::print(&args, &mut std::io::stdout()).map_err(anyhow::Error::from))
        }
        Verb::Health(args) => client::health(&args),
        Verb::Status(args) => client::status(&args),
        Verb::Tail(args) => client::tail(&args),
        Verb::Probes(args) => {
            let (out, err) = (&mut std::io::stdout(), &mut std::io::stderr());
            let done = match args.what {
                ProbesVerb::List(args) => return client::probes(&args),
                ProbesVerb::Inspect(args) => probes::inspect(&args, out, err),
                ProbesVerb::Suggest(args) => probes::suggest(&args, out, err),
            };
            match done {
                Ok(code) => ExitCode::from(code),
                Err(error) => answer(Err(error.into())),
            }
        }
        Verb::Doctor(args) => doctor::run(&args, &mut std::io::stdout())
            .unwrap_or_else(|error| answer(Err(anyhow::anyhow!("writing the answer: {error}")))),
    }
}

fn answer(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sidecar: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Holds programs until they are watched: those of the node, or of a tree. The tree of watched processes is the kernel's
/// own map if the agent has handed it down, else what /proc tells.
fn gate_process(options: ProcessOptions) -> anyhow::Result<()> {
    // It does its work with what it has; what it can't give up it does not use.
    let _ = privilege::give_up_unused(privilege::Part::Gate);
    let files = Files::new(&options.files);
    let mut ancestry = Ancestry::new(options.agent);
    // Made at the first question, because the gate closes the descriptors that it was started with.
    let mut kernel: Option<Option<Tree>> = None;
    gate::run(&options, |pid, file| {
        if options.node {
            return files.hold(file);
        }
        let tree = kernel.get_or_insert_with(|| {
            let tree = options.tree_map.then(gate::tree_map)?.ok()?;
            // In a pid namespace of its own the agent knows other numbers than the kernel's map; then /proc must do.
            Tree::from_descriptor(tree).ok().filter(|tree| tree.contains(options.agent))
        });
        match tree {
            Some(tree) => tree.contains(pid),
            None => ancestry.contains(pid),
        }
    })?;
    Ok(())
}
