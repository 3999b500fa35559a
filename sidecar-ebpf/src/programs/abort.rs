//! A process has ended: the tests that it had begun and not ended are aborted.

use aya_ebpf::helpers::{bpf_ktime_get_ns, generated::bpf_loop};
use core::ffi::c_void;
use sidecar_common::{
    HELD_BUSY, HELD_FREE, HELD_WAYS, HeldStart, RATE_ONE, RECORD_ABORT, RECORD_PRECIOUS, RecordHeader, Status,
};
use sidecar_ebpf::boost::Atomics;

use super::{
    add, anomaly,
    atomic::{Bpf, swap},
    control,
    held::{count_open, open, recall, send},
};
use crate::maps::{COUNTERS, HELD, HELD_SETS, SPECS};

/// What the look through the slots needs to know.
struct Ending {
    tgid: u32,
    exit_code: u32,
    sets: u32,
}

/// Ends the tests of a process that has ended.
#[inline(always)]
pub fn abort_tests(tgid: u32, exit_code: u32) {
    let Some(control) = control() else { return };
    // SAFETY: control points into an array map's value; the agent writes it once.
    let sets = unsafe { (*control).held_sets };
    let mut ending = Ending { tgid, exit_code, sets };
    // SAFETY: the callback has the signature that bpf_loop asks for, and ending outlives the call.
    unsafe {
        bpf_loop(sets * HELD_WAYS as u32, look as *mut c_void, (&raw mut ending).cast(), 0);
    }
}

/// Whether starts are held of this process, or of one that shares its place.
#[inline(always)]
pub fn has_open(tgid: u32) -> bool {
    // SAFETY: an aligned word of an array map's value.
    open(tgid).is_some_and(|count| unsafe { Bpf::load(count) } != 0)
}

/// Looks at one slot. Returns 0 to go on, 1 to stop.
extern "C" fn look(i: u32, ending: *mut c_void) -> u64 {
    // SAFETY: the caller of the loop passes its own Ending, which nobody else touches meanwhile.
    let ending = unsafe { &*ending.cast::<Ending>() };
    let (way, index) = (i % HELD_WAYS as u32, i / HELD_WAYS as u32);
    let Some(set) = HELD_SETS.get_ptr_mut(index) else { return 1 };
    // SAFETY: the mask keeps it inside the array, which lies in an array map's value.
    let owner = unsafe { (&raw mut (*set).owners).cast::<u64>().add(way as usize & (HELD_WAYS - 1)) };
    // SAFETY: an aligned word of an array map's value.
    let word = unsafe { Bpf::load(owner) };
    if word == HELD_FREE || word == HELD_BUSY {
        return 0;
    }
    let Some(held) = HELD.get_ptr_mut(way * ending.sets + index) else { return 1 };
    if owner_of(held) != ending.tgid {
        return 0;
    }
    // SAFETY: as above.
    if unsafe { Bpf::compare_exchange(owner, word, HELD_BUSY) } != word {
        return 0;
    }
    if owner_of(held) != ending.tgid {
        // It was taken by another test between the two looks.
        // SAFETY: as above.
        unsafe { swap(owner, word) };
        return 0;
    }
    abort(held, ending.exit_code);
    count_open(ending.tgid, u64::MAX);
    // SAFETY: as above.
    unsafe { swap(owner, HELD_FREE) };
    u64::from(!has_open(ending.tgid))
}

#[inline(always)]
fn owner_of(held: *const HeldStart) -> u32 {
    // SAFETY: the slot lies in an array map's value.
    unsafe { (&raw const (*held).tgid).read_volatile() }
}

/// Sends the end of a test whose slot is this processor's, and its start if that was not sent.
#[inline(always)]
fn abort(held: *const HeldStart, exit_code: u32) {
    // SAFETY: the slot lies in an array map's value, and is this processor's. The record begins with its header.
    let (index, sent, started, generation) = unsafe {
        let header = (&raw const (*held).record).cast::<RecordHeader>();
        (
            (&raw const (*held).spec).read_volatile(),
            (&raw const (*held).sent).read_volatile(),
            (&raw const (*header).time_ns).read_volatile(),
            (&raw const (*header).generation).read_volatile(),
        )
    };
    let (Some(spec), Some(counters), Some(control)) =
        (SPECS.get(index), COUNTERS.get_ptr_mut(index), control())
    else {
        return;
    };
    // SAFETY: control points into an array map's value; the agent writes whole words.
    let blind = unsafe { (*control).enabled == 0 || started < (*control).watched_since_ns };
    if blind || spec.enabled == 0 || spec.generation != generation {
        // The test's end may have passed unseen.
        return;
    }
    anomaly::report(u32::from(spec.signal));
    if sent == 0 {
        recall(held, RATE_ONE, true, control);
    }
    let aborted = send(held, true, control, |header| {
        // SAFETY: the header lies in the live reservation.
        unsafe {
            (&raw mut (*header).kind).write(RECORD_ABORT);
            (&raw mut (*header).status).write(Status::Aborted as u8);
            (&raw mut (*header).flags).write(RECORD_PRECIOUS);
            (&raw mut (*header).rate).write(started);
            (&raw mut (*header).time_ns).write(bpf_ktime_get_ns());
            (&raw mut (*header).exit_code).write(exit_code);
        }
    });
    // SAFETY: the pointer leads into an array map's value.
    add(unsafe { if aborted { &raw mut (*counters).aborted } else { &raw mut (*counters).abort_lost } }, 1);
}
