//! The kernel side as the profiler sees it.

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

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

    /// Memory of the maps, some seconds old at most.
    ///
    /// # Errors
    /// Neither /proc nor the kernel tells.
    fn maps(&mut self) -> io::Result<MapMemory>;
}

/// How old the maps' memory may be: most of it is taken when they are made, and asking opens a file for each.
const MAPS_STAY: Duration = Duration::from_secs(10);

/// The loaded kernel side.
pub(super) struct Loaded {
    footprint: Arc<Footprint>,
    window: Option<StatsWindow>,
    /// What a run of nothing is measured with.
    empty_run_ns: u64,
    /// What the maps took when they were asked, and when that was.
    maps: Option<(Instant, MapMemory)>,
}

impl Loaded {
    pub(super) fn new(footprint: Arc<Footprint>) -> Self {
        // Without it the figures err to the side of too much.
        let empty_run_ns = footprint.empty_run_ns().unwrap_or(0);
        Self { footprint, window: None, empty_run_ns, maps: None }
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
        let mut programs = self.footprint.programs()?;
        for (_, stats) in &mut programs {
            let measuring = self.empty_run_ns.saturating_mul(stats.runs);
            stats.run_time_ns = stats.run_time_ns.saturating_sub(measuring);
        }
        Ok(programs)
    }

    fn maps(&mut self) -> io::Result<MapMemory> {
        if let Some((asked, memory)) = self.maps
            && asked.elapsed() < MAPS_STAY
        {
            return Ok(memory);
        }
        let memory = self.footprint.maps()?;
        self.maps = Some((Instant::now(), memory));
        Ok(memory)
    }
}

impl From<Arc<Footprint>> for Box<dyn Source> {
    fn from(footprint: Arc<Footprint>) -> Self {
        Box::new(Loaded::new(footprint))
    }
}
