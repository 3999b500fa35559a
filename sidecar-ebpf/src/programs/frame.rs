//! Calls of functions whose returns are watched: their entry is remembered, and their return finds it.

use aya_ebpf::helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns};
use sidecar_common::{Control, Counters, FRAME_BUSY, FRAME_FREE, FRAME_WAYS, FrameSet, Spec, mix};
use sidecar_ebpf::{boost::Atomics, eval::Access};

use super::{
    add,
    atomic::{Bpf, swap},
    memory::{Probed, UNKNOWN, forget},
};
use crate::maps::FRAMES;

/// A call, and where it can be.
#[derive(Clone, Copy)]
struct Call {
    /// What stands for it in its set.
    tag: u64,
    set: *mut FrameSet,
}

impl Call {
    /// The call whose entry had the stack pointer `stack`.
    #[inline(always)]
    fn new(spec: &Spec, stack: u64, control: *const Control) -> Option<Self> {
        // The process, not the thread: a coroutine may go on in another.
        let tgid = bpf_get_current_pid_tgid() >> 32;
        let mixed = mix(stack ^ mix(tgid << 32 | u64::from(spec.frame_id)));
        let tag = if mixed <= FRAME_BUSY { mixed | 2 } else { mixed };
        // SAFETY: control points into an array map's value; the agent writes it once.
        let sets = unsafe { (*control).frame_sets };
        if sets == 0 {
            return None;
        }
        let set = FRAMES.get_ptr_mut(mixed as u32 % sets)?;
        Some(Self { tag, set })
    }

    /// A slot's word.
    #[inline(always)]
    fn owner(self, way: usize) -> *mut u64 {
        // SAFETY: the mask keeps it inside the array, which lies in an array map's value.
        unsafe { (&raw mut (*self.set).owners).cast::<u64>().add(way & (FRAME_WAYS - 1)) }
    }

    #[inline(always)]
    fn since(self, way: usize) -> *mut u64 {
        // SAFETY: as above.
        unsafe { (&raw mut (*self.set).since_ns).cast::<u64>().add(way & (FRAME_WAYS - 1)) }
    }

    /// The slot that has this word, if one has.
    #[inline(always)]
    fn find(self, word: u64) -> Option<usize> {
        let mut way = 0;
        while way < FRAME_WAYS {
            // SAFETY: an aligned word of an array map's value.
            if unsafe { Bpf::load(self.owner(way)) } == word {
                return Some(way);
            }
            way += 1;
        }
        None
    }

    /// The slot whose call is the oldest.
    #[inline(always)]
    fn oldest(self) -> usize {
        let (mut way, mut oldest, mut least) = (0, 0, u64::MAX);
        while way < FRAME_WAYS {
            // SAFETY: as above.
            let since = unsafe { Bpf::load(self.since(way)) };
            if since < least {
                (oldest, least) = (way, since);
            }
            way += 1;
        }
        oldest
    }

    /// Takes a slot that has this word: the word becomes another.
    #[inline(always)]
    fn claim(self, slot: Slot, new: u64) -> bool {
        // SAFETY: as above.
        slot.word != FRAME_BUSY
            && unsafe { Bpf::compare_exchange(self.owner(slot.way), slot.word, new) } == slot.word
    }
}

/// A slot, and the word that it was seen with.
#[derive(Clone, Copy)]
struct Slot {
    way: usize,
    word: u64,
}

#[inline(always)]
fn now() -> u64 {
    // SAFETY: the helper takes no pointers and has no preconditions.
    unsafe { bpf_ktime_get_ns() }
}

/// Remembers a function's entry. If no slot can be had, its return will find none.
#[inline(never)]
pub fn enter(regs: Probed<'_>, spec: &Spec, control: *const Control, counters: *mut Counters) {
    let Some(call) = Call::new(spec, regs.register(spec.frame_base), control) else { return };
    let slot = if let Some(way) = call.find(call.tag) {
        Slot { way, word: call.tag }
    } else if let Some(way) = call.find(FRAME_FREE) {
        Slot { way, word: FRAME_FREE }
    } else {
        let way = call.oldest();
        // SAFETY: an aligned word of an array map's value.
        Slot { way, word: unsafe { Bpf::load(call.owner(way)) } }
    };
    // Else all that follows would be verified once for each slot that there is.
    let slot = forget(slot);
    // SAFETY: the pointers lead into an array map's value.
    unsafe {
        if !call.claim(slot, FRAME_BUSY) {
            add(&raw mut (*counters).evicted, 1);
            return;
        }
        if slot.word == call.tag {
            add(&raw mut (*counters).overwritten, 1);
        } else if slot.word != FRAME_FREE {
            add(&raw mut (*counters).evicted, 1);
        }
        Bpf::store(call.since(slot.way), now());
        swap(call.owner(slot.way), call.tag);
    }
}

/// How long the call took that returns here, in nanoseconds, or [`UNKNOWN`], which is counted.
#[inline(never)]
pub fn leave(regs: Probed<'_>, spec: &Spec, control: *const Control, counters: *mut Counters) -> u64 {
    let now = now();
    let elapsed = taken(regs, spec, control, now);
    if elapsed == UNKNOWN {
        // SAFETY: the pointer leads into an array map's value.
        add(unsafe { &raw mut (*counters).unmatched }, 1);
    }
    elapsed
}

#[inline(always)]
fn taken(regs: Probed<'_>, spec: &Spec, control: *const Control, now: u64) -> u64 {
    let stack = regs.register(spec.frame_base).wrapping_sub(u64::from(spec.frame_popped));
    let Some(call) = Call::new(spec, stack, control) else { return UNKNOWN };
    let Some(way) = call.find(call.tag) else { return UNKNOWN };
    let slot = forget(Slot { way, word: call.tag });
    // SAFETY: an aligned word of an array map's value. It is this call's as long as the slot has its tag.
    let since = unsafe { Bpf::load(call.since(slot.way)) };
    if call.claim(slot, FRAME_FREE) { now.wrapping_sub(since) } else { UNKNOWN }
}
