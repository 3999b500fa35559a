//! The list of tests.

use std::path::Path;

use anyhow::Result;

use crate::{
    accounts, api, basics, boost, broken, churn, clock, containers, death, discovery, dlopen, dying,
    elsewhere, estimates, exits, files, first_event, folders, foreign, functions, giving_up, googletest,
    handlers, health, hidepid, identity, kept, many, memory, presets, refusals, reload, sinks, switch, verbs,
};

/// A test.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its body.
    pub(crate) test: fn() -> Result<()>,
    /// A file without which it can't run, and the reason then.
    needs: Option<(&'static str, &'static str)>,
    /// What else may hinder it.
    hindered: fn() -> Option<&'static str>,
}

impl Case {
    /// Why it can't run here, if so.
    pub(crate) fn obstacle(&self) -> Option<&'static str> {
        let missing = self.needs.and_then(|(file, reason)| (!Path::new(file).exists()).then_some(reason));
        missing.or_else(self.hindered)
    }
}

const fn case(name: &'static str, test: fn() -> Result<()>) -> Case {
    Case { name, test, needs: None, hindered: || None }
}

/// One that needs a file of a Debian package.
const fn with(case: Case, file: &'static str, reason: &'static str) -> Case {
    Case { needs: Some((file, reason)), ..case }
}

/// Every test.
pub(crate) const ALL: &[Case] = &[
    case("a_program_that_is_executed_is_found_and_its_events_are_written", basics::executed),
    case("counts_are_exact_at_rate_0_1", basics::rate_tenth),
    case("counts_are_exact_at_rate_0", basics::rate_zero),
    case("every_path_answers", basics::endpoints),
    case("sigterm_ends_it_in_good_order", basics::terminated),
    case("sigint_ends_it_in_good_order", basics::interrupted),
    case("it_ends_while_programs_go_on_firing", basics::ended_under_load),
    case("a_second_agent_on_the_port_ends_before_it_touches_anything", basics::taken_port),
    case("configured_files_are_observed_from_their_first_event", discovery::configured_files),
    case("libraries_by_name_and_by_path", discovery::libraries),
    case("a_program_that_runs_already", discovery::running_already),
    case("a_program_in_another_mount_namespace", discovery::another_namespace),
    case("a_program_in_two_overlays_counts_once", discovery::two_overlays),
    case("a_program_that_is_replaced", files::replaced),
    case("a_program_that_is_renamed_counts_once", files::renamed),
    case("a_program_that_is_rewritten_in_place", files::rewritten),
    case("a_program_that_is_deleted_is_let_go", files::deleted),
    case("hostile_files_in_a_watched_folder", files::hostile),
    case("a_file_that_changes_all_the_while", files::changing),
    case("an_argument_that_can_not_be_read_is_missing_and_the_rest_is_there", foreign::unread_argument),
    case("a_foreign_marker_with_status_values_and_its_own_signal", foreign::status_and_signal),
    case("exceptions_of_cpp_programs", foreign::libstdcxx),
    case("a_sink_that_can_not_be_written_is_told_at_once", sinks::unwritable),
    case("a_full_disk", sinks::full_disk),
    case("a_pipe_whose_reader_is_gone", sinks::closed_pipe),
    case("a_pipe_that_nobody_reads", sinks::unread_pipe),
    case("hostile_json_to_a_pipe_that_nobody_reads_takes_bounded_memory", memory::hostile_json),
    case("memory_keeps_to_its_budget_where_nobody_takes_anything", memory::nobody_takes_anything),
    case("bad_configs_are_told_with_file_line_and_key", refusals::configs),
    case("without_root_it_serves_degraded_health", refusals::not_root),
    case("without_capabilities_it_serves_degraded_health", refusals::root_without_capabilities),
    case("switched_off_it_keeps_nothing", refusals::switched_off),
    case("a_hundred_thousand_test_ids", many::test_ids),
    case("ten_thousand_sites_are_let_go", many::sites_let_go),
    case("ten_thousand_sites_of_a_killed_agent", many::sites_killed),
    case("sigterm_while_attaching", many::terminated_while_attaching),
    case("specs_that_are_used_up", many::specs_used_up),
    case("killed_and_restarted", death::killed_and_restarted),
    case("stopped_and_continued", death::stopped_and_continued),
    case("events_are_shown_by_sidecar_tail", api::tail),
    case("the_socket_is_for_one_agent_and_outlives_none", api::socket),
    case("a_reload_by_signal_is_in_force_at_the_next_hit", reload::by_signal),
    case("a_changed_file_is_taken_over_by_itself", reload::by_file),
    case("a_broken_file_is_refused_and_the_old_one_stays", reload::refused),
    case("reloads_under_load_lose_nothing", reload::under_load),
    case("the_kill_switch_takes_every_probe_off_and_puts_it_on_again", switch::off_and_on),
    case("switched_off_at_start_and_on_later", switch::off_at_start),
    case("rates_and_boosts_by_request", boost::by_request),
    case("five_failing_tests_boost_their_signal", boost::by_failures),
    case("tests_slower_than_is_usual_boost_their_signal", boost::by_slow_tests),
    case("reported_anomalies_boost_their_signal", boost::by_reports),
    case("failures_are_kept_whole_at_rate_0_1", kept::failures),
    case("a_flood_makes_it_step_down_and_counts_stay_exact", kept::governor),
    case("test_names_break_neither_lines_nor_metrics_nor_log", kept::names_in_logs),
    case("health_and_status_tell_well_from_degraded_from_gone", verbs::health_and_status),
    case("the_probes_of_a_running_agent_are_listed", verbs::probes_list),
    case("a_budget_below_what_it_needs_is_said_at_start", verbs::small_budget),
    case("a_reload_with_values_that_are_none_names_file_line_key_and_reason", broken::values),
    case("a_reload_of_a_file_that_is_none_names_what_is_known", broken::files),
    case("failures_in_a_row_degrade_a_handler_at_the_threshold", health::threshold),
    case("components_are_looked_at_each_interval", health::interval),
    case("without_health_checks_nothing_old_is_told", health::switched_off),
    case("an_agent_whose_clock_is_days_ahead_keeps_time", clock::ahead),
    case("a_proc_that_hides_others_from_root", hidepid::root),
    case("a_proc_that_hides_others_from_a_user", hidepid::nobody),
    case("handlers_of_each_kind_get_their_events", handlers::each_kind),
    case("the_accounts_of_the_kernel_have_every_reason", accounts::kernel),
    case("the_accounts_of_queues_have_the_rule_in_force", accounts::queues),
    case("the_account_of_a_sink_that_takes_nothing", accounts::memory_of_a_sink),
    case("the_accounts_of_handlers_have_every_reason", accounts::handlers),
    case("the_account_of_the_stream_has_a_slow_client", accounts::streams),
    case("custom_events_are_estimated_by_type", estimates::of_types),
    case("a_test_whose_process_dies_is_told_within_a_second", exits::told),
    Case {
        hindered: dying::no_memory_limit,
        ..case("a_test_that_runs_out_of_memory_is_told_within_a_second", dying::out_of_memory)
    },
    case("the_tests_of_a_killed_nextest_are_aborted", dying::runner_killed),
    case("a_thousand_dying_processes_are_counted_to_the_unit", exits::thousand),
    case("a_test_that_was_not_watched_throughout_is_not_aborted", exits::switched),
    case("a_thousand_fresh_programs_are_held_until_their_probes_are_on", first_event::guaranteed),
    case("a_thousand_fresh_programs_are_seen_as_best_can_be", first_event::best_effort),
    case("a_stopped_agent_holds_those_that_wait_once", first_event::agent_stopped),
    case("programs_that_wait_go_on_when_agent_or_gate_is_killed", first_event::killed_while_they_wait),
    case("a_stopped_gate_is_ended_and_nobody_waits", first_event::gate_stopped),
    case("without_the_right_to_hold_programs_are_watched_all_the_same", first_event::not_permitted),
    case("a_program_in_another_mount_namespace_is_held", first_event::another_namespace),
    case("what_was_known_is_held_again_after_a_switch", first_event::switched_off_and_on),
    case("a_stuck_handler_slow_clients_and_scrapes_lose_nothing", handlers::stuck),
    case("a_program_is_known_when_the_linker_closes_it", folders::appearing),
    case("what_would_keep_waiting_in_a_watched_folder", folders::what_waits),
    case("a_glob_that_matches_a_hundred_thousand_files", folders::a_hundred_thousand_files),
    case("a_watched_folder_that_is_made_anew", folders::made_anew),
    case("functions_are_counted_timed_and_told_with_arguments_and_result", functions::entry_and_return),
    case("functions_of_a_library_by_its_name", functions::of_a_library),
    case("an_exception_that_leaves_a_watched_function_does_no_harm", functions::exceptions),
    case("entries_of_functions_that_mean_nothing_are_told", functions::bad_entries),
    case("libraries_that_are_loaded_later", dlopen::loaded_later),
    case("many_idle_processes_cost_next_to_nothing", dlopen::many_idle),
    case("a_library_of_no_such_name", dlopen::of_no_such_name),
    case("a_rewritten_file_of_the_same_size_and_time", identity::same_size_and_time),
    case("a_replaced_file_of_the_same_size_and_time", identity::replaced_alike),
    case("an_inode_that_a_plain_file_had", identity::inode_of_a_plain_file),
    case("an_inode_that_a_watched_file_had", identity::inode_of_a_watched_file),
    case("a_file_that_is_rewritten_while_it_is_looked_at", identity::rewritten_while_looked_at),
    case("a_program_in_a_pivoted_root", elsewhere::pivoted),
    case("a_debug_file_that_only_a_container_has", elsewhere::debug_file_inside),
    case("a_process_that_mounts_over_its_proc", elsewhere::covered),
    case("a_library_that_only_a_container_has", elsewhere::library_inside),
    case("one_file_on_the_host_and_in_overlays", elsewhere::one_file_below),
    with(
        case("tests_of_googletest_have_name_outcome_and_duration", googletest::linked_in),
        "/usr/include/gtest/gtest.h",
        "it needs Debian's package libgtest-dev",
    ),
    with(
        case("tests_of_a_shared_googletest_are_told_alike", googletest::shared),
        googletest::SOURCE,
        "it needs Debian's package googletest",
    ),
    case("exceptions_are_anomalies_by_a_preset", presets::libstdcxx),
    with(
        case("imports_and_collections_of_python", presets::python),
        "/usr/bin/python3",
        "it needs Debian's package python3",
    ),
    with(
        case("threads_and_the_end_of_a_jvm", presets::jvm),
        presets::JAVA,
        "it needs Debian's package openjdk-17-jre-headless",
    ),
    case("programs_that_give_up_are_told_by_a_preset", giving_up::told),
    case("presets_that_are_off_and_one_that_is_none", presets::off_and_unknown),
    case("events_tell_the_container_of_their_cgroup", containers::named),
    case("processes_and_images_come_and_go", churn::comes_and_goes),
    case("more_images_than_descriptors", churn::descriptors_used_up),
];
