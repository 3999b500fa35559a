//! From a mapping and the places of one site's arguments to the spec that the kernel programs read.

use sidecar_common::{
    ArgSpec, EVENT_ANOMALY, EVENT_GENERIC, EVENT_TEST_END, EVENT_TEST_START, FLAG_EMPTY_IS_ZERO,
    FLAG_LEAST_OF_ALL, FLAG_NULL_IS_ZERO, FLAG_SIGNED, KIND_BYTES, KIND_INTEGER, KIND_STRING, LOC_CONSTANT,
    LOC_ELAPSED, LOC_INDEXED, LOC_MEMORY, LOC_POINTED, LOC_REGISTER, LOC_UNREAD, MAX_ARGS, MAX_STRING,
    NO_ARG, NO_HISTOGRAM, Spec,
};

use super::{ArgPlace, Place};
use crate::mapping::{Absent, ArgKind, ArgMapping, EventKind, Mapping, Role};

/// Where in the kernel's maps a spec finds what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Index of the signal.
    pub signal: u8,
    /// Index of the status table.
    pub status_table: u8,
    /// Index of the duration histogram, or `NO_HISTOGRAM`.
    pub histogram: u32,
    /// The generation of the spec's index.
    pub generation: u32,
    /// Longest string or byte block, in bytes with the NUL; brought into 1 to `MAX_STRING`.
    pub max_string: u32,
}

/// Builds the spec of a site. Arguments beyond the mapping are plain integers; what the mapping says of
/// arguments that the site does not have, or that can't be read, stays empty.
#[must_use]
pub fn compile(mapping: &Mapping, places: &[ArgPlace], slots: &Slots) -> Spec {
    let places = places.get(..MAX_ARGS).unwrap_or(places);
    let mut spec = Spec {
        argc: places.len() as u8,
        event: event(mapping.event),
        signal: slots.signal,
        generation: slots.generation,
        max_string: slots.max_string.clamp(1, MAX_STRING),
        ..Spec::default()
    };
    for (position, (place, arg)) in places.iter().zip(&mut spec.args).enumerate() {
        *arg = argument(place, mapping.args.get(position), is_wanted(mapping, places, position));
    }
    for position in 0..places.len() {
        // A length that is not an integer which can be read leaves the bytes unread.
        let arg = spec.args[position];
        let length = spec.args[..places.len()].get(usize::from(arg.len_arg));
        let has_length =
            length.is_some_and(|length| length.kind == KIND_INTEGER && length.location != LOC_UNREAD);
        if arg.kind == KIND_BYTES && !has_length {
            spec.args[position].location = LOC_UNREAD;
        }
    }
    roles(&mut spec, mapping, slots);
    spec
}

const fn event(kind: EventKind) -> u8 {
    match kind {
        EventKind::Generic => EVENT_GENERIC,
        EventKind::TestStart => EVENT_TEST_START,
        EventKind::TestEnd => EVENT_TEST_END,
        EventKind::Anomaly => EVENT_ANOMALY,
    }
}

/// Whether an argument is to be read: not ignored, or the length of bytes that are not.
fn is_wanted(mapping: &Mapping, places: &[ArgPlace], position: usize) -> bool {
    let args = mapping.args.get(..places.len()).unwrap_or(&mapping.args);
    let is_length = |arg: &ArgMapping| match arg.kind {
        ArgKind::Bytes { len_arg } => arg.role != Role::Ignore && usize::from(len_arg) == position,
        ArgKind::Integer | ArgKind::String => false,
    };
    args.get(position).is_none_or(|arg| arg.role != Role::Ignore) || args.iter().any(is_length)
}

fn argument(place: &ArgPlace, mapping: Option<&ArgMapping>, wanted: bool) -> ArgSpec {
    let signed = mapping.and_then(|arg| arg.signed).unwrap_or(place.signed);
    let (kind, len_arg) = match mapping.map(|arg| arg.kind) {
        None | Some(ArgKind::Integer) => (KIND_INTEGER, NO_ARG),
        Some(ArgKind::String) => (KIND_STRING, NO_ARG),
        Some(ArgKind::Bytes { len_arg }) => (KIND_BYTES, len_arg),
    };
    let arg = ArgSpec {
        size: place.size,
        flags: if signed { FLAG_SIGNED } else { 0 },
        kind,
        len_arg,
        ..ArgSpec::default()
    };
    match &place.place {
        Place::Unread { .. } => arg,
        _ if !wanted => arg,
        Place::Constant(value) => {
            ArgSpec { location: LOC_CONSTANT, value: narrow(*value, place.size, signed), ..arg }
        }
        Place::Register { base } => ArgSpec { location: LOC_REGISTER, base: *base, ..arg },
        Place::Memory { base, displacement } => {
            ArgSpec { location: LOC_MEMORY, base: *base, value: *displacement, ..arg }
        }
        Place::Indexed { base, index, scale, displacement } => ArgSpec {
            location: LOC_INDEXED,
            base: *base,
            index: *index,
            scale: *scale,
            value: *displacement,
            ..arg
        },
        Place::Pointed { base, displacement, inner, absent } => ArgSpec {
            location: LOC_POINTED,
            base: *base,
            value: *displacement,
            inner: *inner,
            index: match absent {
                Absent::NoneAboveZero { size } => *size,
                Absent::Never | Absent::Null | Absent::Empty => 0,
            },
            flags: arg.flags
                | match absent {
                    Absent::Never => 0,
                    Absent::Null => FLAG_NULL_IS_ZERO,
                    Absent::Empty => FLAG_EMPTY_IS_ZERO,
                    Absent::NoneAboveZero { .. } => FLAG_LEAST_OF_ALL,
                },
            ..arg
        },
        Place::Elapsed => ArgSpec { location: LOC_ELAPSED, ..arg },
    }
}

/// A constant as a read of its size would give it.
const fn narrow(value: i64, size: u8, signed: bool) -> i64 {
    let unused = 64_u32.saturating_sub(size as u32 * 8);
    if unused >= 64 {
        value
    } else if signed {
        value << unused >> unused
    } else {
        ((value << unused).cast_unsigned() >> unused).cast_signed()
    }
}

/// Fills in the positions of the arguments with a part in sampling and counting. The first of each wins.
fn roles(spec: &mut Spec, mapping: &Mapping, slots: &Slots) {
    let first = |place: &mut u8, position: u8| {
        if *place == NO_ARG {
            *place = position;
        }
    };
    let mut key_text = NO_ARG;
    for (position, arg) in mapping.args.iter().enumerate().take(usize::from(spec.argc)) {
        let at = position as u8;
        let is_integer = arg.kind == ArgKind::Integer;
        if arg.role.is_payload() && !is_integer {
            spec.payload_args |= 1 << position;
        }
        if spec.args[position].location == LOC_UNREAD {
            continue;
        }
        match arg.role {
            Role::Key if is_integer => first(&mut spec.key_arg, at),
            // A key that is text is hashed, as a test id is.
            Role::Key => first(&mut key_text, at),
            Role::Status => first(&mut spec.status_arg, at),
            Role::Signal if mapping.event == EventKind::Anomaly && !is_integer => {
                first(&mut spec.signal_arg, at);
            }
            Role::Duration(unit) if is_integer && spec.duration_arg == NO_ARG => {
                spec.duration_arg = at;
                spec.duration_unit_ns = unit.nanoseconds();
            }
            // Which of them tells tests apart is the mapping's to say.
            Role::TestId | Role::TestName | Role::AttemptId => {
                if mapping.id_arg() == Some(at) {
                    spec.id_arg = at;
                }
            }
            Role::Duration(_)
            | Role::RunId
            | Role::Suite
            | Role::Attempt
            | Role::Message
            | Role::EventType
            | Role::Signal
            | Role::Data
            | Role::Json
            | Role::Plain
            | Role::Ignore => {}
        }
    }
    if key_text != NO_ARG {
        spec.id_arg = key_text;
    }
    if spec.status_arg != NO_ARG {
        spec.status_table = slots.status_table;
    }
    spec.histogram = if spec.duration_arg == NO_ARG { NO_HISTOGRAM } else { slots.histogram };
}
