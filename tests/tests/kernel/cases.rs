//! The list of tests.

use anyhow::Result;

use crate::{
    adaptive, cost, counting, exits, forms, functions, held, known, links, outcomes, room, sampling, strings,
    tree, wake,
};

/// A test's body.
type Test = fn() -> Result<()>;

/// Beside which others a test may run.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// Any.
    Shared(Test),
    /// None: it looks at all processes that this one starts.
    Alone(Test),
}

/// A test.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) run: Run,
}

const fn shared(name: &'static str, test: Test) -> Case {
    Case { name, run: Run::Shared(test) }
}

const fn alone(name: &'static str, test: Test) -> Case {
    Case { name, run: Run::Alone(test) }
}

/// Every test.
pub(crate) fn all() -> Vec<Case> {
    vec![
        shared("every_record_is_whole_and_none_is_missing", counting::whole),
        shared("four_million_hits_at_rate_1", counting::rate_one),
        shared("four_million_hits_at_rate_0_1", counting::rate_tenth),
        shared("four_million_hits_at_rate_0", counting::rate_zero),
        shared("four_million_hits_disabled", counting::disabled),
        shared("four_million_hits_and_a_ring_that_nobody_reads", counting::unread_ring),
        shared("four_million_hits_and_a_slow_reader", counting::slow_reader),
        shared("a_test_whose_process_dies_is_aborted_with_the_signal", exits::deaths),
        shared("nothing_but_its_own_process_aborts_a_test", exits::others),
        shared("a_test_outlives_an_exec_and_ends_with_its_process", exits::exec_over_itself),
        shared("a_thousand_processes_die_at_once", exits::thousand),
        shared("all_tests_of_a_runner_end_with_it", exits::runner),
        shared("deaths_that_find_a_full_ring_are_counted", exits::full_ring),
        shared("deaths_of_more_tests_than_are_held_are_counted", exits::too_many),
        shared("where_ends_may_pass_unseen_nothing_is_aborted", exits::blind),
        shared("a_thousand_cold_strings_arrive", strings::cold),
        shared("a_thousand_strings_with_a_cold_second_page_arrive", strings::straddling),
        shared("cold_strings_are_counted_where_the_program_may_not_sleep", strings::cold_without_sleep),
        shared("hostile_strings", strings::hostile),
        shared("byte_blocks", strings::byte_blocks),
        shared("a_smaller_string_limit", strings::smaller_limit),
        shared("twelve_strings_of_1_kib", strings::twelve),
        shared("registers_of_each_size_and_sign", forms::registers),
        shared("memory_and_indexed_arguments_of_each_size_and_sign", forms::memories),
        shared("constants_and_places_that_can_not_be_read", forms::others),
        shared("statuses_by_number", outcomes::direct),
        shared("statuses_by_a_table_of_numbers", outcomes::numbers),
        shared("statuses_by_a_table_of_words", outcomes::status_words),
        shared("durations_in_every_bucket", outcomes::durations),
        shared("durations_in_other_units", outcomes::duration_units),
        shared("sampling_by_key_keeps_whole_tests", sampling::keys),
        shared("sampling_by_id_keeps_whole_tests", sampling::ids),
        shared("sampling_by_cold_id_keeps_whole_tests", sampling::cold_ids),
        shared("sampling_by_number_id_keeps_whole_tests", sampling::number_ids),
        shared("sampling_without_key_or_id", sampling::neither),
        shared("a_change_of_rate_takes_effect_at_once", sampling::changes),
        shared("a_hundred_thousand_tests_at_a_tenth_with_every_failure_whole", held::hundred_thousand),
        shared("a_failures_start_comes_after_all_and_first", held::order),
        shared("a_held_start_with_a_long_id_is_cut", held::long_ids),
        shared("held_starts_give_way_to_later_ones", held::crowd),
        shared("no_process_calls_up_anothers_start", held::strangers),
        shared("a_held_start_without_room_is_counted", held::no_room),
        shared("failures_find_room_where_passing_tests_do_not", room::failures),
        shared("a_share_of_the_ring_is_not_for_what_is_kept_by_its_rate", room::share),
        shared("anomalies_find_room_where_passing_tests_do_not", room::anomalies),
        shared("failures_use_the_whole_ring_and_what_is_beyond_is_lost", room::beyond),
        shared("failures_boost_their_signal_at_once", adaptive::failures),
        shared("slow_tests_boost_their_signal", adaptive::slow_tests),
        shared("anomaly_markers_boost_the_signal_they_name", adaptive::markers),
        shared("the_agent_reports_anomalies_too", adaptive::own_reports),
        shared("a_boost_ends_by_itself_and_is_limited_in_the_hour", adaptive::ends_by_itself),
        shared("a_boost_on_request", adaptive::on_request),
        shared("payloads_are_left_out_on_request", adaptive::payloads),
        alone("a_tree_begins_as_this_process", tree::own),
        alone("a_tree_holds_all_descendants_and_nobody_else", tree::members),
        alone("a_full_tree_counts_who_does_not_fit", tree::full),
        alone("each_exec_and_exit_of_the_tree_has_a_record", tree::execs_and_exits),
        alone("known_images_are_told_as_such", known::images),
        alone("a_known_image_that_is_written_to_is_new", known::rewritten),
        alone("a_process_with_threads_exits_once", tree::exit_of_threads),
        alone("exec_records_without_room_are_counted", tree::lost_processes),
        shared("semaphores_rise_and_fall", links::semaphores),
        shared("semaphores_rise_and_fall_by_perf_events", links::perf_semaphores),
        shared("two_agents_on_one_site_both_count", links::two_agents),
        shared("perf_events_count_with_cookies", links::perf_events),
        shared("strings_by_perf_events", links::perf_strings),
        shared("all_sites_or_none", links::refusals),
        shared("a_renamed_file", links::renamed),
        shared("ten_thousand_sites_come_and_go", links::ten_thousand_sites),
        shared("probes_die_with_their_agent", links::killed),
        shared("without_privilege", links::unprivileged),
        shared("features_are_what_was_asked_for", links::features),
        shared("an_idle_reader_is_woken_by_one_record", wake::idle),
        shared("a_lingering_reader_is_woken_at_the_watermark", wake::watermark),
        shared("a_million_hits_wake_a_lingering_reader_seldom", wake::storm),
        shared("no_record_waits_longer_than_the_timer", wake::no_record_waits),
        shared("run_time_is_measured_in_windows_and_told_for_all_hits", cost::run_time),
        shared("memory_of_maps_is_told_by_the_kernel", cost::memory),
        shared("function_times_are_what_the_program_saw", functions::known_times),
        shared("arguments_and_results_of_functions", functions::values),
        shared("members_behind_a_pointer", functions::members),
        shared("recursion_finds_each_calls_own_entry", functions::recursion),
        shared("functions_in_eight_threads_are_counted_exactly", functions::threads),
        shared("calls_that_end_by_longjmp_leave_nothing_behind", functions::longjmp),
        shared("exceptions_below_a_watched_function", functions::exceptions),
        shared("calls_without_room_are_counted", functions::no_room),
        shared("functions_by_perf_events", functions::perf_events),
        shared("a_stripped_program_by_offset", functions::stripped),
    ]
}
