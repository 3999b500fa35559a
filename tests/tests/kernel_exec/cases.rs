//! The list of tests.

use anyhow::Result;

use crate::{
    bad_strings, exits, fail_open, load, privilege, refusals, report, signals, summary, terminal,
    transparency, truth,
};

/// A test's body.
type Test = fn() -> Result<()>;

/// What a test can't do without.
#[derive(Clone, Copy)]
pub(crate) enum Needs {
    /// It runs anywhere.
    Nothing,
    /// The privilege and the kernel to watch.
    Watching,
}

/// A test.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it can't do without.
    pub(crate) needs: Needs,
    /// What it does.
    pub(crate) test: Test,
}

const fn watching(name: &'static str, test: Test) -> Case {
    Case { name, needs: Needs::Watching, test }
}

const fn anywhere(name: &'static str, test: Test) -> Case {
    Case { name, needs: Needs::Nothing, test }
}

/// Every test.
pub(crate) fn all() -> Vec<Case> {
    vec![
        watching("nextest_and_its_junit_report_agree_on_every_attempt", truth::nextest),
        watching("the_demonstration_suite_is_seen_as_it_is", truth::demonstration),
        watching("a_program_that_was_linked_a_moment_ago_is_seen_from_its_first_event", truth::fresh),
        watching("many_fresh_programs_at_once_are_all_seen", truth::fresh_in_parallel),
        watching("a_test_that_its_process_does_not_survive_is_told_with_the_signal", exits::signals),
        watching("a_test_that_its_process_leaves_is_told_with_the_status", exits::exits),
        anywhere("exit_codes_and_deaths_by_signal_are_passed_on", transparency::endings),
        anywhere("a_megabyte_goes_through_unchanged", transparency::streams),
        anywhere("the_command_sees_what_it_sees_unobserved", transparency::portrait),
        anywhere("the_command_has_no_descriptor_of_the_agent", transparency::descriptors),
        watching("the_command_is_seen_by_nobody_else_as_stopped_or_slow", transparency::untraced),
        anywhere("signals_from_outside_reach_the_command", signals::forwarded),
        anywhere("a_stop_and_a_continuation_reach_the_command", signals::stopped),
        anywhere("a_signal_before_the_command_starts_ends_it_all", signals::early),
        watching("a_signal_while_many_sites_are_attached_ends_it_all", signals::while_attaching),
        watching("a_terminal_shows_progress_and_summary", terminal::shown),
        watching("control_c_and_control_z_work_as_without", terminal::keys),
        watching("the_command_sees_the_terminal_and_its_size", terminal::size),
        watching("a_shell_with_job_control_works_on_the_terminal", terminal::job_control),
        watching("a_killed_agent_hurts_no_command", fail_open::agent_killed),
        watching("a_killed_gate_hurts_no_command", fail_open::gate_killed),
        watching("a_stopped_agent_holds_an_exec_no_longer_than_the_deadline", fail_open::agent_stopped),
        watching("a_killed_gate_lets_go_of_an_exec_at_once", fail_open::gate_killed_while_holding),
        watching("an_agent_killed_while_an_exec_waits_lets_it_go", fail_open::agent_killed_while_holding),
        watching("agent_and_gate_killed_together_hurt_nobody", fail_open::both_killed),
        anywhere("another_user_runs_the_command_unwatched", privilege::another_user),
        anywhere("root_without_capabilities_runs_the_command_unwatched", privilege::no_capabilities),
        anywhere("a_kernel_without_bpf_runs_the_command_unwatched", privilege::no_bpf),
        watching("without_the_right_to_hold_execs_the_command_is_watched", privilege::no_gate),
        watching("a_switched_off_agent_runs_the_command_unwatched", privilege::switched_off),
        anywhere("a_command_that_is_not_there_is_127", refusals::not_found),
        anywhere("a_command_that_can_not_be_executed_is_126", refusals::not_executable),
        anywhere("a_report_that_can_not_be_written_is_said_first", refusals::report),
        anywhere("a_wrong_config_is_said_with_file_and_line", refusals::config),
        anywhere("a_wrong_flag_is_2_and_names_the_right_one", refusals::flags),
        anywhere("a_bpf_object_that_is_none_is_said_and_the_command_runs", refusals::object),
        watching("null_endless_and_foreign_strings_make_valid_lines", bad_strings::each),
        watching("control_characters_in_names_do_not_reach_the_terminal", bad_strings::control),
        watching("a_hundred_thousand_test_ids_are_counted_in_bounded_memory", load::test_ids),
        watching("a_tiny_ring_loses_counts_and_says_so", load::tiny_ring),
        watching("at_a_tenth_failures_are_kept_and_totals_exact", load::rate),
        watching("custom_events_are_told_with_their_error", load::estimates),
        watching("a_full_disk_costs_lines_and_is_said", report::full_disk),
        watching("a_device_that_is_full_costs_all_lines", report::full_device),
        watching("a_limit_of_file_size_does_not_end_the_agent", report::file_size_limit),
        watching("a_reader_that_does_not_read_does_not_keep_the_end", report::stuck_reader),
        watching("a_closed_standard_error_changes_nothing", report::closed_stderr),
        watching("the_summary_tells_outcomes_failures_and_cost", summary::all),
        watching("a_run_without_markers_is_told_in_one_line", summary::nothing),
        watching("a_summary_can_be_had_always_or_never", summary::when),
    ]
}
