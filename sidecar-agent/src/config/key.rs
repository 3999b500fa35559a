//! One key: its type, its range, and the way to its value.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::scalar::Scalar;
use super::{Config, Fault, FirstEvent, FunctionConfig, HandlerConfig, ProbeConfig, Sink};

/// One key of the section.
pub struct Key {
    /// The dotted name below the section.
    pub name: &'static str,
    /// The environment variable that overrides it.
    pub env: Option<&'static str>,
    /// What it does, in one sentence.
    pub effect: &'static str,
    /// Why a running agent can't change it; `None`: it can.
    pub restart: Option<&'static str>,
    pub(super) field: Field,
}

/// Type, range and place of a key's value.
pub(super) enum Field {
    Switch(fn(&mut Config) -> &mut bool),
    Number {
        place: fn(&mut Config) -> &mut f64,
        min: f64,
        max: f64,
    },
    Count {
        place: fn(&mut Config) -> &mut u64,
        min: u64,
        max: u64,
        power_of_two: bool,
    },
    FirstEvent(fn(&mut Config) -> &mut FirstEvent),
    Address(fn(&mut Config) -> &mut SocketAddr),
    /// An absolute path; empty is none.
    Path(fn(&mut Config) -> &mut String),
    Texts {
        place: fn(&mut Config) -> &mut Vec<String>,
        check: fn(&str) -> Result<(), String>,
        what: &'static str,
    },
    Probes,
    Sinks,
    Handlers,
    Functions,
}

impl Key {
    /// What values it takes, for people.
    #[must_use]
    pub fn range(&self) -> String {
        match &self.field {
            Field::Switch(_) => "true, false".to_owned(),
            Field::Number { min, max, .. } => format!("{min} to {max}"),
            Field::Count { min, max, power_of_two: false, .. } => format!("{min} to {max}, whole"),
            Field::Count { min, max, power_of_two: true, .. } => format!("{min} to {max}, a power of two"),
            Field::FirstEvent(_) => FirstEvent::ALL.map(FirstEvent::name).join(", "),
            Field::Address(_) => "address:port".to_owned(),
            Field::Path(_) => "absolute path, or empty".to_owned(),
            Field::Texts { what, .. } => format!("list of {what}"),
            Field::Probes | Field::Sinks | Field::Handlers | Field::Functions => "list, see below".to_owned(),
        }
    }

    /// The value in force, for people.
    #[must_use]
    pub fn value(&self, config: &Config) -> String {
        let mut config = config.clone();
        match &self.field {
            Field::Switch(place) => place(&mut config).to_string(),
            Field::Number { place, .. } => place(&mut config).to_string(),
            Field::Count { place, .. } => place(&mut config).to_string(),
            Field::FirstEvent(place) => place(&mut config).name().to_owned(),
            Field::Address(place) => place(&mut config).to_string(),
            Field::Path(place) if place(&mut config).is_empty() => "(none)".to_owned(),
            Field::Path(place) => place(&mut config).clone(),
            Field::Texts { place, .. } => format!("[{}]", place(&mut config).join(", ")),
            Field::Probes => {
                let names = config.probes.iter().map(|probe| format!("{}:{}", probe.provider, probe.marker));
                format!("[{}]", names.collect::<Vec<_>>().join(", "))
            }
            Field::Sinks => {
                let names = config.sinks.iter().map(|sink| match sink {
                    Sink::Jsonl { path } => format!("jsonl {path}"),
                });
                format!("[{}]", names.collect::<Vec<_>>().join(", "))
            }
            Field::Handlers => {
                let names = config.handlers.iter().map(ToString::to_string);
                format!("[{}]", names.collect::<Vec<_>>().join(", "))
            }
            Field::Functions => {
                let names = config.functions.iter().map(FunctionConfig::shown);
                format!("[{}]", names.collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// The value in force, for programs. A secret is not part of it: it is printed and served.
    #[must_use]
    pub fn json(&self, config: &Config) -> Value {
        let mut config = config.clone();
        match &self.field {
            Field::Switch(place) => json!(*place(&mut config)),
            Field::Number { place, .. } => json!(*place(&mut config)),
            Field::Count { place, .. } => json!(*place(&mut config)),
            Field::FirstEvent(place) => json!(place(&mut config).name()),
            Field::Address(place) => json!(place(&mut config).to_string()),
            Field::Path(place) => json!(*place(&mut config)),
            Field::Texts { place, .. } => json!(*place(&mut config)),
            Field::Probes => config.probes.iter().map(ProbeConfig::json).collect(),
            Field::Sinks => config.sinks.iter().map(Sink::json).collect(),
            Field::Handlers => config.handlers.iter().map(HandlerConfig::json).collect(),
            Field::Functions => config.functions.iter().map(FunctionConfig::json).collect(),
        }
    }

    /// Whether two configurations have the same value, wherever it stands.
    pub(super) fn same(&self, a: &Config, b: &Config) -> bool {
        match &self.field {
            Field::Switch(_)
            | Field::Number { .. }
            | Field::Count { .. }
            | Field::FirstEvent(_)
            | Field::Address(_)
            | Field::Path(_)
            | Field::Texts { .. }
            | Field::Probes
            | Field::Functions => self.json(a) == self.json(b),
            Field::Sinks => a.sinks == b.sinks,
            Field::Handlers => a.handlers == b.handlers,
        }
    }

    /// Whether a running agent can change it.
    #[must_use]
    pub const fn live(&self) -> bool {
        self.restart.is_none()
    }

    /// Puts a scalar in the value's place.
    pub(super) fn set(&self, config: &mut Config, scalar: &Scalar) -> Result<(), Fault> {
        match &self.field {
            Field::Switch(place) => *place(config) = scalar.switch()?,
            Field::Number { place, min, max } => *place(config) = scalar.number(*min, *max)?,
            Field::Count { place, min, max, power_of_two } => {
                let count = scalar.count(*min, *max)?;
                if *power_of_two && !count.is_power_of_two() {
                    return Err(Fault::Range { found: count.to_string(), range: self.range() });
                }
                *place(config) = count;
            }
            Field::FirstEvent(place) => {
                let text = scalar.text()?;
                *place(config) = FirstEvent::of(&text).ok_or_else(|| Fault::Type {
                    wants: FirstEvent::ALL.map(FirstEvent::name).join(" or "),
                    found: scalar.describe(),
                })?;
            }
            Field::Address(place) => {
                let text = scalar.text()?;
                *place(config) = text.parse().map_err(|_| Fault::Text {
                    found: super::scalar::shown(&text),
                    problem: "is no address with a port, as in 127.0.0.1:9808 or [::1]:9808".to_owned(),
                })?;
            }
            Field::Path(place) => {
                let text = if *scalar == Scalar::Null { String::new() } else { scalar.text()? };
                if !text.is_empty() && !text.starts_with('/') {
                    let problem = "is no absolute path".to_owned();
                    return Err(Fault::Text { found: super::scalar::shown(&text), problem });
                }
                *place(config) = text;
            }
            Field::Texts { .. } | Field::Probes | Field::Sinks | Field::Handlers | Field::Functions => {
                return Err(Fault::Type { wants: format!("a {}", self.range()), found: scalar.describe() });
            }
        }
        Ok(())
    }
}
