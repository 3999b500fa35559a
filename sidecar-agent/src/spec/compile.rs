//! From places and roles to a spec.

use sidecar_common::{
    ArgSpec, EVENT_ANOMALY, EVENT_GENERIC, EVENT_TEST_END, EVENT_TEST_START, FLAG_SIGNED, KIND_BYTES,
    KIND_INTEGER, KIND_STRING, LOC_CONSTANT, LOC_INDEXED, LOC_MEMORY, LOC_REGISTER, LOC_UNREAD, MAX_ARGS,
    NO_ARG, NO_HISTOGRAM, Spec,
};

use super::place::{ArgPlace, Place};
use crate::mapping::{ArgKind, ArgMapping, EventKind, Mapping, Role};

/// Indices that the spec names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Index of the signal.
    pub signal: u8,
    /// Index of the status table.
    pub status_table: u8,
    /// Index of the histogram, or `NO_HISTOGRAM`.
    pub histogram: u32,
    /// Generation of the spec.
    pub generation: u32,
    /// Longest string, in bytes with its NUL.
    pub max_string: u32,
}

/// Compiles a site's arguments under a mapping. The number of arguments is the site's: those that the mapping does
/// not name are integers, and those that only the mapping names are not there.
#[must_use]
pub fn compile(mapping: &Mapping, places: &[ArgPlace], slots: &Slots) -> Spec {
    let places = places.get(..places.len().min(MAX_ARGS)).unwrap_or_default();
    let mut spec = Spec {
        argc: u8::try_from(places.len()).unwrap_or(MAX_ARGS as u8),
        event: match mapping.event {
            EventKind::Generic => EVENT_GENERIC,
            EventKind::TestStart => EVENT_TEST_START,
            EventKind::TestEnd => EVENT_TEST_END,
            EventKind::Anomaly => EVENT_ANOMALY,
        },
        signal: slots.signal,
        status_table: slots.status_table,
        generation: slots.generation,
        max_string: slots.max_string.clamp(1, sidecar_common::MAX_STRING),
        ..Spec::default()
    };
    let is_length = |position: usize| {
        mapping
            .args
            .iter()
            .any(|arg| matches!(arg.kind, ArgKind::Bytes { len_arg } if usize::from(len_arg) == position))
    };
    for (i, (to, place)) in spec.args.iter_mut().zip(places).enumerate() {
        *to = argument(place, mapping.args.get(i), places, is_length(i));
    }
    let readable = |position: Option<u8>| match position {
        Some(position) if usize::from(position) < places.len() => position,
        _ => NO_ARG,
    };
    spec.key_arg = readable(mapping.position(Role::Key));
    spec.id_arg = readable(mapping.id_arg());
    spec.status_arg = readable(mapping.position(Role::Status));
    if let Some((position, unit)) = mapping.duration_arg() {
        spec.duration_arg = readable(Some(position));
        spec.duration_unit_ns = unit.nanoseconds();
        spec.histogram = if spec.duration_arg == NO_ARG { NO_HISTOGRAM } else { slots.histogram };
    }
    spec
}

fn argument(place: &ArgPlace, mapping: Option<&ArgMapping>, places: &[ArgPlace], is_length: bool) -> ArgSpec {
    let mut spec = ArgSpec { size: place.size, len_arg: NO_ARG, ..ArgSpec::default() };
    (spec.location, spec.base, spec.index, spec.scale, spec.value) = match place.place {
        Place::Unread { .. } => (LOC_UNREAD, 0, 0, 0, 0),
        Place::Constant(value) => (LOC_CONSTANT, 0, 0, 0, value),
        Place::Register { register } => (LOC_REGISTER, register, 0, 0, 0),
        Place::Memory { base, displacement } => (LOC_MEMORY, base, 0, 0, displacement),
        Place::Indexed { base, index, scale, displacement } => {
            (LOC_INDEXED, base, index, scale, displacement)
        }
    };
    let signed = mapping.and_then(|arg| arg.signed).unwrap_or(place.signed);
    match mapping.map(|arg| (arg.role, arg.kind)) {
        Some((Role::Ignore, _)) if !is_length => spec.location = LOC_UNREAD,
        None | Some((_, ArgKind::Integer)) => {
            spec.kind = KIND_INTEGER;
            spec.flags = if signed { FLAG_SIGNED } else { 0 };
        }
        Some((_, ArgKind::String)) => spec.kind = KIND_STRING,
        Some((_, ArgKind::Bytes { len_arg })) => {
            spec.kind = KIND_BYTES;
            spec.len_arg = len_arg;
            // Without its length the block can't be read.
            let length = places.get(usize::from(len_arg)).map(|arg| &arg.place);
            if matches!(length, None | Some(Place::Unread { .. })) {
                spec.location = LOC_UNREAD;
            }
        }
    }
    spec
}
