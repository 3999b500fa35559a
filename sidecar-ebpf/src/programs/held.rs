//! Starts that were sampled out or found no room: held until the test's end tells whether they matter, then sent or let go.

use aya_ebpf::{
    bindings::{BPF_ANY, BPF_RB_NO_WAKEUP},
    helpers::{bpf_get_current_pid_tgid, generated::bpf_probe_read_kernel},
};
use core::ffi::c_void;
use sidecar_common::{
    Control, Counters, HELD_BYTES, HELD_STRING, HeldKey, HeldStart, RECORD_PRECIOUS, RecordHeader, Spec,
};

use super::{
    add,
    emit::{Hit, RING_HEADER, build},
    memory::Probed,
    wake::{room, submit_flags, unread},
};
use crate::maps::{BLANK, COUNTERS, HELD, RECORDS};

#[inline(always)]
fn of(key: u64) -> HeldKey {
    HeldKey { key, tgid: (bpf_get_current_pid_tgid() >> 32) as u32, reserved: 0 }
}

/// Holds the start of the test with this key. Gives the bits of strings that could not be read.
#[inline(never)]
pub fn hold(regs: Probed, spec: &Spec, hit: &mut Hit, key: u64, counters: *mut Counters) -> u64 {
    let place = of(key);
    let Some(blank) = BLANK.get(0) else { return 0 };
    // A second start of the same test takes the first one's place.
    if HELD.insert(place, blank, u64::from(BPF_ANY)).is_err() {
        return 0;
    }
    let Some(held) = HELD.get_ptr_mut(place) else { return 0 };
    // SAFETY: the record lies in a map's element, which keeps its memory while this program runs.
    let record = unsafe { (&raw mut (*held).record).cast::<u8>() };
    build::<HELD_BYTES, { HELD_STRING as u64 }>(regs, spec, hit, record, true);
    // SAFETY: as above.
    unsafe {
        let header = record.cast::<RecordHeader>();
        let faulted =
            (&raw const (*header).faults).read_volatile() & (&raw const (*header).strings).read_volatile();
        (&raw mut (*held).spec).write_volatile(hit.spec);
        (&raw mut (*held).key).write_volatile(key);
        add(&raw mut (*counters).held, 1);
        u64::from(faulted)
    }
}

/// The end of the test with this key was kept under `rate`, or not at all (0): sends the start that is held, if one is,
/// or lets it go. It is as precious as the end.
#[inline(never)]
pub fn settle(key: u64, rate: u64, precious: bool, control: *const Control) {
    let place = of(key);
    let Some(held) = HELD.get_ptr_mut(place) else { return };
    if rate != 0 {
        // SAFETY: see `hold`.
        let (owner, spec) =
            unsafe { ((&raw const (*held).key).read_volatile(), (&raw const (*held).spec).read_volatile()) };
        if owner == key
            && let Some(counters) = COUNTERS.get_ptr_mut(spec)
        {
            let sent = send(held, rate, precious, control);
            // SAFETY: the pointer leads into an array map's value.
            add(
                unsafe {
                    if sent { &raw mut (*counters).recalled } else { &raw mut (*counters).recall_lost }
                },
                1,
            );
        }
    }
    let _ = HELD.remove(place);
}

/// Sends a held record. Whether the ring had room for it.
#[inline(always)]
fn send(held: *const HeldStart, rate: u64, precious: bool, control: *const Control) -> bool {
    let unread = unread();
    if RING_HEADER + HELD_BYTES as u64 > room(control, unread, precious) {
        return false;
    }
    let Some(mut entry) = RECORDS.reserve_bytes(HELD_BYTES, 0) else { return false };
    let record = entry.as_mut_ptr();
    // SAFETY: both are HELD_BYTES long; the helper checks the source.
    let copied = unsafe {
        bpf_probe_read_kernel(record.cast(), HELD_BYTES as u32, (&raw const (*held).record).cast::<c_void>())
    };
    if copied != 0 {
        entry.discard(u64::from(BPF_RB_NO_WAKEUP));
        return false;
    }
    // SAFETY: the reservation begins with the header, 8-aligned.
    unsafe {
        let header = record.cast::<RecordHeader>();
        (&raw mut (*header).rate).write(rate);
        (&raw mut (*header).flags).write(if precious { RECORD_PRECIOUS } else { 0 });
    }
    entry.submit(submit_flags(control, unread));
    true
}
