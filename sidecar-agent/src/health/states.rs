//! Every state that a component can have. No component is made without one of these, and docs/health.md lists exactly
//! these: a test holds the two together, and another reaches each.

use super::report::Level;

/// A state of a component.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The component's name; [`HANDLER`] stands for each handler's.
    pub(super) component: &'static str,
    /// How well the component works then.
    pub(super) level: Level,
    /// What its message says, alone or before the details.
    pub(super) text: &'static str,
}

/// Begins the names of the handlers' components.
pub(super) const HANDLER_PREFIX: &str = "handler_";
/// In the list of states, the component of a handler.
const HANDLER: &str = "handler_NAME";
/// The component that says when the path of events last moved.
pub(super) const DATA_PATH: &str = "data_path";

macro_rules! states {
    ($($name:ident: $component:expr, $level:ident, $text:expr;)*) => {
        $(pub(super) const $name: State = State { component: $component, level: Level::$level, text: $text };)*

        /// All of them.
        #[cfg(test)]
        pub(super) const ALL: &[&State] = &[$(&$name),*];
    };
}

states! {
    KERNEL_LOADED: "kernel", Healthy, "the kernel programs are loaded";
    KERNEL_MISSING: "kernel", Degraded, "nothing is observed";

    PROGRAMS_WATCHING: "kernel_programs", Healthy, "loaded, and watching";
    PROGRAMS_MISSING: "kernel_programs", Degraded, "not loaded; the component kernel says why";
    PROGRAMS_OFF: "kernel_programs", Degraded, "every probe is off: the configuration says enabled: false";
    PROGRAMS_SUSPENDED: "kernel_programs", Degraded, "every probe is off, by the governor";

    ATTACHED: "attachments", Healthy, "attached";
    ATTACH_REFUSED: "attachments", Degraded,
        "programs with wanted markers got no probe lately; the log says why";

    RING_WELL: "ring", Healthy, "no record was lost lately";
    RING_LOST: "ring", Degraded,
        "records were lost lately, because the ring was full: lower the sampling rates";

    DATA_MOVING: DATA_PATH, Healthy, "moving";
    DATA_STALLED: DATA_PATH, Degraded, "the path of events has not moved";
    DATA_STOPPED: DATA_PATH, Unhealthy, "the path of events has stopped; restart the agent";

    QUEUE_WELL: "queue", Healthy, "has room";
    QUEUE_DROPPED: "queue", Degraded,
        "dropped events lately: what follows it is too slow, or max_queue_size too small";
    QUEUE_FULL: "queue", Degraded, "is over 80 % full";

    SINKS_WELL: "sinks", Healthy, "every sink works";
    SINK_ERROR: "sinks", Degraded, "can't be written";
    SINK_FAILED: "sinks", Degraded, "some events could not be written lately";
    SINK_DROPPED: "sinks", Degraded, "its queue dropped events lately: it is too slow";
    SINK_FULL: "sinks", Degraded, "its queue is over 80 % full";

    HANDLER_WORKING: HANDLER, Healthy, "working";
    HANDLER_FAILING: HANDLER, Degraded, "failing, one event after the other";
    HANDLER_UNRELIABLE: HANDLER, Degraded, "failed on more than 10 % of its events lately";
    HANDLER_DROPPED: HANDLER, Degraded, "dropped events lately, for want of room: it is too slow";
    HANDLER_ENDED: HANDLER, Unhealthy, "it has ended; restart the agent";

    GOVERNOR_FULL: "governor", Healthy, "within the budget";
    GOVERNOR_STEPPED: "governor", Degraded, "gives up detail to stay inside the budget";

    CONFIG_WELL: "config", Healthy, "in force as written";
    CONFIG_REFUSED: "config", Degraded, "the last reload was refused";

    HTTP_LISTENING: "http", Healthy, "listening";
    HTTP_CROWDED: "http", Degraded,
        "every connection was taken lately, and clients may have waited; raise http.max_connections";
    HTTP_ENDED: "http", Unhealthy, "the server has ended; restart the agent";

    GATE_HOLDING: "gate", Healthy, "programs are held until their probes are on";
    GATE_MISSED: "gate", Degraded,
        "programs went on before their probes were on lately, so that first events may be missing";
    GATE_ENDED: "gate", Degraded, "programs are no longer held, so that first events may be missing; restart the agent";
    GATE_MISSING: "gate", Degraded, "programs are not held, so that first events may be missing";

    RUNTIME_STOPPED: "runtime", Unhealthy, "it does not run; start it";
}
