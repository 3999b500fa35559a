//! When to wake the reader: never for every record, always when it sleeps and has cause to get up.

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use aya_ebpf::helpers::bpf_ktime_get_ns;
use sidecar_common::{Control, QUIET_NS, READER_AWAKE, READER_IDLE, READER_LINGERING};

use super::atomic::swap;
use crate::maps::{LAST_QUIET, READER, RECORDS};

/// Bytes in the ring that have not been read.
#[inline(always)]
pub fn unread() -> u64 {
    RECORDS.query(u64::from(BPF_RB_AVAIL_DATA))
}

/// Whether there is room for a record that is kept by its rate only, where `unread` bytes are in the ring: as long as
/// they are within the share that such records have. The look and the reservation are not one step, so that as many
/// records as there are processors, and each whole, may go beyond.
#[inline(always)]
pub fn has_room(control: *const Control, unread: u64) -> bool {
    // SAFETY: control points into an array map's value; the agent writes whole words.
    unread <= u64::from(unsafe { (*control).sampled_room })
}

/// The flags to submit a record with, where `unread` bytes were in the ring before it. Of all processors that find the
/// reader asleep, one wakes it.
#[inline(always)]
pub fn submit_flags(control: *const Control, unread: u64) -> u64 {
    let quiet = u64::from(BPF_RB_NO_WAKEUP);
    let Some(state) = READER.get_ptr_mut(0) else { return quiet };
    // SAFETY: an aligned u64 of an array map's value, which lives as long as the map.
    let seen = unsafe { state.read_volatile() };
    if seen == READER_AWAKE {
        return quiet;
    }
    if seen == READER_LINGERING {
        // SAFETY: control points into an array map's value.
        let watermark = u64::from(unsafe { (*control).watermark });
        if unread < watermark {
            return quiet;
        }
    } else if seen != READER_IDLE {
        return quiet;
    }
    // SAFETY: as above.
    if unsafe { swap(state, READER_AWAKE) } == READER_AWAKE { quiet } else { u64::from(BPF_RB_FORCE_WAKEUP) }
}

/// Whether the reader was woken for a known image within [`QUIET_NS`]; if not, it counts as woken now. Two processors may
/// both find that it was not, and wake it twice.
#[inline(always)]
pub fn woken_just_now() -> bool {
    let Some(last) = LAST_QUIET.get_ptr_mut(0) else { return false };
    // SAFETY: the helper takes nothing; `last` is an aligned u64 of an array map's value, which lives as long as the map.
    unsafe {
        let now = bpf_ktime_get_ns();
        if now.wrapping_sub(last.read_volatile()) < QUIET_NS {
            return true;
        }
        last.write_volatile(now);
    }
    false
}
