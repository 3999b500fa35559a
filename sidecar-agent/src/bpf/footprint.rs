//! What the programs and maps cost: run time by the kernel's statistics, and memory that maps pin.

use std::{
    fs, io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
};

use super::{ProgramStats, StatsWindow, sys};

/// `BPF_MAP_TYPE_HASH`.
const HASH: u32 = 1;
/// `BPF_MAP_TYPE_LRU_HASH`.
const LRU_HASH: u32 = 9;
/// `BPF_MAP_TYPE_RINGBUF`.
const RING: u32 = 27;
/// Bytes of an element of a kernel's hash map besides key and value, with its bucket.
const HASH_ELEMENT: u64 = 48 + 16;

/// Descriptors of the loaded programs and maps. While this lives, the kernel keeps them, though nothing may be
/// attached any more.
#[derive(Debug, Default)]
pub struct Footprint {
    programs: Vec<(&'static str, OwnedFd)>,
    maps: Vec<(String, OwnedFd)>,
    /// A program that does next to nothing when it is run with [`NOTHING`].
    idle: Option<OwnedFd>,
}

/// A signal that there is not.
const NOTHING: [u64; 2] = [u64::MAX, 0];
/// Runs of the idle program that are timed, and how often: the quickest time is the one that nothing interrupted.
const RUNS: u32 = 16;
const TIMES: u32 = 8;

/// Memory of the maps, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MapMemory {
    /// Of all maps, the ring included.
    pub pinned: u64,
    /// Of the ring's two mappings, by which it counts in the agent's resident memory as well, once it is read.
    pub mapped: u64,
    /// Whether the kernel said so; else it is reckoned from sizes and numbers of elements.
    pub exact: bool,
}

impl Footprint {
    pub(super) fn add_program(&mut self, name: &'static str, program: BorrowedFd<'_>) -> io::Result<()> {
        self.programs.push((name, program.try_clone_to_owned()?));
        Ok(())
    }

    pub(super) fn add_map(&mut self, name: &str, map: BorrowedFd<'_>) -> io::Result<()> {
        self.maps.push((name.to_owned(), map.try_clone_to_owned()?));
        Ok(())
    }

    /// The program that reports anomalies, by which it is told what measuring itself takes.
    pub(super) fn set_idle(&mut self, program: BorrowedFd<'_>) -> io::Result<()> {
        self.idle = Some(program.try_clone_to_owned()?);
        Ok(())
    }

    /// Nanoseconds that the kernel's statistics show for a run of next to nothing: the part of their own clock readings
    /// that is in every run's time.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn empty_run_ns(&self) -> io::Result<u64> {
        let Some(idle) = &self.idle else { return Ok(0) };
        let _window = StatsWindow::open()?;
        let mut least = u64::MAX;
        for _ in 0..TIMES {
            let (time_before, runs_before) = sys::run_stats(idle.as_fd())?;
            for _ in 0..RUNS {
                sys::test_run(idle.as_fd(), &NOTHING)?;
            }
            let (time, runs) = sys::run_stats(idle.as_fd())?;
            let mean = time.saturating_sub(time_before).checked_div(runs.saturating_sub(runs_before));
            least = least.min(mean.unwrap_or(u64::MAX));
        }
        Ok(if least == u64::MAX { 0 } else { least })
    }

    /// Run time of each program, as measured while a [`super::StatsWindow`] was open.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn programs(&self) -> io::Result<Vec<(&'static str, ProgramStats)>> {
        let stats = |program: &OwnedFd| {
            sys::run_stats(program.as_fd()).map(|(run_time_ns, runs)| ProgramStats { run_time_ns, runs })
        };
        self.programs.iter().map(|(name, program)| Ok((*name, stats(program)?))).collect()
    }

    /// Memory of the maps.
    ///
    /// # Errors
    /// When neither /proc nor the kernel tells.
    pub fn maps(&self) -> io::Result<MapMemory> {
        let mut memory = MapMemory { exact: true, ..MapMemory::default() };
        for (name, map) in &self.maps {
            let info = sys::map_info(map.as_fd())
                .map_err(|error| io::Error::new(error.kind(), format!("BPF map {name}: {error}")))?;
            if info.kind == RING {
                // All data pages twice in a row, so that a record never wraps, and two pages of positions.
                memory.mapped += 2 * u64::from(info.max_entries) + 2 * procfs::page_size();
            }
            match memlock(map) {
                // Kernels before 6.4 count a map's values only, and a ring has none.
                Some(bytes) if info.kind == RING => memory.pinned += bytes.max(reckoned(&info)),
                Some(bytes) => memory.pinned += bytes,
                None => {
                    memory.exact = false;
                    memory.pinned += reckoned(&info);
                }
            }
        }
        Ok(memory)
    }
}

/// What the kernel says that a map takes.
fn memlock(map: &OwnedFd) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/self/fdinfo/{}", map.as_raw_fd())).ok()?;
    text.lines().find_map(|line| line.strip_prefix("memlock:")?.trim().parse().ok())
}

fn reckoned(info: &sys::MapInfo) -> u64 {
    let entries = u64::from(info.max_entries);
    let value = u64::from(info.value_size).next_multiple_of(8);
    let key = u64::from(info.key_size).next_multiple_of(8);
    match info.kind {
        RING => entries,
        HASH | LRU_HASH => entries * (key + value + HASH_ELEMENT),
        _ => entries * value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maps_memory_is_reckoned_by_its_kind() {
        let info =
            sys::MapInfo { kind: 2, key_size: 4, value_size: 12, max_entries: 10, ..Default::default() };
        assert_eq!(reckoned(&info), 160);
        assert_eq!(reckoned(&sys::MapInfo { kind: RING, max_entries: 4096, ..Default::default() }), 4096);
        assert_eq!(reckoned(&sys::MapInfo { kind: HASH, ..info }), 10 * (8 + 16 + 64));
    }

    #[test]
    fn a_file_that_is_no_map_is_said_by_name() {
        let mut footprint = Footprint::default();
        footprint.add_map("SPECS", io::stdin().as_fd()).unwrap();
        let error = footprint.maps().unwrap_err().to_string();
        assert!(error.contains("BPF map SPECS"), "{error}");
        assert_eq!(Footprint::default().maps().unwrap(), MapMemory { exact: true, ..MapMemory::default() });
    }
}
