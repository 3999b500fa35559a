//! Turns a [`Snapshot`] into metric families, once a scrape.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::core::{Collector, Desc};
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram as ProtoHistogram, LabelPair, Metric, MetricFamily,
};
use sidecar_common::{Counters, HISTOGRAM_BUCKETS, Histogram, Status, bucket_bound_ns};

use super::families::{self, Family};
use super::registry::BuildInfo;
use super::series::{Admitted, clean};
use super::snapshot::{ProbeStats, Snapshot, Source};
use crate::attach::ProbeKind;
use crate::mapping::RETURN;
use crate::sinks::SinkStats;

/// Series that one probe takes: its counters, and its histogram's buckets, sum and count.
const PROBE_SERIES: usize = 13;
const HISTOGRAM_SERIES: usize = HISTOGRAM_BUCKETS + 2;

/// Why a sink itself drops an event: [`SinkStats::write_failed`], [`SinkStats::serialize_failed`].
const SINK_REASONS: [&str; 2] = ["write_failed", "serialize_failed"];

/// Reads the source and remembers only which label values have series of their own.
pub(super) struct Kernel {
    source: Arc<dyn Source>,
    build: BuildInfo,
    descs: Vec<Desc>,
    admitted: Mutex<Admitted>,
}

impl Kernel {
    pub(super) fn new(source: Arc<dyn Source>, build: BuildInfo) -> prometheus::Result<Self> {
        let descs = families::ALL.iter().map(|family| family.desc()).collect::<Result<_, _>>()?;
        Ok(Self { source, build, descs, admitted: Mutex::default() })
    }
}

impl Collector for Kernel {
    fn desc(&self) -> Vec<&Desc> {
        self.descs.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let snapshot = self.source.snapshot();
        // Only scrapes take this lock, and the source is not asked under it.
        let mut page = Page {
            admitted: &mut self.admitted.lock().unwrap_or_else(PoisonError::into_inner),
            samples: Vec::new(),
        };
        page.probes(&snapshot.probes);
        page.agent(&snapshot);
        let BuildInfo { version, arch, kernel_object } = &self.build;
        let abi = sidecar_common::ABI_VERSION.to_string();
        page.add(families::BUILD_INFO, [version, arch, &abi, kernel_object], 1.0);
        page.finish()
    }
}

/// The families under construction. Samples with the same labels are added up.
pub(super) struct Page<'a> {
    admitted: &'a mut Admitted,
    samples: Vec<(&'static Family, BTreeMap<Vec<String>, Sample>)>,
}

enum Sample {
    Number(f64),
    Durations(Box<Histogram>),
}

impl Page<'_> {
    /// A label's value that is counted against the cap, with how many series it brings.
    pub(super) fn admit(&mut self, kind: &'static str, series: usize, name: &str) -> String {
        self.admitted.admit(kind, series, &[name]).swap_remove(0)
    }

    pub(super) fn add<S: AsRef<str>>(
        &mut self,
        family: &'static Family,
        labels: impl IntoIterator<Item = S>,
        value: f64,
    ) {
        let labels = labels.into_iter().map(|label| label.as_ref().to_owned()).collect();
        match self.samples_of(family).entry(labels).or_insert(Sample::Number(0.0)) {
            Sample::Number(sum) => *sum += value,
            Sample::Durations(_) => {}
        }
    }

    fn add_durations(&mut self, family: &'static Family, labels: Vec<String>, more: &Histogram) {
        let empty = || Sample::Durations(Box::default());
        match self.samples_of(family).entry(labels).or_insert_with(empty) {
            Sample::Durations(sum) => {
                sum.sum_ns = sum.sum_ns.wrapping_add(more.sum_ns);
                sum.buckets.iter_mut().zip(more.buckets).for_each(|(sum, count)| *sum += count);
            }
            Sample::Number(_) => {}
        }
    }

    fn samples_of(&mut self, family: &'static Family) -> &mut BTreeMap<Vec<String>, Sample> {
        let known = self.samples.iter().position(|(f, _)| f.name == family.name);
        let index = known.unwrap_or_else(|| {
            self.samples.push((family, BTreeMap::new()));
            self.samples.len() - 1
        });
        &mut self.samples[index].1
    }

    fn probes(&mut self, probes: &[ProbeStats]) {
        // Programs bring the names of functions, and any number of them; the config those of markers.
        let (markers, functions): (Vec<_>, Vec<_>) =
            probes.iter().partition(|probe| probe.kind == ProbeKind::Marker);
        for probe in markers.into_iter().chain(functions) {
            let names = [probe.provider.as_str(), probe.marker.as_str()];
            let labels = self.admitted.admit("probe", PROBE_SERIES, &names);
            let Counters {
                hits,
                kept,
                sampled_out,
                lost,
                disabled,
                out_of_scope,
                read_faults,
                truncated,
                recalled,
                recall_lost,
                aborted,
                abort_lost,
                gave_way,
                ..
            } = probe.counters;
            for (family, value) in [
                (families::HITS, hits),
                (families::KEPT, kept),
                (families::SAMPLED_OUT, sampled_out),
                (families::LOST, lost),
                (families::DISABLED, disabled),
                (families::OUT_OF_SCOPE, out_of_scope),
                (families::READ_FAULTS, read_faults),
                (families::TRUNCATED, truncated),
                (families::RECALLED, recalled),
                (families::RECALL_LOST, recall_lost),
                (families::ABORTED, aborted),
                (families::ABORT_LOST, abort_lost),
                (families::GAVE_WAY, gave_way),
            ] {
                self.add(family, &labels, value as f64);
            }
            if let Some(durations) = &probe.histogram {
                let function = probe.marker.strip_suffix(RETURN).filter(|_| probe.kind == ProbeKind::Return);
                let family = if function.is_some() { families::CALLS } else { families::DURATION };
                let names = [probe.provider.as_str(), function.unwrap_or(&probe.marker)];
                let labels = self.admitted.admit("duration", HISTOGRAM_SERIES, &names);
                self.add_durations(family, labels, durations);
            }
            self.untimed(probe);
            self.events(probe);
        }
    }

    /// Calls of a function whose time is not known, by the reason.
    fn untimed(&mut self, probe: &ProbeStats) {
        let Counters { unmatched, overwritten, evicted, .. } = probe.counters;
        let reasons: &[(&str, u64)] = match probe.kind {
            ProbeKind::Marker => &[],
            ProbeKind::Function => &[("overwritten", overwritten), ("evicted", evicted)],
            ProbeKind::Return => &[("unmatched", unmatched)],
        };
        let function = probe.marker.strip_suffix(RETURN).unwrap_or(&probe.marker);
        for &(reason, count) in reasons.iter().filter(|(_, count)| *count > 0) {
            let labels = self.admitted.admit("untimed", 1, &[&probe.provider, function, reason]);
            self.add(families::UNTIMED, labels, count as f64);
        }
    }

    fn events(&mut self, probe: &ProbeStats) {
        if probe.is_start {
            let Counters { aborted, abort_lost, .. } = probe.counters;
            let labels = self.admitted.admit("event", 1, &["test_failure", Status::Aborted.name()]);
            self.add(families::EVENTS, labels, (aborted + abort_lost) as f64);
        }
        if !probe.has_status {
            // Each of the three only grows; hits - disabled could be seen to step back between two updates.
            let Counters { kept, sampled_out, lost, .. } = probe.counters;
            let labels = self.admitted.admit("event", 1, &[&probe.event_type, ""]);
            self.add(families::EVENTS, labels, (kept + sampled_out + lost) as f64);
            return;
        }
        for (status, count) in Status::ALL.into_iter().zip(probe.counters.statuses) {
            let failure = probe.failure_type.as_ref().filter(|_| status.is_failure());
            let event_type = failure.unwrap_or(&probe.event_type);
            let labels = self.admitted.admit("event", 1, &[event_type, status.name()]);
            self.add(families::EVENTS, labels, count as f64);
        }
    }

    fn agent(&mut self, snapshot: &Snapshot) {
        for (family, value) in [
            (families::IMAGES, snapshot.attached_images),
            (families::SITES, snapshot.attached_sites),
            (families::FOLDERS, snapshot.folders.watched),
            (families::UNWATCHED, snapshot.folders.unwatched),
            (families::FOLDER_RESCANS, snapshot.folders.rescans),
            (families::RING_BYTES, snapshot.ring_bytes),
            (families::WAKEUPS, snapshot.reader_wakeups),
            (families::RECORDS, snapshot.records_received),
            (families::RECORDS_PROCESSED, snapshot.queue.processed),
            (families::PROCESS_LOST, snapshot.process_lost),
            (families::RECORDS_IN_FLIGHT, snapshot.in_flight),
            (families::QUEUE_SIZE, snapshot.queue.len),
            (families::QUEUE_CAPACITY, snapshot.queue.capacity),
            (families::QUEUE_HIGH_WATER, snapshot.queue.high_water),
            (families::QUEUE_BYTES, snapshot.queue.bytes),
            (families::QUEUE_MAX_BYTES, snapshot.queue.max_bytes),
        ] {
            self.add(family, [""; 0], value as f64);
        }
        for (signal, rate) in &snapshot.sampling_rates {
            // At most sidecar_common::MAX_SIGNALS, so they need no cap; and rates don't add up.
            self.add(families::SAMPLING_RATE, [clean(signal)], *rate);
        }
        for (reason, count) in &snapshot.attach_refusals {
            self.add(families::REFUSALS, [reason], *count as f64);
        }
        for (reason, count) in snapshot.queue.drops() {
            self.add(families::DROPPED, [reason], count as f64);
        }
        for (reason, count) in snapshot.record_drops() {
            self.add(families::RECORDS_DROPPED, [reason], count as f64);
        }
        for (reason, count) in &snapshot.decode_errors {
            self.add(families::DECODE_ERRORS, [reason], *count as f64);
            self.add(families::ERRORS, ["decode"], *count as f64);
        }
        for (component, count) in &snapshot.errors {
            self.add(families::ERRORS, [component], *count as f64);
        }
        self.boosts(&snapshot.boosts);
        if let Some(runtime) = &snapshot.runtime {
            self.add(families::ERRORS, ["handlers"], 0.0);
            self.runtime(runtime);
        }
        self.add(families::ERRORS, ["sinks"], 0.0);
        SINK_REASONS.iter().for_each(|reason| self.add(families::DROPPED, [reason], 0.0));
        snapshot.sinks.iter().for_each(|sink| self.sink(sink));
    }

    fn sink(&mut self, sink: &SinkStats) {
        let name = self.admitted.admit("sink", 9, &[&sink.name]);
        let name = name[0].as_str();
        self.add(families::SINK_RECEIVED, [name], sink.queue.received as f64);
        self.add(families::SINK_WRITTEN, [name], sink.written as f64);
        self.add(families::SINK_QUEUE, [name], sink.queue.len as f64);
        self.add(families::ERRORS, ["sinks"], (sink.write_errors + sink.serialize_failed) as f64);
        let failed = SINK_REASONS.into_iter().zip([sink.write_failed, sink.serialize_failed]);
        for (reason, count) in sink.queue.drops().into_iter().chain(failed) {
            self.add(families::SINK_DROPPED, [name, reason], count as f64);
            self.add(families::DROPPED, [reason], count as f64);
        }
    }

    fn finish(self) -> Vec<MetricFamily> {
        self.samples.into_iter().map(|(family, samples)| encode(family, samples)).collect()
    }
}

fn encode(family: &Family, samples: BTreeMap<Vec<String>, Sample>) -> MetricFamily {
    let mut metrics = Vec::with_capacity(samples.len());
    for (values, sample) in samples {
        let pairs = family.labels.iter().zip(values);
        let mut metric = Metric::from_label(pairs.map(|(name, value)| label(name, value)).collect());
        match sample {
            Sample::Durations(durations) => metric.set_histogram(seconds(&durations)),
            Sample::Number(value) => {
                // The encoder looks at the one that the family's type asks for.
                let (mut counter, mut gauge) = (Counter::default(), Gauge::default());
                counter.set_value(value);
                gauge.set_value(value);
                metric.set_counter(counter);
                metric.set_gauge(gauge);
            }
        }
        metrics.push(metric);
    }
    let mut out = MetricFamily::default();
    out.set_name(family.name.to_owned());
    out.set_help(family.help.to_owned());
    out.set_field_type(family.kind);
    out.set_metric(metrics);
    out
}

fn label(name: &str, value: String) -> LabelPair {
    let mut pair = LabelPair::default();
    pair.set_name(name.to_owned());
    pair.set_value(value);
    pair
}

/// Cumulative buckets in seconds; the encoder adds `+Inf`, which is the kernel's last bucket.
fn seconds(durations: &Histogram) -> ProtoHistogram {
    let mut count = 0;
    let mut buckets = Vec::with_capacity(HISTOGRAM_BUCKETS);
    for (i, in_bucket) in durations.buckets.iter().enumerate() {
        count += in_bucket;
        if i + 1 < HISTOGRAM_BUCKETS {
            let mut bucket = Bucket::default();
            bucket.set_upper_bound(bucket_bound_ns(i) as f64 / 1e9);
            bucket.set_cumulative_count(count);
            buckets.push(bucket);
        }
    }
    let mut histogram = ProtoHistogram::default();
    histogram.set_bucket(buckets);
    histogram.set_sample_count(count);
    histogram.set_sample_sum(durations.sum_ns as f64 / 1e9);
    histogram
}
