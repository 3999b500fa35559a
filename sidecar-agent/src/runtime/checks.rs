//! Health of the runtime's own parts, put together from what they say of themselves.

use std::time::{Duration, Instant};

use super::core::Core;
use crate::{
    health::{HttpFigures, Programs, Resources, config, programs},
    http::Load,
    metrics::Source as _,
};

/// Whether a check is due that was made last at `last`.
pub(super) fn due(last: Option<Instant>, every: Duration, now: Instant) -> bool {
    last.is_none_or(|at| now.saturating_duration_since(at) >= every)
}

impl Core {
    /// Looks after the components now, if the configuration wants them looked after.
    pub(super) fn check_now(&self) {
        let (wanted, threshold, config) = {
            let in_force = self.in_force();
            let checks = &in_force.config.health_checks;
            let refusal = in_force.last_refusal.as_ref();
            let refusal = refusal.map(|refused| (refused.reason.as_str(), refused.place.as_ref()));
            let config = config(refusal, in_force.reloads, in_force.refused);
            (checks.enabled, checks.failure_threshold, config)
        };
        if !wanted {
            self.health.unchecked();
            return;
        }
        let (snapshot, now) = (self.source.snapshot(), Instant::now());
        {
            let mut checks = self.checks();
            checks.update(&self.health, &snapshot, threshold, now);
            if let Some(figures) = self.http_figures() {
                checks.update_http(&self.health, &figures, now);
            }
        }
        self.health.set("config", config);
        self.health.set("kernel_programs", programs(self.programs()));
        if let Some(current) = self.profiler().get_current() {
            let own = crate::observe::own_cost();
            self.health.set_resources(Resources {
                cpu_seconds: own.cpu_seconds,
                rss_bytes: own.rss_bytes,
                cpu_percent: current.cpu_percent,
                memory_bytes: current.memory_bytes,
            });
        }
    }

    fn programs(&self) -> Programs {
        match self.steering() {
            None => Programs::Missing,
            Some(_) if !self.is_enabled() => Programs::Off,
            Some(steering) if steering.is_suspended() => Programs::Suspended,
            Some(_) => Programs::Watching,
        }
    }

    /// What the HTTP server says of itself, where there is one.
    pub(super) fn http_figures(&self) -> Option<HttpFigures> {
        let (places, load): &(String, std::sync::Arc<Load>) = self.http.get()?;
        Some(HttpFigures {
            places: places.clone(),
            open: load.open(),
            limit: load.limit(),
            crowded: load.crowded(),
            ended: load.ended(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_due_at_once_and_then_each_interval() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        for interval in [1, 30, 86_400] {
            let every = Duration::from_secs(interval);
            assert!(due(None, every, start), "the first");
            for (after, is_due) in [(Duration::ZERO, false), (every - second / 1000, false), (every, true)] {
                assert_eq!(due(Some(start), every, start + after), is_due, "{interval} s, after {after:?}");
            }
            // A clock that went back is no interval.
            assert!(!due(Some(start + every), every, start));
        }
    }
}
