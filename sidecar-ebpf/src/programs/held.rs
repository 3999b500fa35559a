//! Starts of tests, held until the test's end or the end of its process: then sent, if they matter and were not, or let
//! go.

use aya_ebpf::{
    bindings::BPF_RB_NO_WAKEUP,
    helpers::{bpf_get_current_pid_tgid, generated::bpf_probe_read_kernel},
};
use core::ffi::c_void;
use sidecar_common::{
    Control, HELD_BUSY, HELD_BYTES, HELD_FREE, HELD_STRING, HELD_WAYS, HeldSet, HeldStart, OPEN_BUCKETS,
    RECORD_PRECIOUS, RecordHeader, Spec, mix,
};
use sidecar_ebpf::boost::Atomics;

use super::{
    add,
    atomic::{Bpf, swap},
    control,
    emit::{Hit, build},
    memory::{Probed, forget},
    wake::{has_room, submit_flags, unread},
};
use crate::maps::{COUNTERS, HELD, HELD_SETS, OPEN, RECORDS};

/// Given by [`hold`] if there was no slot.
pub const NOT_HELD: u64 = u64::MAX;

/// A test, and where its start can be.
#[derive(Clone, Copy)]
struct Test {
    tgid: u32,
    /// What stands for it in its set.
    tag: u64,
    /// Index of its set, and how many there are.
    index: u32,
    sets: u32,
    set: *mut HeldSet,
}

impl Test {
    #[inline(always)]
    fn new(key: u64, control: *const Control) -> Option<Self> {
        let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
        let mixed = mix(key ^ (u64::from(tgid) << 32));
        let tag = if mixed <= HELD_BUSY { mixed | 2 } else { mixed };
        // SAFETY: control points into an array map's value; the agent writes it once.
        let sets = unsafe { (*control).held_sets };
        if sets == 0 {
            return None;
        }
        let index = mixed as u32 % sets;
        let set = HELD_SETS.get_ptr_mut(index)?;
        Some(Self { tgid, tag, index, sets, set })
    }

    /// A slot's word.
    #[inline(always)]
    fn owner(self, way: usize) -> *mut u64 {
        // SAFETY: the mask keeps it inside the array, which lies in an array map's value.
        unsafe { (&raw mut (*self.set).owners).cast::<u64>().add(way & (HELD_WAYS - 1)) }
    }

    #[inline(always)]
    fn since(self, way: usize) -> *mut u64 {
        // SAFETY: as above.
        unsafe { (&raw mut (*self.set).since_ns).cast::<u64>().add(way & (HELD_WAYS - 1)) }
    }

    #[inline(always)]
    fn start(self, way: usize) -> Option<*mut HeldStart> {
        // The first slots of all sets lie together: they are the ones that are used most, and so few pages are touched.
        HELD.get_ptr_mut((way & (HELD_WAYS - 1)) as u32 * self.sets + self.index)
    }

    /// The slot that has this word, if one has.
    #[inline(always)]
    fn find(self, word: u64) -> Option<usize> {
        let mut way = 0;
        while way < HELD_WAYS {
            // SAFETY: an aligned word of an array map's value.
            if unsafe { Bpf::load(self.owner(way)) } == word {
                return Some(way);
            }
            way += 1;
        }
        None
    }

    /// The slot whose start is the oldest.
    #[inline(always)]
    fn oldest(self) -> usize {
        let (mut way, mut oldest, mut least) = (0, 0, u64::MAX);
        while way < HELD_WAYS {
            // SAFETY: as above.
            let since = unsafe { Bpf::load(self.since(way)) };
            if since < least {
                (oldest, least) = (way, since);
            }
            way += 1;
        }
        oldest
    }

    /// Takes a slot that has this word for this processor alone.
    #[inline(always)]
    fn claim(self, slot: Slot) -> bool {
        let Slot { way, word } = slot;
        // SAFETY: as above.
        word != HELD_BUSY && unsafe { Bpf::compare_exchange(self.owner(way), word, HELD_BUSY) } == word
    }

    /// Lets a claimed slot go, with this word. All that was written to it before is seen with the word.
    #[inline(always)]
    fn release(self, way: usize, word: u64) {
        // SAFETY: as above.
        unsafe { swap(self.owner(way), word) };
    }

    /// The slot that a start of this test takes: that of an earlier start of the same test, else a free one, else that of
    /// the oldest start.
    #[inline(always)]
    fn choose(self) -> Slot {
        let slot = if let Some(way) = self.find(self.tag) {
            Slot { way, word: self.tag }
        } else if let Some(way) = self.find(HELD_FREE) {
            Slot { way, word: HELD_FREE }
        } else {
            let way = self.oldest();
            // SAFETY: an aligned word of an array map's value.
            Slot { way, word: unsafe { Bpf::load(self.owner(way)) } }
        };
        // Else all that follows would be verified once for each slot that there is.
        forget(slot)
    }
}

/// The number of starts that are held of a process, and of others that share its place.
#[inline(always)]
pub fn open(tgid: u32) -> Option<*mut u64> {
    OPEN.get_ptr_mut(tgid % OPEN_BUCKETS)
}

/// Counts a slot that a process takes (1) or leaves (-1, as it wraps).
#[inline(always)]
pub fn count_open(tgid: u32, change: u64) {
    if let Some(count) = open(tgid) {
        add(count, change);
    }
}

/// A slot, and the word that it was seen with.
#[derive(Clone, Copy)]
struct Slot {
    way: usize,
    word: u64,
}

/// Holds the start of the test with this key, which was `sent` or not. Gives the bits of strings that could not be read, or
/// [`NOT_HELD`].
#[inline(never)]
pub fn hold(regs: Probed<'_>, spec: &Spec, hit: &mut Hit, key: u64, sent: bool) -> u64 {
    let Some(control) = control() else { return NOT_HELD };
    let Some(test) = Test::new(key, control) else { return NOT_HELD };
    let mut slot = test.choose();
    if !test.claim(slot) {
        // Another processor was quicker. It has one of the others now.
        slot = test.choose();
        if !test.claim(slot) {
            give_way(hit.spec);
            return NOT_HELD;
        }
    }
    let way = slot.way;
    let Some(held) = test.start(way) else { return NOT_HELD };
    if slot.word != HELD_FREE {
        // SAFETY: the slot lies in an array map's value, and is this processor's.
        let (tgid, spec) =
            unsafe { ((&raw const (*held).tgid).read_volatile(), (&raw const (*held).spec).read_volatile()) };
        count_open(tgid, u64::MAX);
        if slot.word != test.tag {
            give_way(spec);
        }
    }
    // SAFETY: as above.
    let record = unsafe { (&raw mut (*held).record).cast::<u8>() };
    build::<HELD_BYTES, { HELD_STRING as u64 }>(regs, spec, hit, record, true);
    // SAFETY: as above.
    let faulted = unsafe {
        (&raw mut (*held).key).write(key);
        (&raw mut (*held).tgid).write(test.tgid);
        (&raw mut (*held).spec).write(hit.spec);
        (&raw mut (*held).sent).write(u32::from(sent));
        let header = record.cast::<RecordHeader>();
        test.since(way).write_volatile((&raw const (*header).time_ns).read_volatile());
        (&raw const (*header).faults).read_volatile() & (&raw const (*header).strings).read_volatile()
    };
    count_open(test.tgid, 1);
    test.release(way, test.tag);
    u64::from(faulted)
}

/// Counts a start that is held no longer before its test has ended.
#[inline(always)]
fn give_way(spec: u32) {
    if let Some(counters) = COUNTERS.get_ptr_mut(spec) {
        // SAFETY: the pointer leads into an array map's value.
        add(unsafe { &raw mut (*counters).gave_way }, 1);
    }
}

/// The end of the test with this key was kept under `rate`, or not at all (0): sends the start that is held, if one is and
/// was not sent, or lets it go. It is as precious as the end.
#[inline(never)]
pub fn settle(key: u64, rate: u64, precious: bool, control: *const Control) {
    let Some(test) = Test::new(key, control) else { return };
    let Some(way) = test.find(test.tag) else { return };
    let slot = forget(Slot { way, word: test.tag });
    let way = slot.way;
    let Some(held) = test.start(way) else { return };
    if !test.claim(slot) {
        return;
    }
    // SAFETY: the slot lies in an array map's value, and is this processor's.
    let (owner, tgid, sent) = unsafe {
        (
            (&raw const (*held).key).read_volatile(),
            (&raw const (*held).tgid).read_volatile(),
            (&raw const (*held).sent).read_volatile(),
        )
    };
    if owner != key || tgid != test.tgid {
        // Another test that has the same tag.
        return test.release(way, test.tag);
    }
    if rate != 0 && sent == 0 {
        recall(held, rate, precious, control);
    }
    count_open(tgid, u64::MAX);
    test.release(way, HELD_FREE);
}

/// Sends the record of a start that was not sent, and counts what came of it.
#[inline(always)]
pub fn recall(held: *const HeldStart, rate: u64, precious: bool, control: *const Control) {
    // SAFETY: the slot lies in an array map's value.
    let Some(counters) = COUNTERS.get_ptr_mut(unsafe { (&raw const (*held).spec).read_volatile() }) else {
        return;
    };
    let header = |header: *mut RecordHeader| {
        // SAFETY: the header lies in the live reservation.
        unsafe {
            (&raw mut (*header).rate).write(rate);
            (&raw mut (*header).flags).write(if precious { RECORD_PRECIOUS } else { 0 });
        }
    };
    let sent = send(held, precious, control, header);
    // SAFETY: the pointer leads into an array map's value.
    add(unsafe { if sent { &raw mut (*counters).recalled } else { &raw mut (*counters).recall_lost } }, 1);
}

/// Sends a held record, with a header that is changed first. Whether the ring had room for it.
#[inline(always)]
pub fn send(
    held: *const HeldStart,
    precious: bool,
    control: *const Control,
    change: impl FnOnce(*mut RecordHeader),
) -> bool {
    let unread = unread();
    if !precious && !has_room(control, unread) {
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
    // The reservation begins with the header, 8-aligned.
    change(record.cast::<RecordHeader>());
    entry.submit(submit_flags(control, unread));
    true
}
