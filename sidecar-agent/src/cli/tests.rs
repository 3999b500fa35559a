//! What the command line accepts, refuses, and says.

use super::*;
use crate::gate::{Filesystems, ProcessOptions};
use clap::CommandFactory;
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::time::Duration;

/// A long help text at a fixed width.
fn help(verb: Option<&str>) -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    match verb {
        None => command.render_long_help().to_string(),
        Some(verb) => command.find_subcommand_mut(verb).unwrap().render_long_help().to_string(),
    }
}

fn exec(args: &[&str]) -> ExecArgs {
    let args = ["sidecar", "exec"].iter().chain(args);
    match Cli::try_parse_from(args).unwrap().verb {
        Verb::Exec(args) => args,
        verb => panic!("{verb:?}"),
    }
}

fn refusal(args: &[&str]) -> clap::Error {
    Cli::try_parse_from([&["sidecar"], args].concat()).unwrap_err()
}

#[test]
fn help_of_the_program() {
    insta::assert_snapshot!(help(None));
}

#[test]
fn help_of_exec() {
    insta::assert_snapshot!(help(Some("exec")));
}

#[test]
fn help_of_run() {
    insta::assert_snapshot!(help(Some("run")));
}

#[test]
fn help_of_check() {
    insta::assert_snapshot!(help(Some("check")));
}

#[test]
fn help_of_config() {
    insta::assert_snapshot!(help(Some("config")));
}

#[test]
fn help_of_the_verbs_that_ask_an_agent() {
    for verb in ["health", "status", "tail", "doctor"] {
        insta::assert_snapshot!(format!("help_of_{verb}"), help(Some(verb)));
    }
}

#[test]
fn help_of_probes() {
    insta::assert_snapshot!(help(Some("probes")));
    for verb in ["inspect", "suggest", "list"] {
        let mut command = Cli::command().term_width(100);
        command.build();
        let probes = command.find_subcommand_mut("probes").unwrap();
        let text = probes.find_subcommand_mut(verb).unwrap().render_long_help().to_string();
        insta::assert_snapshot!(format!("help_of_probes_{verb}"), text);
    }
}

#[test]
fn the_definition_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn no_verb_prints_help_and_fails() {
    let error = refusal(&[]);
    assert_eq!(error.kind(), ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand);
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("sidecar exec -- cargo test"));
}

#[test]
fn the_version_names_the_abi() {
    let error = refusal(&["--version"]);
    assert_eq!(error.exit_code(), 0);
    let (version, abi) = (env!("CARGO_PKG_VERSION"), ABI_VERSION);
    assert_eq!(error.to_string(), format!("sidecar {version} (kernel program ABI {abi})\n"));
}

#[test]
fn exec_without_a_command_is_refused_with_the_usage() {
    for args in [&["exec"][..], &["exec", "--"], &["exec", "--report", "r.jsonl", "--"]] {
        let error = refusal(args);
        assert_eq!(error.exit_code(), 2);
        let text = error.to_string();
        assert!(
            text.contains("<COMMAND>") && text.contains("sidecar exec [OPTIONS] -- COMMAND [ARGS]..."),
            "{text}"
        );
    }
}

#[test]
fn everything_behind_the_dashes_belongs_to_the_command() {
    let args =
        exec(&["--rate", "0.25", "--no-gate", "--", "cargo", "test", "--report", "x", "--", "--nocapture"]);
    assert_eq!(args.command, ["cargo", "test", "--report", "x", "--", "--nocapture"]);
    assert_eq!((args.rate, args.no_gate, args.report), (0.25, true, None));
}

#[test]
fn the_dashes_may_be_left_out_before_a_plain_command() {
    let args = exec(&["--deadline-ms", "50", "cargo", "test", "--report", "x"]);
    assert_eq!(args.command, ["cargo", "test", "--report", "x"]);
    assert_eq!((args.deadline(), args.report), (Duration::from_millis(50), None));
}

#[test]
fn a_flag_that_sidecar_does_not_have_is_refused_and_not_taken_for_the_command() {
    let error = refusal(&["exec", "--reprot", "r.jsonl", "--", "true"]);
    assert_eq!((error.kind(), error.exit_code()), (ErrorKind::UnknownArgument, 2));
    assert!(error.to_string().contains("--report"), "it names the near one: {error}");
}

#[test]
fn values_out_of_range_are_refused() {
    for args in [
        ["--rate", "1.5"],
        ["--rate", "-0.1"],
        ["--rate", "NaN"],
        ["--rate", "often"],
        ["--deadline-ms", "0"],
        ["--deadline-ms", "60001"],
        ["--progress", "sometimes"],
        ["--log-level", "trace"],
    ] {
        let error = refusal(&[&["exec"], &args[..], &["--", "true"]].concat());
        assert_eq!(error.exit_code(), 2, "{args:?}");
    }
    assert_eq!(refusal(&["run", "--listen", "9808"]).exit_code(), 2);
    assert_eq!(exec(&["--rate", "0", "--", "true"]).rate, 0.0);
}

#[test]
fn a_command_need_not_be_utf8() {
    use std::os::unix::ffi::OsStringExt;
    let odd = OsString::from_vec(b"\xff\xfe".to_vec());
    let args = ["sidecar", "exec", "--"].map(OsString::from).into_iter().chain([odd.clone()]);
    let Verb::Exec(exec) = Cli::try_parse_from(args).unwrap().verb else { panic!("not exec") };
    assert_eq!(exec.command, [odd]);
}

#[test]
fn the_log_level_depends_on_the_verb_unless_it_is_given() {
    let level = |args: &[&str]| Cli::try_parse_from([&["sidecar"], args].concat()).unwrap().log_level();
    assert_eq!(level(&["exec", "--", "true"]), LogLevel::Warn);
    assert_eq!(level(&["run"]), LogLevel::Info);
    assert_eq!(level(&["--log-level", "debug", "run"]), LogLevel::Debug);
    assert_eq!(level(&["exec", "--log-level", "error", "--", "true"]), LogLevel::Error);
}

#[test]
fn the_gate_process_understands_what_the_agent_passes() {
    for filesystems in [Filesystems::Local, Filesystems::Only(vec!["/a b".into(), "--only".into()])] {
        let options = ProcessOptions {
            agent: 77,
            deadline: Duration::from_millis(1_500),
            max_held: 9,
            tree_map: filesystems == Filesystems::Local,
            node: filesystems == Filesystems::Local,
            files: vec!["/a b/*".to_owned(), "--node".to_owned()],
            filesystems,
        };
        let args = ["sidecar", "gate-process"].map(OsString::from).into_iter().chain(options.to_args());
        let Verb::GateProcess(args) = Cli::try_parse_from(args).unwrap().verb else {
            panic!("not gate-process")
        };
        assert_eq!(ProcessOptions::from(args), options);
    }
}
