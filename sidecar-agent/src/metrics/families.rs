//! The list of metrics: name, type, labels, meaning.

use prometheus::core::Desc;
use prometheus::proto::MetricType;

/// One metric.
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: MetricType,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

impl Family {
    pub(super) fn desc(&self) -> prometheus::Result<Desc> {
        let labels = self.labels.iter().map(|&label| label.to_owned()).collect();
        Desc::new(self.name.to_owned(), self.help.to_owned(), labels, Default::default())
    }
}

macro_rules! families {
    ($($id:ident = $name:literal, $kind:ident, [$($label:literal),*], $help:literal;)*) => {
        $(pub(super) const $id: &Family =
            &Family { name: $name, kind: MetricType::$kind, labels: &[$($label),*], help: $help };)*
        /// Every metric of the collector.
        pub(super) const ALL: &[&Family] = &[$($id),*];
    };
}

families! {
    EVENTS = "sidecar_events_total", COUNTER, ["event_type", "status"],
        "Events as the kernel counted them, whatever was sampled, lost or dropped.";
    HITS = "sidecar_hits_total", COUNTER, ["provider", "marker"],
        "Times a marker was hit in a watched process: kept + sampled out + lost + disabled.";
    KEPT = "sidecar_kept_total", COUNTER, ["provider", "marker"],
        "Hits of which a record was written into the ring.";
    SAMPLED_OUT = "sidecar_sampled_out_total", COUNTER, ["provider", "marker"],
        "Hits without a record, by choice of the sampling rate.";
    LOST = "sidecar_lost_total", COUNTER, ["provider", "marker"],
        "Hits without a record, because the ring had no room.";
    DISABLED = "sidecar_disabled_total", COUNTER, ["provider", "marker"],
        "Hits without a record, because the probe or the agent was disabled.";
    OUT_OF_SCOPE = "sidecar_out_of_scope_total", COUNTER, ["provider", "marker"],
        "Times a marker was hit in a process that is not watched.";
    READ_FAULTS = "sidecar_read_faults_total", COUNTER, ["provider", "marker"],
        "Arguments that could not be read from the program's memory.";
    TRUNCATED = "sidecar_truncated_total", COUNTER, ["provider", "marker"],
        "Strings that were cut at the length limit.";
    RECALLED = "sidecar_recalled_total", COUNTER, ["provider", "marker"],
        "Sampled-out starts whose record was sent after all; part of sidecar_sampled_out_total.";
    RECALL_LOST = "sidecar_recall_lost_total", COUNTER, ["provider", "marker"],
        "Sampled-out starts that were to be sent after all, but the ring had no room.";
    ABORTED = "sidecar_aborted_total", COUNTER, ["provider", "marker"],
        "Tests that ended with their process, by the marker of their start: records of that in the ring.";
    ABORT_LOST = "sidecar_abort_lost_total", COUNTER, ["provider", "marker"],
        "Tests that ended with their process, but the ring had no room for the record of that.";
    GAVE_WAY = "sidecar_held_gave_way_total", COUNTER, ["provider", "marker"],
        "Starts that were held no longer before their test's end, as there was no room for so many.";
    DURATION = "sidecar_test_duration_seconds", HISTOGRAM, ["provider", "marker"],
        "Durations that markers carried, counted in the kernel, whatever was sampled.";
    CALLS = "sidecar_function_duration_seconds", HISTOGRAM, ["provider", "marker"],
        "Times that calls of a function took, of each call that returned, counted in the kernel, whatever was sampled.";
    UNTIMED = "sidecar_function_calls_untimed_total", COUNTER, ["provider", "marker", "reason"],
        "Calls of a function that are not in its durations.";
    IMAGES = "sidecar_attached_images", GAUGE, [],
        "Files that have probes on them.";
    SITES = "sidecar_attached_sites", GAUGE, [],
        "Sites that have a probe on them.";
    REFUSALS = "sidecar_attach_refusals_total", COUNTER, ["reason"],
        "Files and sites that got no probe.";
    FOLDERS = "sidecar_watched_folders", GAUGE, [],
        "Folders of discovery.files that are watched for files that appear.";
    UNWATCHED = "sidecar_unwatched_folders_total", COUNTER, [],
        "Times that a folder of discovery.files could not be watched.";
    FOLDER_RESCANS = "sidecar_folder_rescans_total", COUNTER, [],
        "Times that watched folders were read again, because more happened in them than the kernel keeps.";
    DROPPED = "sidecar_events_dropped_total", COUNTER, ["reason"],
        "Events dropped in the agent, in its queue or on their way to a sink.";
    RECORDS_PROCESSED = "sidecar_records_processed_total", COUNTER, [],
        "Records whose event was handed to sinks, handlers and streams.";
    RECORDS_DROPPED = "sidecar_records_dropped_total", COUNTER, ["reason"],
        "Records that were read and came to nothing: received = processed + dropped + the queue.";
    SINK_RECEIVED = "sidecar_sink_events_received_total", COUNTER, ["sink"],
        "Events that a sink was handed.";
    SINK_WRITTEN = "sidecar_sink_events_written_total", COUNTER, ["sink"],
        "Events that a sink has written.";
    SINK_DROPPED = "sidecar_sink_events_dropped_total", COUNTER, ["sink", "reason"],
        "Events that a sink or its queue has dropped; part of sidecar_events_dropped_total.";
    SINK_QUEUE = "sidecar_sink_queue_size", GAUGE, ["sink"],
        "Events that wait for a sink.";
    ERRORS = "sidecar_errors_total", COUNTER, ["component"],
        "Errors by component; the log has their text.";
    DECODE_ERRORS = "sidecar_decode_errors_total", COUNTER, ["reason"],
        "Records that could not be decoded; part of sidecar_errors_total.";
    RECORDS_IN_FLIGHT = "sidecar_records_in_flight", GAUGE, [],
        "Of the records processed, those whose event is just being handed on.";
    QUEUE_SIZE = "sidecar_queue_size", GAUGE, [],
        "Events that wait in the agent's queue, or are just being handed on.";
    QUEUE_CAPACITY = "sidecar_queue_capacity", GAUGE, [],
        "Most events that the agent's queue holds.";
    QUEUE_HIGH_WATER = "sidecar_queue_high_water", GAUGE, [],
        "Most events that ever waited in the agent's queue.";
    QUEUE_BYTES = "sidecar_queue_bytes", GAUGE, [],
        "Memory of the events that wait in the agent's queue.";
    QUEUE_MAX_BYTES = "sidecar_queue_max_bytes", GAUGE, [],
        "Most memory of the events that wait in the agent's queue.";
    SAMPLING_RATE = "sidecar_sampling_rate_ratio", GAUGE, ["signal"],
        "Sampling rate of a signal, 0 to 1.";
    RING_BYTES = "sidecar_ring_size_bytes", GAUGE, [],
        "Size of the ring between kernel and agent.";
    WAKEUPS = "sidecar_reader_wakeups_total", COUNTER, [],
        "Times the ring's reader woke up.";
    RECORDS = "sidecar_records_received_total", COUNTER, [],
        "Records taken out of the ring.";
    PROCESS_LOST = "sidecar_process_events_lost_total", COUNTER, [],
        "Execs, exits and forks that found no room on their way from the kernel.";
    ANOMALIES = "sidecar_anomalies_total", COUNTER, ["signal"],
        "Anomalies of a signal: failed or slow tests, anomaly markers, reports through the API.";
    BOOSTS = "sidecar_boosts_total", COUNTER, ["signal"],
        "Boosts of a signal that anomalies began.";
    BOOSTS_REFUSED = "sidecar_boosts_refused_total", COUNTER, ["signal"],
        "Boosts that did not begin, because the hour's were used up.";
    BOOSTED = "sidecar_signal_boosted", GAUGE, ["signal"],
        "1 while a signal's rate is raised.";
    CPU = "sidecar_cpu_usage_ratio", GAUGE, [],
        "Processor time of the agent and its BPF programs, of one core.";
    BPF_CPU = "sidecar_bpf_cpu_usage_ratio", GAUGE, [],
        "The part of it that its BPF programs took, in the threads of the tests.";
    CPU_BUDGET = "sidecar_cpu_budget_ratio", GAUGE, [],
        "The budget of processor time, of one core.";
    MEMORY = "sidecar_memory_usage_bytes", GAUGE, [],
        "Memory of the agent in RAM and in the kernel's maps.";
    MAP_MEMORY = "sidecar_map_memory_bytes", GAUGE, [],
        "The part of it that is in the kernel's maps.";
    MEMORY_BUDGET = "sidecar_memory_budget_bytes", GAUGE, [],
        "The budget of memory.";
    THREADS = "sidecar_thread_count", GAUGE, [],
        "Threads of the agent.";
    STEP = "sidecar_governor_step", GAUGE, [],
        "Step of the governor's ladder; 0 is everything as configured.";
    STEPS = "sidecar_governor_steps_total", COUNTER, ["cause"],
        "Steps that the governor took: down for cpu or memory, up when recovered.";
    HANDLER_RECEIVED = "sidecar_handler_events_received_total", COUNTER, ["handler"],
        "Events that a handler was handed.";
    HANDLER_IN_FLIGHT = "sidecar_handler_events_in_flight", GAUGE, ["handler"],
        "Events that a handler is at work on, or waits to try again.";
    HANDLER_EVENTS = "sidecar_handler_events_total", COUNTER, ["handler", "outcome"],
        "Events of a handler by what became of them.";
    HANDLER_QUEUE = "sidecar_handler_queue_size", GAUGE, ["handler"],
        "Events that wait for a handler.";
    HANDLER_FAILURES = "sidecar_handler_consecutive_failures", GAUGE, ["handler"],
        "Failures of a handler since its last success.";
    RELOADS = "sidecar_config_reloads_total", COUNTER, ["outcome"],
        "Reloads of the configuration, succeeded or refused.";
    RELOAD_SUCCESSFUL = "sidecar_config_last_reload_successful", GAUGE, [],
        "1 if the last reload succeeded, or there was none.";
    RELOAD_TIME = "sidecar_config_last_reload_timestamp_seconds", GAUGE, [],
        "When the configuration in force was loaded, in seconds since 1970 UTC.";
    STREAMS = "sidecar_stream_clients", GAUGE, [],
        "Clients that read the stream of events.";
    STREAM_OFFERED = "sidecar_stream_events_offered_total", COUNTER, [],
        "Events that passed the filter of a client of the stream, each counted for each of them.";
    STREAM_TAKEN = "sidecar_stream_events_taken_total", COUNTER, [],
        "Events that were taken to be sent to a client of the stream.";
    STREAM_LEFT = "sidecar_stream_events_left_total", COUNTER, [],
        "Events that still waited when their client of the stream left.";
    STREAM_WAITING = "sidecar_stream_events_waiting", GAUGE, [],
        "Events that wait for clients of the stream.";
    STREAM_LOST = "sidecar_stream_events_lost_total", COUNTER, [],
        "Events that slow clients of the stream lost, each counted for each of them.";
    ENABLED = "sidecar_enabled", GAUGE, [],
        "1 if the configuration wants anything watched.";
    GATE_HOLDING = "sidecar_gate_holding", GAUGE, [],
        "1 while programs are held until their probes are on.";
    GATE_EXECS = "sidecar_gate_execs_total", COUNTER, ["outcome"],
        "Execs that the gate was asked for, by what became of them.";
    GATE_WAITING = "sidecar_gate_waiting", GAUGE, [],
        "Execs that wait at the gate.";
    GATE_LONGEST = "sidecar_gate_longest_wait_seconds", GAUGE, [],
        "The longest that an exec has waited at the gate.";
    BUILD_INFO = "sidecar_build_info", GAUGE, ["version", "arch", "kernel_abi", "kernel_object"],
        "1; the labels say what is running.";
}
