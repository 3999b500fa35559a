//! From a record and a mapping to an event.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value as Json};
use sidecar_common::{RECORD_PRECIOUS, Status};

use super::decode::{Record, Value};
use super::payload;
use super::time::utc_ns;
use super::{Event, MISSING, TRUNCATED};
use crate::config::rate_of;
use crate::mapping::{ArgKind, ArgMapping, AttemptId, Mapping, Role, test_id};

impl Event {
    /// The event of a hit. `mono_to_utc_ns` is what the wall clock is ahead of CLOCK_MONOTONIC.
    ///
    /// A NULL pointer is no value. An integer that could not be read, a value that is out of range and a fault
    /// of the program's memory are named in the data under [`MISSING`], a string that was cut under
    /// [`TRUNCATED`]. Text that is not UTF-8 has replacement characters in the place of the bad bytes. JSON that would
    /// take much more memory than its text stays text. No event takes more than [`super::MOST_EVENT_BYTES`].
    #[must_use]
    pub fn from_record(record: &Record, mapping: &Mapping, mono_to_utc_ns: i64) -> Self {
        Self::from_site(record, &Reading::new(mapping, 0), mono_to_utc_ns)
    }

    /// The same for a site whose reading was prepared once for all its hits.
    #[must_use]
    pub fn from_site(record: &Record, reading: &Reading<'_>, mono_to_utc_ns: i64) -> Self {
        let args = &reading.mapping.args;
        let mut parts = Parts::default();
        for position in 0..record.args.len().max(args.len()) {
            match (record.args.get(position), args.get(position)) {
                (Some((value, cut)), Some(arg)) => {
                    let unreadable = reading.names.unreadable & (1 << position.min(15)) != 0;
                    parts.take(arg, value, *cut, unreadable, record);
                }
                (Some((value, cut)), None) => parts.plain(&format!("arg{position}"), value, *cut, None),
                (None, Some(arg)) => parts.lacks(arg, "absent"),
                (None, None) => {}
            }
        }
        parts.event(record, reading, mono_to_utc_ns)
    }
}

/// The words that all events of a site share, so that an event takes no memory of its own for them.
#[derive(Clone, Debug)]
pub struct Names {
    event_type: Arc<str>,
    failure_type: Arc<str>,
    signal: Arc<str>,
    provider: Arc<str>,
    marker: Arc<str>,
    /// Bit i: argument i of the site can't be read, so that its pointer is not NULL but unknown.
    unreadable: u16,
}

impl Names {
    /// The words of a mapping, and which arguments of the site can't be read.
    #[must_use]
    pub fn new(mapping: &Mapping, unreadable: u16) -> Self {
        Self {
            event_type: Arc::from(&*mapping.event_type_of(None)),
            failure_type: Arc::from(&*mapping.event_type_of(Some(Status::Failed))),
            signal: Arc::from(mapping.signal.as_str()),
            provider: Arc::from(mapping.provider.as_str()),
            marker: Arc::from(mapping.marker.as_str()),
            unreadable,
        }
    }
}

/// How the records of one site are read.
#[derive(Clone, Debug)]
pub struct Reading<'a> {
    mapping: &'a Mapping,
    names: Cow<'a, Names>,
}

impl<'a> Reading<'a> {
    /// Reads by a mapping; `unreadable` as in [`Names::new`].
    #[must_use]
    pub fn new(mapping: &'a Mapping, unreadable: u16) -> Self {
        Self { mapping, names: Cow::Owned(Names::new(mapping, unreadable)) }
    }

    /// Reads by a mapping whose names are at hand.
    #[must_use]
    pub fn with_names(mapping: &'a Mapping, names: &'a Names) -> Self {
        Self { mapping, names: Cow::Borrowed(names) }
    }
}

/// What the arguments say.
#[derive(Default)]
struct Parts {
    key: Option<u64>,
    test_id: Option<String>,
    test_name: Option<String>,
    /// The attempt id, and whether it is whole.
    attempt_id: Option<(String, bool)>,
    run_id: Option<String>,
    suite: Option<String>,
    attempt: Option<u32>,
    status: Option<Status>,
    duration_ns: Option<u64>,
    message: Option<String>,
    event_type: Option<String>,
    data: Map<String, Json>,
    /// Members of a payload; they yield to arguments of their name.
    payload: Map<String, Json>,
    missing: Map<String, Json>,
    truncated: Vec<Json>,
}

impl Parts {
    fn take(&mut self, arg: &ArgMapping, value: &Value, cut: bool, unreadable: bool, record: &Record) {
        if arg.role == Role::Ignore {
            return;
        }
        match value {
            Value::Fault => return self.lacks(arg, "fault"),
            Value::Dropped => return self.lacks(arg, "dropped"),
            // An integer is never NULL, so its place is what is not understood.
            Value::Unread if unreadable || arg.kind == ArgKind::Integer => return self.lacks(arg, "unread"),
            Value::Unread => return,
            Value::Integer(_) | Value::Bytes(_) => {}
        }
        if cut {
            self.truncated.push(Json::from(arg.name.as_str()));
        }
        match arg.role {
            Role::Key => self.key = integer(value).filter(|key| *key != 0),
            Role::TestId => self.test_id = text(value, arg).map(unwrapped),
            Role::TestName => self.test_name = text(value, arg),
            Role::AttemptId => self.attempt_id = text(value, arg).map(|text| (text, !cut)),
            Role::RunId => self.run_id = text(value, arg).map(unwrapped),
            Role::Suite => self.suite = text(value, arg).map(unwrapped),
            Role::Attempt => match integer(value).map(u32::try_from) {
                Some(Ok(0)) | None => {}
                Some(Ok(attempt)) => self.attempt = Some(attempt),
                Some(Err(_)) => self.lacks(arg, "out of range"),
            },
            Role::Status => {
                let status = Status::from_number(record.header.status.into());
                self.status = Some(status);
                if status == Status::Unknown {
                    self.plain(&arg.name, value, false, arg.signed);
                }
            }
            Role::Duration(unit) => {
                let ns = integer(value).map(|value| value.checked_mul(unit.nanoseconds()));
                match ns {
                    Some(Some(ns)) if i64::try_from(ns).is_ok() => self.duration_ns = Some(ns),
                    // A duration of centuries is a negative number, or none at all.
                    Some(Some(_) | None) => self.lacks(arg, "out of range"),
                    None => {}
                }
            }
            Role::Message => self.message = text(value, arg),
            Role::EventType => self.event_type = text(value, arg),
            Role::Data => match text(value, arg) {
                Some(text) if !cut && text.trim_start().starts_with(['{', '[']) => {
                    match payload::parse(&text) {
                        Some(Json::Object(members)) => self.payload.extend(members),
                        Some(json) => self.put(&arg.name, json),
                        None => self.put(&arg.name, Json::String(text)),
                    }
                }
                Some(text) => self.put(&arg.name, Json::String(text)),
                None => {}
            },
            Role::Json => {
                if let Some(text) = text(value, arg) {
                    let whole = if cut { None } else { payload::parse(&text) };
                    self.put(&arg.name, whole.map_or(Json::String(text), ok));
                }
            }
            Role::Signal | Role::Plain => self.plain(&arg.name, value, false, arg.signed),
            Role::Ignore => {}
        }
    }

    /// Puts a value into the data as it is.
    fn plain(&mut self, name: &str, value: &Value, cut: bool, signed: Option<bool>) {
        if cut {
            self.truncated.push(Json::from(name));
        }
        let json = match value {
            Value::Integer(value) if signed == Some(false) => Json::from(*value),
            // What the note calls signed is sign-extended; an unsigned number of 2^63 or more is rare.
            Value::Integer(value) => Json::from(value.cast_signed()),
            Value::Bytes(bytes) => Json::from(String::from_utf8_lossy(bytes)),
            Value::Unread => return,
            Value::Fault => {
                self.missing.insert(name.to_owned(), Json::from("fault"));
                return;
            }
            Value::Dropped => {
                self.missing.insert(name.to_owned(), Json::from("dropped"));
                return;
            }
        };
        self.put(name, json);
    }

    fn put(&mut self, name: &str, value: Json) {
        self.data.insert(name.to_owned(), value);
    }

    fn lacks(&mut self, arg: &ArgMapping, why: &str) {
        if arg.role != Role::Ignore {
            self.missing.insert(arg.name.clone(), Json::from(why));
        }
    }

    /// Takes the attempt id apart, for what no other argument told.
    fn resolve(&mut self) {
        let Some((text, whole)) = self.attempt_id.take() else {
            if let (None, Some(name)) = (&self.test_id, &self.test_name) {
                self.test_id = Some(test_id(self.suite.as_deref(), None, name));
            }
            return;
        };
        let id = AttemptId::parse(&text, self.test_name.as_deref(), whole);
        let stress = id.as_ref().and_then(|id| id.stress);
        if let Some(id) = &id {
            self.run_id.get_or_insert_with(|| id.run.to_owned());
            self.suite = self.suite.take().or_else(|| id.suite.map(str::to_owned));
            self.attempt = self.attempt.or(id.attempt);
            self.test_name = self.test_name.take().or_else(|| id.name.map(str::to_owned));
        }
        if let (None, Some(name)) = (&self.test_id, &self.test_name) {
            self.test_id = Some(test_id(self.suite.as_deref(), stress, name));
        }
        if id.is_none() {
            self.put(Role::AttemptId.word(), Json::String(text));
        }
    }

    fn event(mut self, record: &Record, reading: &Reading<'_>, mono_to_utc_ns: i64) -> Event {
        self.resolve();
        let names = &reading.names;
        let mut data = self.payload;
        // These two keys are never the program's own.
        data.remove(MISSING);
        data.remove(TRUNCATED);
        data.extend(self.data);
        if !self.missing.is_empty() {
            data.insert(MISSING.to_owned(), Json::Object(self.missing));
        }
        if !self.truncated.is_empty() {
            data.insert(TRUNCATED.to_owned(), Json::Array(self.truncated));
        }
        let header = &record.header;
        let comm = header.comm.split(|byte| *byte == 0).next().unwrap_or_default();
        let event_type = match &self.event_type {
            Some(word) => Arc::from(word.as_str()),
            None if self.status.is_some_and(Status::is_failure) => Arc::clone(&names.failure_type),
            None => Arc::clone(&names.event_type),
        };
        Event {
            time_ns: utc_ns(header.time_ns, mono_to_utc_ns),
            event_type,
            signal: Arc::clone(&names.signal),
            provider: Arc::clone(&names.provider),
            marker: Arc::clone(&names.marker),
            test_id: self.test_id,
            run_id: self.run_id,
            suite: self.suite,
            attempt: self.attempt,
            status: self.status,
            duration_ns: self.duration_ns,
            message: self.message,
            pid: header.pid,
            tid: header.tid,
            comm: String::from_utf8_lossy(comm).into_owned(),
            cgroup_id: header.cgroup_id,
            container_id: None,
            sample_rate: rate_of(header.rate),
            data,
            key: self.key,
            precious: header.flags & RECORD_PRECIOUS != 0,
            kind: reading.mapping.event,
        }
    }
}

fn integer(value: &Value) -> Option<u64> {
    match value {
        Value::Integer(value) => Some(*value),
        Value::Bytes(_) | Value::Unread | Value::Fault | Value::Dropped => None,
    }
}

/// A text, or a number as text; `None` if it is empty.
fn text(value: &Value, arg: &ArgMapping) -> Option<String> {
    match value {
        Value::Bytes(bytes) if bytes.is_empty() => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
        Value::Integer(value) if arg.signed == Some(false) => Some(value.to_string()),
        Value::Integer(value) => Some(value.cast_signed().to_string()),
        Value::Unread | Value::Fault | Value::Dropped => None,
    }
}

/// The text in `{"ok":"TEXT"}`, as Rust's usdt crate wraps what it serialises; any other text is itself.
fn unwrapped(text: String) -> String {
    if !text.starts_with("{\"ok\"") {
        return text;
    }
    match payload::parse(&text).map(ok) {
        Some(Json::String(inner)) => inner,
        Some(_) | None => text,
    }
}

/// What is in `{"ok": ...}`; any other value is itself.
fn ok(json: Json) -> Json {
    match json {
        Json::Object(mut members) if members.len() == 1 => match members.remove("ok") {
            Some(inner) => inner,
            None => Json::Object(members),
        },
        json => json,
    }
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
