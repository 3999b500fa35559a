//! The kernel side as the profiler sees it.

use std::{io, sync::Arc};

use crate::bpf::{Footprint, MapMemory, ProgramStats, StatsWindow};

/// Programs and maps that are measured. In tests, a table.
pub trait Source: Send {
    /// Has the kernel keep statistics until it is closed.
    ///
    /// # Errors
    /// The kernel refuses.
    fn open(&mut self) -> io::Result<()>;

    /// Ends that.
    fn close(&mut self);

    /// Run time of each program while statistics were kept, ever. The first is the one that hits run.
    ///
    /// # Errors
    /// The kernel refuses.
    fn programs(&self) -> io::Result<Vec<(&'static str, ProgramStats)>>;

    /// Memory of the maps.
    ///
    /// # Errors
    /// Neither /proc nor the kernel tells.
    fn maps(&self) -> io::Result<MapMemory>;
}

/// The loaded kernel side.
pub(super) struct Loaded {
    footprint: Arc<Footprint>,
    window: Option<StatsWindow>,
}

impl Loaded {
    pub(super) fn new(footprint: Arc<Footprint>) -> Self {
        Self { footprint, window: None }
    }
}

impl Source for Loaded {
    fn open(&mut self) -> io::Result<()> {
        self.window = Some(StatsWindow::open()?);
        Ok(())
    }

    fn close(&mut self) {
        self.window = None;
    }

    fn programs(&self) -> io::Result<Vec<(&'static str, ProgramStats)>> {
        self.footprint.programs()
    }

    fn maps(&self) -> io::Result<MapMemory> {
        self.footprint.maps()
    }
}

impl From<Arc<Footprint>> for Box<dyn Source> {
    fn from(footprint: Arc<Footprint>) -> Self {
        Box::new(Loaded::new(footprint))
    }
}
