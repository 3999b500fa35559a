//! The reader's end of the ring, and how it sleeps.

use std::os::fd::{AsFd, BorrowedFd};

use aya::maps::{Array, MapData, RingBuf};
use sidecar_common::{READER_AWAKE, READER_IDLE, READER_LINGERING};

use super::BpfError;

/// Takes records out of the ring.
///
/// The protocol of sleeping (the kernel's half is in `sidecar-ebpf/src/programs/wake.rs`): the reader drains; says
/// how it is about to sleep; drains once more, because a record may have come before it said so; and sleeps. A
/// record that is committed between the two without a wake-up waits for the reader's timer, 500 ms at most.
pub struct RingReader {
    ring: RingBuf<MapData>,
    state: Array<MapData, u64>,
}

impl RingReader {
    pub(super) fn new(ring: RingBuf<MapData>, state: Array<MapData, u64>) -> Self {
        Self { ring, state }
    }

    /// Hands at most `most` records to `take`, oldest first, and gives their number. The bytes are the ring's own:
    /// what is to be kept must be copied. Room is given back to the kernel record by record.
    pub fn drain(&mut self, most: usize, mut take: impl FnMut(&[u8])) -> usize {
        let mut count = 0;
        while count < most
            && let Some(record) = self.ring.next()
        {
            take(&record);
            count += 1;
        }
        count
    }

    /// The reader is awake: no wake-ups.
    ///
    /// # Errors
    /// When the map can't be written.
    pub fn awake(&mut self) -> Result<(), BpfError> {
        self.say(READER_AWAKE)
    }

    /// The reader will sleep on a short timer: wake it at the watermark.
    ///
    /// # Errors
    /// When the map can't be written.
    pub fn linger(&mut self) -> Result<(), BpfError> {
        self.say(READER_LINGERING)
    }

    /// The reader will sleep until something comes: wake it for the next record.
    ///
    /// # Errors
    /// When the map can't be written.
    pub fn idle(&mut self) -> Result<(), BpfError> {
        self.say(READER_IDLE)
    }

    fn say(&mut self, state: u64) -> Result<(), BpfError> {
        self.state.set(0, state, 0).map_err(|e| BpfError::Map { map: "READER", reason: e.to_string() })
    }
}

impl AsFd for RingReader {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}
