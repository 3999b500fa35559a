//! What of the kernel tests is run in the guest, and why not the rest. All of them run on this machine's own kernel.

/// Which tests of a program are run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Choice {
    /// All but these, each with its reason.
    AllBut(&'static [(&'static str, &'static str)]),
    /// These, and why no others.
    Only(&'static [&'static str], &'static str),
}

impl Choice {
    /// The tests that it names.
    pub(super) fn names(self) -> Vec<&'static str> {
        match self {
            Self::AllBut(left_out) => left_out.iter().map(|(name, _)| *name).collect(),
            Self::Only(names, _) => names.to_vec(),
        }
    }

    /// What is left out and why, in lines for people.
    pub(super) fn reasons(self) -> Vec<String> {
        match self {
            Self::AllBut(left_out) => {
                left_out.iter().map(|(name, reason)| format!("{name}: {reason}")).collect()
            }
            Self::Only(names, reason) => vec![format!("all tests but {}: {reason}", names.len())],
        }
    }
}

/// The programs' names.
pub(super) fn names() -> Vec<&'static str> {
    PROGRAMS.iter().map(|(name, _)| *name).collect()
}

/// What is run of a program.
pub(super) fn of(program: &str) -> Choice {
    PROGRAMS.iter().find(|(name, _)| *name == program).map_or(Choice::AllBut(&[]), |(_, choice)| *choice)
}

/// The programs, and what is run of each. `kernel_oracle` is not among them: the guest has no bpftrace.
const PROGRAMS: &[(&str, Choice)] = &[
    ("kernel", Choice::AllBut(KERNEL)),
    ("kernel_doctor", Choice::AllBut(&[])),
    ("kernel_privilege", Choice::AllBut(&[])),
    ("kernel_runtime", Choice::AllBut(&[])),
    ("kernel_markers", Choice::Only(MARKERS, "the others compile C programs, and the guest has no compiler")),
    ("kernel_run", Choice::Only(RUN, "the others compile C programs, and the guest has no compiler")),
    ("kernel_exec", Choice::Only(EXEC, "the others need cargo, or run for minutes under emulation")),
];

const NO_COMPILER: &str = "it compiles a C++ program, and the guest has no compiler";

const KERNEL: &[(&str, &str)] = &[
    (
        "a_million_hits_wake_a_lingering_reader_seldom",
        "an emulated processor stands still with a record half written, and each hit meanwhile wakes the reader",
    ),
    ("function_times_are_what_the_program_saw", NO_COMPILER),
    ("arguments_and_results_of_functions", NO_COMPILER),
    ("members_behind_a_pointer", NO_COMPILER),
    ("recursion_finds_each_calls_own_entry", NO_COMPILER),
    ("functions_in_eight_threads_are_counted_exactly", NO_COMPILER),
    ("calls_that_end_by_longjmp_leave_nothing_behind", NO_COMPILER),
    ("exceptions_below_a_watched_function", NO_COMPILER),
    ("calls_without_room_are_counted", NO_COMPILER),
    ("functions_by_perf_events", NO_COMPILER),
    ("a_stripped_program_by_offset", NO_COMPILER),
];

const MARKERS: &[&str] = &[
    "a_test_within_a_test_has_an_end_of_its_own",
    "markers_fire_while_a_thread_unwinds",
    "a_guard_ends_with_its_thread",
    "a_forgotten_guard_ends_with_its_process_and_harms_no_other",
    "parent_and_child_end_what_they_share",
];

const RUN: &[&str] = &[
    "every_path_answers",
    "bad_configs_are_told_with_file_line_and_key",
    "without_root_it_serves_degraded_health",
    "without_capabilities_it_serves_degraded_health",
    "test_names_break_neither_lines_nor_metrics_nor_log",
    "the_socket_is_for_one_agent_and_outlives_none",
    "a_proc_that_hides_others_from_a_user",
];

const EXEC: &[&str] = &[
    "many_fresh_programs_at_once_are_all_seen",
    "the_command_sees_what_it_sees_unobserved",
    "the_command_has_no_descriptor_of_the_agent",
    "a_stopped_agent_holds_an_exec_no_longer_than_the_deadline",
    "an_agent_killed_while_an_exec_waits_lets_it_go",
    "another_user_runs_the_command_unwatched",
    "root_without_capabilities_runs_the_command_unwatched",
    "a_kernel_without_bpf_runs_the_command_unwatched",
    "null_endless_and_foreign_strings_make_valid_lines",
    "the_summary_tells_outcomes_failures_and_cost",
];
