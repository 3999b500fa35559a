//! Components that are judged by a few figures of the moment.

use super::report::Component;
use super::states::{
    CONFIG_REFUSED, CONFIG_WELL, GATE_ENDED, GATE_HOLDING, GATE_MISSED, GATE_MISSING, GOVERNOR_FULL,
    GOVERNOR_STEPPED, HTTP_CROWDED, HTTP_ENDED, HTTP_LISTENING, KERNEL_LOADED, KERNEL_MISSING,
    PROGRAMS_MISSING, PROGRAMS_OFF, PROGRAMS_SUSPENDED, PROGRAMS_WATCHING,
};
use crate::config::Place;
use crate::governor::{Level as Step, View};
use crate::metrics::{GateFigures, GateState};

/// The component `kernel`: the reason why BPF is unavailable, or none.
#[must_use]
pub fn kernel(unavailable: Option<&str>) -> Component {
    match unavailable {
        None => Component::of(&KERNEL_LOADED),
        Some(reason) => Component::with(&KERNEL_MISSING, reason),
    }
}

/// What the kernel programs do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Programs {
    /// They could not be loaded.
    Missing,
    /// The configuration has switched them off.
    Off,
    /// The governor has taken them off.
    Suspended,
    /// They watch.
    Watching,
}

/// The component `kernel_programs`.
#[must_use]
pub fn programs(programs: Programs) -> Component {
    Component::of(match programs {
        Programs::Missing => &PROGRAMS_MISSING,
        Programs::Off => &PROGRAMS_OFF,
        Programs::Suspended => &PROGRAMS_SUSPENDED,
        Programs::Watching => &PROGRAMS_WATCHING,
    })
}

/// The component `governor`.
pub(super) fn governor(view: &View) -> Component {
    let component = match view.level {
        Step::Full => Component::of(&GOVERNOR_FULL),
        Step::Half | Step::Quarter | Step::Eighth | Step::NoPayloads | Step::CountOnly | Step::Detached => {
            Component::with(
                &GOVERNOR_STEPPED,
                format_args!("step {} of the ladder, {}", view.level.name(), view.cause),
            )
        }
    };
    component
        .count("step", view.level.depth().into())
        .count("steps_down", view.steps_down_cpu + view.steps_down_memory)
        .count("steps_up", view.steps_up)
}

/// The component `config`: why the last reload was refused, as a text and in parts, or nothing if it was not.
#[must_use]
pub fn config(refusal: Option<(&str, &Place)>, reloads: u64, refused: u64) -> Component {
    let component = match refusal {
        None => Component::of(&CONFIG_WELL),
        Some((reason, place)) => {
            Component { fault: Some(Box::new(place.clone())), ..Component::with(&CONFIG_REFUSED, reason) }
        }
    };
    component.count("reloads", reloads).count("refused", refused)
}

/// What the HTTP server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HttpFigures {
    /// Where it listens, for people.
    pub places: String,
    /// Connections that are open.
    pub open: u64,
    /// Connections that may be open, over all listeners.
    pub limit: u64,
    /// Times that all connections of a listener were taken.
    pub crowded: u64,
    /// It has ended.
    pub ended: bool,
}

/// The component `http`; `crowded` says whether that has grown lately.
pub(super) fn http(figures: &HttpFigures, crowded: bool) -> Component {
    let component = if figures.ended {
        Component::of(&HTTP_ENDED)
    } else if crowded {
        Component::of(&HTTP_CROWDED)
    } else {
        Component::with(&HTTP_LISTENING, &figures.places)
    };
    component
        .count("connections", figures.open)
        .count("max_connections", figures.limit)
        .count("crowded", figures.crowded)
}

/// The component `gate`; `missed` says whether execs went on unheld lately.
pub(super) fn gate(figures: &GateFigures, missed: bool) -> Component {
    let component = match &figures.state {
        GateState::Missing(why) => Component::with(&GATE_MISSING, why),
        GateState::Ended(why) => Component::with(&GATE_ENDED, why),
        GateState::Holding if missed => Component::of(&GATE_MISSED),
        GateState::Holding => Component::of(&GATE_HOLDING),
    };
    component
        .count("waiting", figures.waiting)
        .count("missed", figures.missed)
        .count("filesystems", figures.filesystems)
        .count("left_out", figures.left_out)
}
