//! Health of the runtime's own parts: handlers, the governor, the configuration, the kernel programs.

use std::time::Instant;

use super::core::Core;
use crate::{
    governor::Level as Step,
    handlers::HandlerStats,
    health::{Component, Resources},
    metrics::Source as _,
};

impl Core {
    /// Looks after the components now.
    pub(super) fn check_now(&self) {
        let threshold = self.in_force().config.health_checks.failure_threshold;
        let snapshot = self.source.snapshot();
        self.checks().update(&self.health, &snapshot, Instant::now());
        check(self, threshold);
    }
}

/// Sets the components. A part that fails `threshold` times in a row counts as failing.
fn check(core: &Core, threshold: u64) {
    core.health.set("governor", governor(core));
    core.health.set("config", config(core));
    core.health.set("kernel_programs", kernel(core));
    let stats = core.handlers.stats();
    let names: Vec<String> = stats.iter().map(|stats| format!("handler_{}", stats.name)).collect();
    core.health.keep_only("handler_", &names);
    for (name, stats) in names.iter().zip(&stats) {
        core.health.set(name, handler(stats, threshold));
    }
    if let Some(current) = core.profiler().get_current() {
        let own = crate::observe::own_cost();
        core.health.set_resources(Resources {
            cpu_seconds: own.cpu_seconds,
            rss_bytes: own.rss_bytes,
            cpu_percent: current.cpu_percent,
            memory_bytes: current.memory_bytes,
        });
    }
}

fn governor(core: &Core) -> Component {
    let view = core.governor().view();
    let component = match view.level {
        Step::Full => Component::healthy("within the budget"),
        step => Component::degraded(format!(
            "step {} of the ladder, to stay inside the budget: {}",
            step.name(),
            view.cause
        )),
    };
    component
        .count("step", view.level.depth().into())
        .count("steps_down", view.steps_down_cpu + view.steps_down_memory)
        .count("steps_up", view.steps_up)
}

fn config(core: &Core) -> Component {
    let in_force = core.in_force();
    let component = match &in_force.last_refusal {
        None => Component::healthy("in force as written"),
        Some(reason) => Component::degraded(format!("the last reload was refused: {reason}")),
    };
    component.count("reloads", in_force.reloads).count("refused", in_force.refused)
}

fn kernel(core: &Core) -> Component {
    match core.steering() {
        None => Component::degraded("not loaded; the component `kernel` says why"),
        Some(_) if !core.is_enabled() => {
            Component::degraded("every probe is off: switched off by `enabled: false`")
        }
        Some(steering) if steering.is_suspended() => {
            Component::degraded("every probe is off, by the governor")
        }
        Some(_) => Component::healthy("loaded, and watching"),
    }
}

fn handler(stats: &HandlerStats, threshold: u64) -> Component {
    let error = stats.last_error.as_ref().map(|error| error.text.clone()).unwrap_or_default();
    let component = if !stats.running {
        Component::unhealthy(format!("it has ended: {error}"))
    } else if stats.consecutive_failures >= threshold {
        Component::degraded(format!("{} failures in a row: {error}", stats.consecutive_failures))
    } else {
        Component::healthy("working")
    };
    component
        .count("received", stats.received)
        .count("handled", stats.handled)
        .count("failed", stats.failed())
        .count("dropped", stats.dropped())
        .count("waiting", stats.waiting)
}
