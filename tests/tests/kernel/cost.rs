//! What the kernel side costs, as the profiler measures it.

use anyhow::{Context, Result, ensure};
use sidecar_agent::bpf::LoadOptions;
use sidecar_agent::profiler::{Profiler, Settings};
use sidecar_common::{HeldStart, Spec};
use sidecar_tests::kernel::program::Program;
use sidecar_tests::kernel::session::{Session, options};
use sidecar_tests::kernel::spec;

const SECOND: u64 = 1_000_000_000;
const RING: u32 = 8 << 20;
const HITS: u64 = 20_000;

fn counted() -> Spec {
    spec::spec(&[spec::integer(0), spec::integer(1), spec::string(2), spec::integer(3)])
}

/// The time of runs is measured in windows, and told for all hits. The time that passes is the test's to say.
pub(crate) fn run_time() -> Result<()> {
    let mut session = Session::load(&options())?;
    let program = Program::copy("target_script")?;
    let _link = session.attach(&program, &[("hit", counted())])?;
    let mut running = program.start(&[])?;
    let settings = Settings { interval_ns: SECOND, deep: true };
    let mut profiler = Profiler::new(settings, Some(session.kernel.footprint().into()));

    let tick = profiler.tick(100 * SECOND, 0, Some(session.counters(0)?.hits));
    ensure!(tick.next_ns <= 101 * SECOND, "the window stays open until {}", tick.next_ns);
    running.run(&[format!("threads 2 {}", HITS / 2)])?;
    let tick = profiler.tick(101 * SECOND, 0, Some(session.counters(0)?.hits));
    let snapshot = tick.snapshot.context("no snapshot")?;
    ensure!(snapshot.unmeasured.is_empty(), "{:?}", snapshot.unmeasured);
    ensure!(snapshot.hits_per_second == Some(HITS as f64), "{:?}", snapshot.hits_per_second);
    let probe = snapshot.programs.iter().find(|program| program.name == "probe_hit").context("no program")?;
    let mean = probe.mean_ns.context("no run was measured")?;
    // A program of some hundred instructions takes more than 10 ns everywhere, and less than a millisecond.
    ensure!((10.0..1e6).contains(&mean), "{mean} ns a run");

    // Twice the hits without a window: the same mean, twice the time.
    running.run(&[format!("threads 2 {HITS}")])?;
    let tick = profiler.tick(102 * SECOND, 0, Some(session.counters(0)?.hits));
    let later = tick.snapshot.context("no snapshot")?.cpu.programs.context("no figure")?;
    let expected = mean * HITS as f64 * 2.0 / SECOND as f64 * 100.0;
    ensure!((later / expected - 1.0).abs() < 1e-6, "{later} % and not {expected} %");
    running.finish()
}

/// What maps pin is told by the kernel, and the ring's mappings are known, because they count as resident too.
pub(crate) fn memory() -> Result<()> {
    let session = Session::load(&LoadOptions { ring_bytes: RING, ..options() })?;
    let memory = session.kernel.footprint().maps()?;
    ensure!(memory.exact, "/proc/self/fdinfo told nothing");
    let ring = u64::from(RING);
    ensure!((ring..ring + 12_000_000).contains(&memory.pinned), "{memory:?}");
    ensure!((2 * ring..=2 * ring + (2 << 17)).contains(&memory.mapped), "{memory:?}");
    let needs = sidecar_agent::governor::needs(&sidecar_agent::config::Config::default());
    let others = memory.pinned - ring;
    ensure!(others <= needs.maps, "maps of {others} bytes, reckoned with {}", needs.maps);
    let held = u64::from(options().max_held);
    let fewer = Session::load(&LoadOptions { ring_bytes: RING, max_held: 64, ..options() })?;
    let less = memory.pinned - fewer.kernel.footprint().maps()?.pinned;
    let least = (held - 64) * size_of::<HeldStart>() as u64;
    ensure!(less >= least, "{held} held starts take {less} bytes and not {least}");
    Ok(())
}
