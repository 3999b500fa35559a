//! The control API's view of the agent.

use std::time::Duration;

use sidecar_common::{Counters, Histogram, bucket_bound_ns};

use super::{core::Core, reload::utc_ns};
use crate::{
    config::{KEYS, nearest, rate_of},
    control::{
        Anomaly, Bucket, Budget, BudgetLimits, BudgetUse, ConfigReport, ConfigValue, Control, Current,
        Durations, Image, Images, Probe, Probes, Profile, Refused, ReloadRefused, ReloadReport, Sampling,
        SignalState, Stats, Summary, Tests,
    },
    event::rfc3339,
    metrics::{ProbeStats, Source as _},
    observe::monotonic_ns,
    sampling::{BoostError, Manual, in_force},
};

/// Images in an answer.
const MOST_IMAGES: usize = 1000;

impl Core {
    /// A time of CLOCK_MONOTONIC as RFC 3339 in UTC.
    fn when(&self, monotonic: u64) -> String {
        let ago = i64::try_from(monotonic_ns()).unwrap_or(i64::MAX) - i64::try_from(monotonic).unwrap_or(0);
        rfc3339(utc_ns().saturating_sub(ago))
    }

    fn signal(&self, name: &str, probes: &[ProbeStats]) -> Option<SignalState> {
        let (configured, manual, wanted, factor) = {
            let rates = self.rates();
            let set = *rates.get(name)?;
            (set.threshold, set.manual, rates.state(name)?, rates.adaptive().boost_factor)
        };
        let now = monotonic_ns();
        let known = self.steering().and_then(|steering| steering.boost_state(name).ok()).unwrap_or_default();
        let mut counters = Counters::default();
        for probe in probes.iter().filter(|probe| probe.signal == name) {
            counters.hits += probe.counters.hits;
            counters.kept += probe.counters.kept;
            counters.sampled_out += probe.counters.sampled_out;
        }
        let by_anomalies = (known.until_ns > now).then_some((known.until_ns, factor));
        let by_request =
            manual.filter(|manual| manual.is_on(now)).map(|manual| (manual.until_ns, manual.factor));
        let boost = [by_anomalies, by_request].into_iter().flatten().max_by(|a, b| a.1.total_cmp(&b.1));
        let in_window = known
            .anomaly_at
            .iter()
            .filter(|at| **at != 0 && now.saturating_sub(**at) <= wanted.anomaly_window_ns)
            .count();
        Some(SignalState {
            configured_rate: rate_of(configured),
            effective_rate: rate_of(in_force(&wanted, known.until_ns, now)),
            has_boost: boost.is_some(),
            boost_factor: boost.map(|(_, factor)| factor),
            boosted_until: boost.map(|(until, _)| self.when(until)),
            boost_remaining_seconds: boost.map(|(until, _)| until.saturating_sub(now) as f64 / 1e9),
            boosts: known.boosts,
            anomalies_in_window: in_window as u64,
            total_signals: counters.hits,
            sampled_signals: counters.kept,
            dropped_signals: counters.sampled_out,
        })
    }

    fn changed(&self, name: &str) -> Result<SignalState, Refused> {
        let state = self.rates().state(name);
        if let (Some(state), Some(steering)) = (state, self.steering()) {
            let failed = |error: crate::bpf::BpfError| Refused::Unavailable { reason: error.to_string() };
            steering.set_signal(name, &state).map_err(failed)?;
        }
        let snapshot = self.source.snapshot();
        self.signal(name, &snapshot.probes).ok_or_else(|| self.unknown(name))
    }

    fn unknown(&self, name: &str) -> Refused {
        let rates = self.rates();
        let known: Vec<&str> = rates.names().map(String::as_str).collect();
        Refused::UnknownSignal {
            signal: name.to_owned(),
            nearest: nearest(name, known.into_iter()).map(str::to_owned),
        }
    }

    fn is_known(&self, name: &str) -> Result<(), Refused> {
        let known = self.rates().get(name).is_some();
        if known { Ok(()) } else { Err(self.unknown(name)) }
    }
}

/// A histogram as it is shown.
fn durations(histogram: &Histogram) -> Durations {
    let last = histogram.buckets.len() - 1;
    let bucket = |(i, &count): (usize, &u64)| Bucket {
        up_to_seconds: (i < last).then(|| bucket_bound_ns(i) as f64 / 1e9),
        count,
    };
    Durations {
        count: histogram.buckets.iter().sum(),
        sum_seconds: histogram.sum_ns as f64 / 1e9,
        buckets: histogram.buckets.iter().enumerate().filter(|(_, count)| **count > 0).map(bucket).collect(),
    }
}

impl Control for Core {
    fn stats(&self) -> Stats {
        self.accounts()
    }

    fn sampling(&self) -> Sampling {
        let probes = self.source.snapshot().probes;
        let names: Vec<String> = self.rates().names().cloned().collect();
        let signals =
            names.into_iter().filter_map(|name| Some((name.clone(), self.signal(&name, &probes)?))).collect();
        let enabled = self.in_force().config.sampling.enabled;
        Sampling { enabled, adaptive: self.rates().adaptive().enabled, signals }
    }

    fn profile(&self, window: Duration) -> Profile {
        let profiler = self.profiler();
        let megabytes = |value: f64| (value * 1e6) as u64;
        let current = profiler.get_current().map(|now| Current {
            timestamp: rfc3339((now.timestamp * 1e9) as i64),
            cpu_percent: now.cpu_percent.unwrap_or(0.0),
            bpf_cpu_percent: now.cpu.programs.unwrap_or(0.0),
            memory_bytes: now.memory_bytes.unwrap_or(0),
            map_memory_bytes: now.memory.maps.unwrap_or(0),
            thread_count: now.thread_count.unwrap_or(0),
            unmeasured: now.unmeasured.clone(),
        });
        let seconds = window.as_secs_f64();
        let found = profiler.get_summary(seconds);
        let summary = (found.sample_count > 0).then(|| Summary {
            window_seconds: seconds,
            sample_count: found.sample_count as u64,
            cpu_avg: found.cpu_avg.unwrap_or(0.0),
            cpu_max: found.cpu_max.unwrap_or(0.0),
            memory_avg_bytes: found.memory_avg.map_or(0.0, |value| value * 1e6),
            memory_max_bytes: found.memory_max.map_or(0, megabytes),
            memory_growth_bytes: found.memory_growth_mb.map_or(0, |value| (value * 1e6) as i64),
        });
        Profile { current, summary }
    }

    fn budget(&self) -> Budget {
        let view = self.governor().view();
        let (cpu, memory) = (view.budget.cpu_percent, view.budget.memory_bytes);
        let over = self.profiler().is_over_budget(cpu, memory as f64 / 1e6);
        Budget {
            limits: BudgetLimits { cpu_percent: cpu, memory_bytes: memory },
            current: view
                .cpu_percent
                .zip(view.memory_bytes)
                .map(|(cpu_percent, memory_bytes)| BudgetUse { cpu_percent, memory_bytes }),
            cpu_over_budget: over.cpu_over_budget,
            memory_over_budget: over.memory_over_budget,
            level: view.level.depth().into(),
            step: view.level.name().to_owned(),
            reason: view.cause.to_string(),
            since: (view.since_ns > 0).then(|| self.when(view.since_ns)),
        }
    }

    fn probes(&self) -> Probes {
        let hit_ns = self.profiler().hit_ns();
        let mut probes: Vec<Probe> = self
            .source
            .snapshot()
            .probes
            .into_iter()
            .map(|probe| Probe {
                kind: probe.kind.name().to_owned(),
                untimed: probe.counters.unmatched + probe.counters.overwritten + probe.counters.evicted,
                durations: probe.histogram.as_ref().map(durations),
                provider: probe.provider,
                name: probe.marker,
                signal: probe.signal,
                sites: probe.sites,
                hits: probe.counters.hits,
                kept: probe.counters.kept,
                sampled_out: probe.counters.sampled_out,
                lost: probe.counters.lost,
                disabled: probe.counters.disabled,
                read_faults: probe.counters.read_faults,
                cost_seconds: hit_ns.map(|ns| probe.counters.hits as f64 * ns / 1e9),
                slow_limit_seconds: (probe.slow_limit_ns > 0).then(|| probe.slow_limit_ns as f64 / 1e9),
            })
            .collect();
        probes.sort_by(|a, b| (&a.provider, &a.name).cmp(&(&b.provider, &b.name)));
        Probes { probes }
    }

    fn images(&self) -> Images {
        let Some(steering) = self.steering() else { return Images::default() };
        let hex = |id: &Vec<u8>| id.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let mut images: Vec<Image> = steering
            .images()
            .iter()
            .map(|image| Image {
                path: image.path.display().to_string(),
                build_id: image.build_id.as_ref().map(hex),
                sites: image.sites as u64,
                refused: 0,
                reason: None,
            })
            .collect();
        images.sort_by(|a, b| a.path.cmp(&b.path));
        let omitted = images.len().saturating_sub(MOST_IMAGES) as u64;
        images.truncate(MOST_IMAGES);
        Images { images, omitted }
    }

    fn tests(&self) -> Tests {
        self.seen().tell(utc_ns())
    }

    fn config(&self) -> ConfigReport {
        let in_force = self.in_force();
        let config = &in_force.config;
        let value = |key: &crate::config::Key| ConfigValue {
            key: key.name.to_owned(),
            value: key.value(config),
            source: config.source(key.name).to_string(),
        };
        let user = config.sampling.user.iter().map(|(name, rate)| {
            let key = format!("sampling.{name}");
            ConfigValue { source: config.source(&key).to_string(), key, value: rate.to_string() }
        });
        let file = in_force.origin.as_ref().and_then(|origin| origin.file.as_ref());
        ConfigReport {
            file: file.map(|file| file.display().to_string()),
            loaded: rfc3339(in_force.loaded_ns),
            reloads: in_force.reloads,
            reloads_refused: in_force.refused,
            last_refusal: in_force.last_refusal.as_ref().map(|refused| refused.reason.clone()),
            values: KEYS.iter().map(value).chain(user).collect(),
        }
    }

    fn reload(&self) -> Result<ReloadReport, ReloadRefused> {
        let outcome = self.reload_from_origin();
        // Who asks for health now sees what became of it.
        self.check_now();
        outcome
    }

    fn set_rate(&self, signal: &str, rate: f64) -> Result<SignalState, Refused> {
        self.is_known(signal)?;
        if !self.rates().set(signal, rate) {
            let reason = format!("{rate} is no rate");
            return Err(Refused::Value { reason, hint: "a rate is a number from 0 to 1".to_owned() });
        }
        tracing::info!("the rate of {signal} is set to {rate}");
        self.changed(signal)
    }

    fn boost(&self, signal: &str, factor: f64, duration: Duration) -> Result<SignalState, Refused> {
        self.is_known(signal)?;
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let manual = Manual::new(factor, ns, monotonic_ns()).map_err(|error| Refused::Value {
            reason: error.to_string(),
            hint: match error {
                BoostError::Factor(_) => "a factor from 1 to 1000".to_owned(),
                BoostError::Duration(_) => "a duration above 0 and of at most a day".to_owned(),
            },
        })?;
        self.rates().set_manual(signal, Some(manual));
        tracing::info!("{signal} is boosted {factor} times for {duration:?}");
        self.changed(signal)
    }

    fn clear_boost(&self, signal: &str) -> Result<SignalState, Refused> {
        self.is_known(signal)?;
        self.rates().set_manual(signal, None);
        if let Some(steering) = self.steering()
            && let Err(error) = steering.clear_anomalies(signal)
        {
            return Err(Refused::Unavailable { reason: error.to_string() });
        }
        self.changed(signal)
    }

    fn report_anomaly(&self, signal: &str, kind: &str) -> Result<Anomaly, Refused> {
        self.is_known(signal)?;
        let Some(steering) = self.steering() else {
            let reason = "the kernel programs are not loaded".to_owned();
            return Err(Refused::Unavailable { reason });
        };
        steering
            .report_anomaly(signal)
            .map_err(|error| Refused::Unavailable { reason: error.to_string() })?;
        let state = self.changed(signal)?;
        Ok(Anomaly {
            signal: signal.to_owned(),
            kind: kind.to_owned(),
            anomalies_in_window: state.anomalies_in_window,
            has_boost: state.has_boost,
        })
    }
}
