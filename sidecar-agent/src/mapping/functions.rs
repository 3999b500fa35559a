//! From the configuration's `functions` to what is wanted of them.

use super::check::check;
use super::error::{MappingError, Problem};
use super::parse::{one, unknown};
use super::place::{ArgAt, Base, parse};
use super::{ArgKind, ArgMapping, DurationUnit, EventKind, Mapping, Role};
use crate::config::{ArgConfig, FunctionConfig, FunctionName, FunctionPlace, ProbeConfig, Source};

const MOMENTS: [&str; 2] = ["entry", "entry_and_return"];
/// Types, their sizes, and whether they have a sign.
const INTEGERS: [(&str, u8, bool); 8] = [
    ("i8", 1, true),
    ("i16", 2, true),
    ("i32", 4, true),
    ("i64", 8, true),
    ("u8", 1, false),
    ("u16", 2, false),
    ("u32", 4, false),
    ("u64", 8, false),
];
/// What stands for the function's name until it is known.
const UNKNOWN: &str = "function";
/// What is behind a function's name where its return is meant.
pub const RETURN: &str = "%return";

/// What happens at a function's entry or return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// What a hit means. The function's name takes the place of the marker's.
    pub mapping: Mapping,
    /// Where each of the mapping's arguments is.
    pub places: Vec<ArgAt>,
}

/// Functions that are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FunctionMapping {
    /// Where it stands.
    pub at: Source,
    /// Its dotted key, as in `functions[2]`.
    pub key: String,
    /// In which files.
    pub place: FunctionPlace,
    /// Which functions of them.
    pub which: FunctionName,
    /// What events and metrics call the file; `None`: by its name.
    pub provider: Option<String>,
    /// What they call the function; `None`: by its name.
    pub name: Option<String>,
    /// The entry.
    pub entry: Moment,
    /// The return, if it is watched.
    pub on_return: Option<Moment>,
    /// No exception leaves the functions.
    pub never_unwinds: bool,
}

/// What the configuration wants of functions.
///
/// # Errors
/// An entry that can't be used, with its place, index and key.
pub fn functions(functions: &[FunctionConfig]) -> Result<Vec<FunctionMapping>, MappingError> {
    let mapping = |(i, function): (usize, &FunctionConfig)| {
        let fault = |(key, problem): (String, Problem)| MappingError {
            at: function.at.clone(),
            key: format!("functions[{i}].{key}"),
            problem,
        };
        let (entry, on_return) = moments(function).map_err(fault)?;
        Ok(FunctionMapping {
            at: function.at.clone(),
            key: format!("functions[{i}]"),
            place: function.place.clone(),
            which: function.which.clone(),
            provider: function.provider.clone(),
            name: None,
            entry,
            on_return,
            never_unwinds: function.never_unwinds,
        })
    };
    functions.iter().enumerate().map(mapping).collect()
}

/// A function of a preset, under a name of its own.
pub(super) fn of_preset(preset: &str, name: &str, function: &FunctionConfig) -> Option<FunctionMapping> {
    let key = format!("presets.{preset}");
    let mapping = functions(std::slice::from_ref(function)).ok()?.pop()?;
    Some(FunctionMapping { key, name: Some(name.to_owned()), ..mapping })
}

type Fault = (String, Problem);

fn moments(function: &FunctionConfig) -> Result<(Moment, Option<Moment>), Fault> {
    let returns = match function.on.as_deref() {
        None | Some("entry") => false,
        Some("entry_and_return") => true,
        Some(word) => return Err(unknown("on", word, &MOMENTS)),
    };
    if !returns {
        let goes_with = "`on: entry_and_return`";
        let without = [("result", function.result.is_some()), ("never_unwinds", function.never_unwinds)];
        if let Some((key, _)) = without.into_iter().find(|(_, is_there)| *is_there) {
            return Err((key.to_owned(), Problem::NoEffect { goes_with }));
        }
    }
    let result = function.result.as_ref().map(|arg| converted("result", arg, Base::Result)).transpose()?;
    let of_result = result.as_ref().is_some_and(|(arg, _)| arg.role.as_deref() == Some(Role::Status.word()));
    let event_type = function.event_type.clone().unwrap_or_else(|| UNKNOWN.to_owned());
    let mut probe = ProbeConfig {
        at: function.at.clone(),
        provider: function.provider.clone().unwrap_or_else(|| UNKNOWN.to_owned()),
        marker: UNKNOWN.to_owned(),
        event: function.event.clone(),
        event_type: function.event_type.clone(),
        signal: function.signal.clone(),
        args: Vec::new(),
        status: if of_result { Vec::new() } else { function.status.clone() },
    };
    let mut places = Vec::new();
    for (i, arg) in function.args.iter().enumerate() {
        let base = Base::Argument(u8::try_from(i).unwrap_or(u8::MAX));
        let (arg, at) = converted(&format!("args[{i}]"), arg, base)?;
        probe.args.push(arg);
        places.push(at);
    }
    let mut entry = Moment { mapping: one(&probe)?, places };
    check(&entry.mapping)?;
    let is_event = entry.mapping.event == EventKind::Generic;
    if returns && !is_event {
        return Err(("on".to_owned(), Problem::EntryOnly));
    }
    if is_event && entry.mapping.event_type.is_none() {
        entry.mapping.event_type = Some(format!("{UNKNOWN}_entry"));
    }
    for (place, arg) in entry.places.iter_mut().zip(&entry.mapping.args) {
        settle(place, arg);
    }
    if !returns {
        return Ok((entry, None));
    }
    let (args, mut places): (Vec<_>, Vec<_>) = result.into_iter().unzip();
    let status = if of_result { function.status.clone() } else { Vec::new() };
    let of_return = ProbeConfig { args, status, event_type: Some(format!("{event_type}_return")), ..probe };
    let in_result = |(key, problem): Fault| {
        let rest = key.strip_prefix("args[0]");
        (rest.map_or_else(|| key.clone(), |rest| format!("result{rest}")), problem)
    };
    let mut mapping = one(&of_return).map_err(in_result)?;
    check(&mapping).map_err(in_result)?;
    for (place, arg) in places.iter_mut().zip(&mapping.args) {
        settle(place, arg);
    }
    if mapping.args.iter().any(|arg| matches!(arg.role, Role::Duration(_)) || arg.name == "duration") {
        return Err(("result".to_owned(), Problem::Measured));
    }
    // Behind the result, whose length may be named by its position.
    let role = Role::Duration(DurationUnit::Nanoseconds);
    mapping.args.push(ArgMapping {
        name: role.word().to_owned(),
        role,
        kind: ArgKind::Integer,
        signed: Some(false),
    });
    places.push(ArgAt { base: Base::Elapsed, steps: Vec::new(), size: 8, signed: false });
    Ok((entry, Some(Moment { mapping, places })))
}

/// A text is behind a pointer of 8 bytes, whatever was said of numbers.
fn settle(place: &mut ArgAt, arg: &ArgMapping) {
    if arg.kind != ArgKind::Integer {
        (place.size, place.signed) = (8, false);
    }
}

/// An argument as markers have it, and where it is.
fn converted(key: &str, arg: &ArgConfig, base: Base) -> Result<(ArgConfig, ArgAt), Fault> {
    let (mut size, mut signed) = (8, true);
    let mut arg = arg.clone();
    match arg.kind.as_deref() {
        None | Some("string" | "bytes") => {}
        Some(word) => {
            let Some(&(_, bytes, sign)) = INTEGERS.iter().find(|(name, _, _)| *name == word) else {
                let known = INTEGERS.iter().map(|(name, _, _)| *name).chain(["string", "bytes"]);
                return Err(unknown(&format!("{key}.type"), word, &known.collect::<Vec<_>>()));
            };
            (size, signed) = (bytes, sign);
            arg.kind = Some("integer".to_owned());
            arg.signed = Some(sign);
        }
    }
    let (base, steps) = match arg.at.take() {
        None => (base, Vec::new()),
        Some(text) => {
            let here = |found: Base| (found == Base::Result) == (base == Base::Result);
            let found = parse(&text).filter(|(found, _)| here(*found));
            found.ok_or_else(|| (format!("{key}.at"), Problem::Place { found: text }))?
        }
    };
    Ok((arg, ArgAt { base, steps, size, signed }))
}

#[cfg(test)]
#[path = "functions_tests.rs"]
mod tests;
