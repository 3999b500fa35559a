//! `sidecar probes inspect` and `suggest` as a user has them: the built program on real files and processes. Nothing is
//! attached, so no kernel feature is needed.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.

mod ask;
mod files;
mod processes;
mod suggestions;

use anyhow::Result;
use libtest_mimic::{Arguments, Trial};
use sidecar_tests::{agent, kernel::trial};

/// Why a test can't run here, if so.
type Obstacle = fn() -> Option<&'static str>;
/// Name, obstacle, body.
type Case = (&'static str, Obstacle, fn() -> Result<()>);

const ALL: &[Case] = &[
    ("markers_and_functions_of_a_program", on_x86_64, files::program),
    ("functions_of_a_stripped_program_come_from_its_debug_file", on_x86_64, files::stripped),
    ("files_that_can_not_be_inspected_are_one_line_and_status_1", never, files::refused),
    ("wrong_usage_is_status_2", never, files::usage),
    ("an_answer_that_can_not_be_written_is_status_1", on_x86_64, files::unwritable),
    ("a_file_needs_no_privilege_but_to_be_readable", as_root_on_x86_64, files::not_root),
    ("a_process_is_shown_with_its_libraries", on_x86_64, processes::own),
    ("a_process_in_another_mount_namespace_is_shown_as_it_is_there", as_root_on_x86_64, processes::hidden),
    ("a_process_of_somebody_else_needs_privilege", as_root, processes::not_root),
    ("a_process_that_has_ended_is_one_line_and_status_1", never, processes::ended),
    ("check_accepts_what_is_suggested_for_nextest", without_nextest, suggestions::nextest),
    ("check_accepts_what_is_suggested_for_python3", without_python, suggestions::python),
    ("check_accepts_what_is_suggested_for_libc_and_libstdcpp", without_libraries, suggestions::libraries),
    ("no_agent_to_list_the_probes_of_is_status_2", never, processes::no_agent),
];

fn never() -> Option<&'static str> {
    None
}

fn on_x86_64() -> Option<&'static str> {
    (!cfg!(target_arch = "x86_64")).then_some("the test programs are written for x86-64")
}

fn as_root() -> Option<&'static str> {
    (!nix::unistd::geteuid().is_root()).then_some("only root can become somebody else")
}

fn as_root_on_x86_64() -> Option<&'static str> {
    on_x86_64().or_else(as_root)
}

fn without_nextest() -> Option<&'static str> {
    suggestions::nextest_path().is_none().then_some("cargo-nextest is not installed")
}

fn without_python() -> Option<&'static str> {
    (!suggestions::PYTHON.exists()).then_some("there is no /usr/bin/python3")
}

fn without_libraries() -> Option<&'static str> {
    suggestions::library_paths().is_none().then_some("libc and libstdc++ are not where they are looked for")
}

fn main() {
    let arguments = Arguments::from_args();
    let trial = |&(name, obstacle, test): &Case| {
        Trial::ignorable_test(name, move || trial::run(name, obstacle(), test))
    };
    let conclusion = libtest_mimic::run(&arguments, ALL.iter().map(trial).collect());
    agent::clean_up();
    conclusion.exit();
}
