//! When to wake the reader: never for every record, always when it sleeps and has cause to get up.

use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP};
use sidecar_common::{Control, READER_AWAKE, READER_IDLE, READER_LINGERING};

use super::atomic::swap;
use crate::maps::{READER, RECORDS};

/// The flags to submit a record with. Of all processors that find the reader asleep, one wakes it.
#[inline(always)]
pub fn submit_flags(control: *const Control) -> u64 {
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
        if RECORDS.query(u64::from(BPF_RB_AVAIL_DATA)) < watermark {
            return quiet;
        }
    } else if seen != READER_IDLE {
        return quiet;
    }
    // SAFETY: as above.
    if unsafe { swap(state, READER_AWAKE) } == READER_AWAKE { quiet } else { u64::from(BPF_RB_FORCE_WAKEUP) }
}
