//! Tests of the profiler: this process for real, a kernel side that is a table, a /proc that can't be read.

use std::{
    io,
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::*;
use crate::bpf::{MapMemory, ProgramStats};

const SETTINGS: Settings = Settings { interval_ns: SECOND, deep: false };

/// A kernel side whose programs take 500 ns a run, or less.
#[derive(Clone, Default)]
struct Table {
    /// Runs, and the time that they took less than 500 ns each.
    runs: Arc<Mutex<(u64, u64)>>,
    /// What a run takes less.
    saved: Arc<AtomicU64>,
    open: Arc<AtomicBool>,
    refuses: bool,
}

impl Table {
    /// Runs count while a window is open only.
    fn run(&self, runs: u64) {
        if self.open.load(Ordering::Relaxed) {
            let mut all = self.runs.lock().unwrap();
            *all = (all.0 + runs, all.1 + runs * self.saved.load(Ordering::Relaxed));
        }
    }
}

impl Source for Table {
    fn open(&mut self) -> io::Result<()> {
        if self.refuses {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        self.open.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn close(&mut self) {
        self.open.store(false, Ordering::Relaxed);
    }

    fn programs(&self) -> io::Result<Vec<(&'static str, ProgramStats)>> {
        let (runs, saved) = *self.runs.lock().unwrap();
        let fork = ProgramStats { run_time_ns: runs, runs: runs / 1000 };
        Ok(vec![
            ("probe_hit", ProgramStats { run_time_ns: runs * 500 - saved, runs }),
            ("process_fork", fork),
        ])
    }

    fn maps(&mut self) -> io::Result<MapMemory> {
        Ok(MapMemory { pinned: 3_000_000, mapped: 0, exact: true })
    }
}

/// Ticks through some seconds of 200,000 hits each; the last snapshot.
fn through(profiler: &mut Profiler, table: &Table, seconds: u64) -> Snapshot {
    let (mut now_ns, mut hits, mut windows) = (50 * SECOND, 0, 0);
    let end = now_ns + seconds * SECOND;
    let mut last = None;
    while now_ns < end {
        let tick = profiler.tick(now_ns, 7 * SECOND as i64, Some(hits));
        last = tick.snapshot.or(last);
        assert!(tick.next_ns > now_ns, "it would never sleep");
        let runs = (tick.next_ns - now_ns) / 5_000;
        windows += u64::from(table.open.load(Ordering::Relaxed));
        table.run(runs);
        hits += runs;
        now_ns = tick.next_ns;
    }
    assert!(windows <= seconds / 5 + 1, "{windows} windows in {seconds} s");
    last.unwrap()
}

#[test]
fn run_time_of_programs_is_the_measured_mean_times_all_hits() {
    let table = Table::default();
    let mut profiler = Profiler::new(SETTINGS, Some(Box::new(table.clone())));
    let snapshot = through(&mut profiler, &table, 30);
    // 200,000 hits a second of 500 ns are 10 % of a core; the second program takes 1 ns a hit, found by time.
    let found = snapshot.cpu.programs.unwrap();
    assert!((found - 10.02).abs() < 0.05, "{found}");
    assert!((snapshot.hits_per_second.unwrap() - 200_000.0).abs() < 1_000.0);
    assert_eq!(snapshot.memory.maps, Some(3_000_000));
    assert_eq!(snapshot.unmeasured, Vec::<String>::new());
    assert_eq!((snapshot.timestamp, snapshot.programs.len()), (7.0, 0));
}

/// A hit that costs a fifth from now on, with a window open at that time or not.
#[test]
fn what_a_run_costs_is_measured_anew_when_the_rates_change() {
    for open in [false, true] {
        let table = Table::default();
        let mut profiler = Profiler::new(SETTINGS, Some(Box::new(table.clone())));
        through(&mut profiler, &table, 30);
        let mut now_ns = 80 * SECOND;
        if open {
            profiler.tick(now_ns, 0, Some(6_000_000));
            table.run(20_000);
        }
        table.saved.store(400, Ordering::Relaxed);
        profiler.rates_changed();
        assert!(!table.open.load(Ordering::Relaxed), "what the open window saw is of both costs");
        now_ns += SECOND / 100;
        profiler.tick(now_ns, 0, Some(6_000_000));
        assert!(table.open.load(Ordering::Relaxed), "a window is due at once");
        table.run(20_000);
        profiler.tick(now_ns + SECOND / 10, 0, Some(6_020_000));
        profiler.tick(now_ns + SECOND, 0, Some(6_200_000));
        assert!(table.open.load(Ordering::Relaxed), "the next window comes sooner than usual");
        let snapshot = profiler.tick(now_ns + 2 * SECOND, 0, Some(6_400_000)).snapshot.unwrap();
        let found = snapshot.cpu.programs.unwrap();
        // 200,000 hits a second of 100 ns: 2 % of a core, and nothing of the 10 % of before.
        assert!((found - 2.0).abs() < 0.1, "{found}");
    }
}

/// A thread that lost its processor within a run, in one window of three.
#[test]
fn one_odd_window_changes_nothing() {
    let table = Table::default();
    let mut profiler = Profiler::new(SETTINGS, Some(Box::new(table.clone())));
    let mut found = Vec::new();
    for window in 0..6_u64 {
        // Saved is at most all of it, so that the odd ones are those that cost five times the others.
        table.saved.store(if window % 3 == 1 { 0 } else { 400 }, Ordering::Relaxed);
        let at = 50 * SECOND + window * 5 * SECOND;
        profiler.tick(at, 0, Some(window * 1_000_000));
        table.run(20_000);
        profiler.tick(at + SECOND / 10, 0, Some(window * 1_000_000));
        let snapshot = profiler.tick(at + 3 * SECOND, 0, Some(window * 1_000_000 + 600_000)).snapshot;
        found.extend(snapshot.and_then(|snapshot| snapshot.cpu.programs));
    }
    let settled = &found[2..];
    assert!(settled.iter().all(|percent| (percent - 2.0).abs() < 0.3), "{found:?}");
}

#[test]
fn a_deep_profile_has_each_program_and_each_thread() {
    let table = Table::default();
    let deep = Settings { deep: true, ..SETTINGS };
    let mut profiler = Profiler::new(deep, Some(Box::new(table.clone())));
    let snapshot = through(&mut profiler, &table, 30);
    let names: Vec<_> = snapshot.programs.iter().map(|program| program.name).collect();
    assert_eq!(names, ["probe_hit", "process_fork"]);
    assert!((snapshot.programs[0].mean_ns.unwrap() - 500.0).abs() < 1e-6);
    assert_eq!(profiler.hit_ns(), snapshot.programs[0].mean_ns);
    assert!(!snapshot.threads.is_empty());
    assert!(snapshot.threads.iter().all(|thread| thread.threads > 0));
}

#[test]
fn statistics_that_are_refused_are_said_and_a_cautious_figure_stands_in() {
    let table = Table { refuses: true, ..Table::default() };
    let mut profiler = Profiler::new(SETTINGS, Some(Box::new(table.clone())));
    let snapshot = through(&mut profiler, &table, 10);
    assert!(snapshot.unmeasured[0].starts_with("run time of BPF programs: "), "{:?}", snapshot.unmeasured);
    assert!(snapshot.cpu.programs.unwrap() > 30.0);
    // Without hits there is no figure at all.
    let mut profiler = Profiler::new(SETTINGS, Some(Box::new(table)));
    profiler.tick(SECOND, 0, None);
    let snapshot = profiler.tick(2 * SECOND, 0, None).snapshot.unwrap();
    assert_eq!(snapshot.cpu.programs, None);
}

/// The process's processor time may be anything, but burning some must show.
fn burn(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::hint::black_box((0..1000u64).sum::<u64>());
    }
}

#[test]
fn own_cost_is_measured_without_a_kernel_side() {
    let mut profiler = Profiler::new(SETTINGS, None);
    assert_eq!(profiler.get_summary(60.0).sample_count, 0);
    assert_eq!(profiler.is_over_budget(0.0, 0.0), OverBudget::default());
    assert_eq!(profiler.tick(SECOND, 0, None).snapshot, None);
    burn(Duration::from_millis(50));
    let snapshot = profiler.tick(2 * SECOND, 0, None).snapshot.unwrap();
    assert!(snapshot.cpu_percent.unwrap() > 0.0, "{snapshot:?}");
    assert_eq!((snapshot.cpu.helpers, snapshot.cpu.programs), (Some(0.0), Some(0.0)));
    assert!(snapshot.memory_mb.unwrap() > 1.0);
    assert!(snapshot.thread_count.unwrap() >= 2 && snapshot.open_fds.unwrap() >= 3);
    assert_eq!((snapshot.cpu_source, snapshot.memory_source), (CpuSource::Clock, MemorySource::Proc));
    assert_eq!(profiler.get_summary(60.0).cpu_max, snapshot.cpu_percent);
    let over = OverBudget { cpu_over_budget: true, memory_over_budget: false };
    assert_eq!(profiler.is_over_budget(0.0, 1e9), over);
    let json = serde_json::to_value(profiler.get_current().unwrap()).unwrap();
    for name in ["timestamp", "cpu_percent", "memory_mb", "thread_count"] {
        assert!(json[name].is_number(), "{name}: {json}");
    }
}

#[test]
fn a_proc_that_cannot_be_read_is_said_and_never_zero() {
    let own = Own { root: PathBuf::from("/nonexistent") };
    let deep = Settings { deep: true, ..SETTINGS };
    let mut profiler = Profiler::reading(own, deep, None);
    profiler.set_helpers(vec![std::process::id()]);
    profiler.tick(SECOND, 0, None);
    burn(Duration::from_millis(5));
    let snapshot = profiler.tick(2 * SECOND, 0, None).snapshot.unwrap();
    assert!(snapshot.cpu_percent.unwrap() > 0.0);
    assert_eq!(snapshot.memory_source, MemorySource::Peak);
    assert!(snapshot.memory_mb.unwrap() > 1.0);
    assert_eq!((snapshot.thread_count, snapshot.open_fds, snapshot.memory.helpers), (None, None, None));
    let said = snapshot.unmeasured.join("\n");
    for what in ["memory now (its peak stands in) and threads", "memory of the helper", "threads one by one"]
    {
        assert!(said.contains(what), "{said}");
    }
}

#[test]
fn a_helper_counts_while_it_lives() {
    let mut child =
        Command::new("sh").args(["-c", "while :; do :; done"]).stdin(Stdio::null()).spawn().unwrap();
    let mut profiler = Profiler::new(SETTINGS, None);
    profiler.set_helpers(vec![child.id()]);
    profiler.tick(SECOND, 0, None);
    // However busy the machine is, the child gets its turn some time.
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut now_ns = SECOND;
    let snapshot = loop {
        std::thread::yield_now();
        now_ns += SECOND;
        let snapshot = profiler.tick(now_ns, 0, None).snapshot.unwrap();
        // Between its fork and its exec it may have no memory for a moment.
        let measured = snapshot.cpu.helpers > Some(0.0) && snapshot.memory.helpers > Some(0);
        if measured || Instant::now() > deadline {
            break snapshot;
        }
    };
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(snapshot.cpu.helpers.unwrap() > 0.0);
    assert!(snapshot.memory.helpers.unwrap() > 0);
    let gone = profiler.tick(now_ns + SECOND, 0, None).snapshot.unwrap();
    assert_eq!((gone.cpu.helpers, gone.memory.helpers), (None, None));
    assert!(gone.unmeasured.iter().any(|what| what.contains("helper process")), "{:?}", gone.unmeasured);
}

#[test]
fn a_clock_that_goes_back_begins_again() {
    let mut profiler = Profiler::new(SETTINGS, None);
    profiler.tick(1000 * SECOND, 0, Some(5));
    assert!(profiler.tick(1001 * SECOND, 0, Some(6)).snapshot.is_some());
    assert_eq!(profiler.tick(10 * SECOND, 0, Some(7)).snapshot, None);
    assert_eq!(profiler.clock_jumps(), 1);
    let snapshot = profiler.tick(11 * SECOND, 0, Some(8)).snapshot.unwrap();
    assert_eq!(snapshot.hits_per_second, Some(1.0));
    assert_eq!(profiler.get_summary(60.0).sample_count, 1);
}

#[test]
fn windows_go_on_after_the_clock_went_back() {
    let table = Table::default();
    let mut profiler = Profiler::new(SETTINGS, Some(Box::new(table.clone())));
    profiler.tick(1000 * SECOND, 0, None);
    assert!(table.open.load(Ordering::Relaxed));
    profiler.tick(10 * SECOND, 0, None);
    assert!(!table.open.load(Ordering::Relaxed));
    profiler.tick(16 * SECOND, 0, None);
    assert!(table.open.load(Ordering::Relaxed));
}
