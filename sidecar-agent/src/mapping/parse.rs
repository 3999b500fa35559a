//! From the configuration's `probes` to mappings.

use sidecar_common::Status;

use super::check::{check, status_words};
use super::error::{MappingError, Problem};
use super::{ArgKind, ArgMapping, DurationUnit, EventKind, Mapping, Role, StatusValue, presets};
use crate::config::{ArgConfig, ProbeConfig, nearest};

const EVENTS: [&str; 4] = ["event", "test_start", "test_end", "anomaly"];
const KINDS: [&str; 3] = ["integer", "string", "bytes"];
const UNITS: [&str; 4] = ["ns", "us", "ms", "s"];
const ROLES: [Role; 16] = [
    Role::Key,
    Role::TestId,
    Role::TestName,
    Role::AttemptId,
    Role::RunId,
    Role::Suite,
    Role::Attempt,
    Role::Status,
    Role::Duration(DurationUnit::Nanoseconds),
    Role::Message,
    Role::EventType,
    Role::Signal,
    Role::Data,
    Role::Json,
    Role::Plain,
    Role::Ignore,
];

/// The mappings that are wanted: the user's, and those of the presets of markers that the user does not map.
///
/// # Errors
/// A probe that can't be used, with its place, index and key.
pub fn all(probes: &[ProbeConfig], names: &[String]) -> Result<Vec<Mapping>, MappingError> {
    let mut mappings = from_config(probes)?;
    for mapping in presets(names).mappings {
        let same = |user: &Mapping| user.provider == mapping.provider && user.marker == mapping.marker;
        if !mappings.iter().any(same) {
            mappings.push(mapping);
        }
    }
    Ok(mappings)
}

/// The user's mappings.
///
/// # Errors
/// A probe that can't be used, with its place, index and key.
pub fn from_config(probes: &[ProbeConfig]) -> Result<Vec<Mapping>, MappingError> {
    let mut mappings: Vec<Mapping> = Vec::new();
    for (i, probe) in probes.iter().enumerate() {
        let fault = |(key, problem): (String, Problem)| MappingError {
            at: probe.at.clone(),
            key: format!("probes[{i}].{key}"),
            problem,
        };
        let mapping = one(probe).map_err(fault)?;
        check(&mapping).map_err(fault)?;
        let same = |other: &Mapping| other.provider == mapping.provider && other.marker == mapping.marker;
        if let Some(first) = mappings.iter().position(same) {
            let (provider, marker) = (mapping.provider, mapping.marker);
            return Err(fault(("marker".to_owned(), Problem::MarkerTwice { provider, marker, first })));
        }
        mappings.push(mapping);
    }
    Ok(mappings)
}

pub(super) fn one(probe: &ProbeConfig) -> Result<Mapping, (String, Problem)> {
    let event = match probe.event.as_deref() {
        None | Some("event") => EventKind::Generic,
        Some("test_start") => EventKind::TestStart,
        Some("test_end") => EventKind::TestEnd,
        Some("anomaly") => EventKind::Anomaly,
        Some(word) => return Err(unknown("event", word, &EVENTS)),
    };
    let signal = match event {
        EventKind::TestStart | EventKind::TestEnd => "test_events",
        EventKind::Generic | EventKind::Anomaly => "events",
    };
    let numbers = probe.status.iter().all(|(value, _)| value.parse::<i64>().is_ok());
    let args = probe.args.iter().enumerate().map(|(i, arg)| {
        one_arg(i, arg, numbers).map_err(|(key, problem)| (format!("args[{i}].{key}"), problem))
    });
    let args: Vec<ArgMapping> = args.collect::<Result<_, _>>()?;
    let words = args.iter().any(|arg| arg.role == Role::Status && arg.kind == ArgKind::String);
    let status = probe.status.iter().map(|(value, word)| {
        let status = Status::from_name(word)
            .ok_or_else(|| unknown(&format!("status.{value}"), word, &status_words()))?;
        let value = match value.parse() {
            Ok(number) if !words => StatusValue::Number(number),
            Ok(_) | Err(_) => StatusValue::Word(value.clone()),
        };
        Ok((value, status))
    });
    Ok(Mapping {
        provider: probe.provider.clone(),
        marker: probe.marker.clone(),
        event,
        event_type: probe.event_type.clone(),
        signal: probe.signal.clone().unwrap_or_else(|| signal.to_owned()),
        status: status.collect::<Result<_, _>>()?,
        args,
    })
}

fn one_arg(position: usize, arg: &ArgConfig, numbers: bool) -> Result<ArgMapping, (String, Problem)> {
    let word = arg.role.as_deref().unwrap_or(Role::Plain.word());
    let role = ROLES.into_iter().find(|role| role.word() == word);
    let role = role.ok_or_else(|| unknown("role", word, &ROLES.map(Role::word)))?;
    let role = match (role, arg.unit.as_deref()) {
        (Role::Duration(_), None | Some("ns")) => Role::Duration(DurationUnit::Nanoseconds),
        (Role::Duration(_), Some("us")) => Role::Duration(DurationUnit::Microseconds),
        (Role::Duration(_), Some("ms")) => Role::Duration(DurationUnit::Milliseconds),
        (Role::Duration(_), Some("s")) => Role::Duration(DurationUnit::Seconds),
        (Role::Duration(_), Some(unit)) => return Err(unknown("unit", unit, &UNITS)),
        (_, Some(_)) => {
            return Err(("unit".to_owned(), Problem::NoEffect { goes_with: "the role duration" }));
        }
        (role, None) => role,
    };
    let kind = match arg.kind.as_deref() {
        None if arg.length.is_some() => bytes(arg)?,
        None => default_kind(role, numbers),
        Some("integer") => ArgKind::Integer,
        Some("string") => ArgKind::String,
        Some("bytes") => bytes(arg)?,
        Some(word) => return Err(unknown("type", word, &KINDS)),
    };
    if arg.length.is_some() && !matches!(kind, ArgKind::Bytes { .. }) {
        return Err(("length".to_owned(), Problem::NoEffect { goes_with: "the type bytes" }));
    }
    let name = match (&arg.name, role) {
        (Some(name), _) => name.clone(),
        (None, Role::Plain | Role::Ignore | Role::Json | Role::Data) => format!("arg{position}"),
        (None, role) => role.word().to_owned(),
    };
    Ok(ArgMapping { name, role, kind, signed: arg.signed })
}

fn bytes(arg: &ArgConfig) -> Result<ArgKind, (String, Problem)> {
    let length = arg.length.ok_or_else(|| ("type".to_owned(), Problem::NoLength))?;
    // A position that does not fit is none, and the check of positions says so.
    Ok(ArgKind::Bytes { len_arg: u8::try_from(length).unwrap_or(u8::MAX) })
}

/// The type of an argument that names none.
fn default_kind(role: Role, numbers: bool) -> ArgKind {
    match role {
        Role::Key | Role::Attempt | Role::Duration(_) | Role::Plain | Role::Ignore => ArgKind::Integer,
        Role::Status if numbers => ArgKind::Integer,
        Role::TestId
        | Role::TestName
        | Role::AttemptId
        | Role::RunId
        | Role::Suite
        | Role::Status
        | Role::Message
        | Role::EventType
        | Role::Signal
        | Role::Data
        | Role::Json => ArgKind::String,
    }
}

pub(super) fn unknown(key: &str, word: &str, known: &[&str]) -> (String, Problem) {
    let problem = Problem::UnknownWord {
        word: word.to_owned(),
        nearest: nearest(word, known.iter().copied()).unwrap_or_default().to_owned(),
        known: known.join(", "),
    };
    (key.to_owned(), problem)
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
