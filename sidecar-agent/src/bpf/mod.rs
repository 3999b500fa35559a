//! The kernel programs, loaded and attached.

/// One address in one file at which a probe is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// File offset of the instruction.
    pub offset: u64,
    /// File offset of the marker's semaphore; 0: none.
    pub semaphore: u64,
    /// Index of the spec.
    pub cookie: u64,
}
