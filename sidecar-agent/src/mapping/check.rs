//! The rules that every mapping keeps.

use sidecar_common::Status;

use super::error::Problem;
use super::{
    ArgKind, EventKind, LONGEST_STATUS_WORD, MOST_ARGS, MOST_STATUS_VALUES, Mapping, Role, StatusValue,
};

/// Longest provider, marker, argument name or event type, in characters.
const LONGEST_NAME: usize = 128;

/// The first rule that a mapping breaks, with its key relative to the mapping.
pub(super) fn check(mapping: &Mapping) -> Result<(), (String, Problem)> {
    name("provider", &mapping.provider)?;
    name("marker", &mapping.marker)?;
    if let Some(word) = &mapping.event_type {
        name("event_type", word)?;
    }
    args(mapping)?;
    let of_test = match mapping.event {
        EventKind::TestStart | EventKind::TestEnd => true,
        EventKind::Generic | EventKind::Anomaly => false,
    };
    if of_test && mapping.id_arg().is_none() {
        return Err(("args".to_owned(), Problem::NoTest));
    }
    status(mapping)
}

fn name(key: &str, text: &str) -> Result<(), (String, Problem)> {
    let good = |c: char| !c.is_control() && !c.is_whitespace();
    if text.is_empty() || text.chars().count() > LONGEST_NAME || !text.chars().all(good) {
        return Err((key.to_owned(), Problem::Text { most: LONGEST_NAME }));
    }
    Ok(())
}

fn args(mapping: &Mapping) -> Result<(), (String, Problem)> {
    let found = mapping.args.len();
    if found > MOST_ARGS {
        return Err(("args".to_owned(), Problem::TooManyArgs { found, most: MOST_ARGS }));
    }
    for (i, arg) in mapping.args.iter().enumerate() {
        let key = |key: &str| format!("args[{i}].{key}");
        name(&key("name"), &arg.name)?;
        if arg.name.starts_with('_') {
            return Err((key("name"), Problem::ReservedName));
        }
        let before = &mapping.args[..i];
        let role = std::mem::discriminant(&arg.role);
        if !arg.role.repeats()
            && let Some(first) = before.iter().position(|other| std::mem::discriminant(&other.role) == role)
        {
            return Err((key("role"), Problem::RoleTwice { role: arg.role.word(), first }));
        }
        if let Some(first) = before.iter().position(|other| other.name == arg.name) {
            return Err((key("name"), Problem::NameTwice { name: arg.name.clone(), first }));
        }
        let (fits, wants) = fits(arg.role, arg.kind);
        if !fits {
            return Err((key("type"), Problem::Kind { role: arg.role.word(), wants }));
        }
        if let ArgKind::Bytes { len_arg } = arg.kind {
            let length = usize::from(len_arg);
            let integer = mapping.args.get(length).is_some_and(|other| other.kind == ArgKind::Integer);
            if !integer {
                return Err((key("length"), Problem::Length { last: found - 1 }));
            }
        }
        if arg.signed.is_some() && arg.kind != ArgKind::Integer {
            return Err((key("signed"), Problem::NoEffect { goes_with: "the type integer" }));
        }
    }
    Ok(())
}

/// Whether a role can have a type, and which it can have.
fn fits(role: Role, kind: ArgKind) -> (bool, &'static str) {
    let (integer, string, bytes) = match kind {
        ArgKind::Integer => (true, false, false),
        ArgKind::String => (false, true, false),
        ArgKind::Bytes { .. } => (false, false, true),
    };
    match role {
        Role::Key | Role::Attempt | Role::Duration(_) => (integer, "integer"),
        Role::TestId | Role::RunId | Role::Suite | Role::Status => (integer || string, "integer or string"),
        Role::TestName | Role::AttemptId => (string, "string"),
        Role::Message | Role::EventType | Role::Signal | Role::Data | Role::Json => {
            (string || bytes, "string or bytes")
        }
        Role::Plain | Role::Ignore => (true, "integer, string or bytes"),
    }
}

fn status(mapping: &Mapping) -> Result<(), (String, Problem)> {
    let found = mapping.status.len();
    let Some(position) = mapping.position(Role::Status) else {
        if found > 0 {
            return Err((
                "status".to_owned(),
                Problem::NoEffect { goes_with: "an argument of the role status" },
            ));
        }
        return Ok(());
    };
    let words = mapping.args[usize::from(position)].kind == ArgKind::String;
    if words && found == 0 {
        return Err(("status".to_owned(), Problem::NoStatusTable));
    }
    if found > MOST_STATUS_VALUES {
        return Err(("status".to_owned(), Problem::TooManyStatuses { found, most: MOST_STATUS_VALUES }));
    }
    for (i, (value, _)) in mapping.status.iter().enumerate() {
        let (key, fits) = match value {
            StatusValue::Number(number) => (format!("status.{number}"), !words),
            StatusValue::Word(word) => {
                (format!("status.{word}"), words && !word.is_empty() && word.len() <= LONGEST_STATUS_WORD)
            }
        };
        if !fits {
            let (is, wants) =
                if words { ("a string", "a word of 1 to 31 bytes") } else { ("an integer", "a number") };
            return Err((key, Problem::StatusValue { is, wants }));
        }
        if mapping.status[..i].iter().any(|(other, _)| other == value) {
            return Err((key, Problem::StatusTwice));
        }
    }
    Ok(())
}

/// Every status word, for error messages.
pub(super) fn status_words() -> Vec<&'static str> {
    Status::ALL.into_iter().map(Status::name).collect()
}
