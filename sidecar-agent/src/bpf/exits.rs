//! Tests that end with their process: which of them can be told.

use super::{BpfError, Kernel, kernel::map_error};

impl Kernel {
    /// Tests that started before `now_ns` (CLOCK_MONOTONIC) do not end with their process: their own end may have passed
    /// unseen.
    ///
    /// # Errors
    /// When the map can't be written.
    pub fn watch_since(&mut self, now_ns: u64) -> Result<(), BpfError> {
        self.switch(|control| control.watched_since_ns = now_ns)
    }

    /// No test ends with its process any more: probes come off, and ends pass unseen.
    ///
    /// # Errors
    /// When the map can't be written.
    pub fn ignore_exits(&mut self) -> Result<(), BpfError> {
        self.switch(|control| control.follow_exits = 0)
    }

    /// A spec's probes are off, so that tests which it has seen to start do not end with their process.
    ///
    /// # Errors
    /// When the index is out of range.
    pub fn retire_spec(&mut self, index: u32) -> Result<(), BpfError> {
        let mut spec = self.specs.get(&index, 0).map_err(map_error("SPECS"))?;
        spec.enabled = 0;
        self.specs.set(index, spec, 0).map_err(map_error("SPECS"))
    }
}
