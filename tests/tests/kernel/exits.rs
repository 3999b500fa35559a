//! Tests whose process dies: each ends as aborted, once, with how the process ended, and no other does.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sidecar_agent::bpf::{Link, LoadOptions};
use sidecar_common::{
    EVENT_TEST_END, EVENT_TEST_START, RATE_ONE, RECORD_ABORT, RECORD_HIT, RECORD_PRECIOUS, Spec, Status,
};
use sidecar_tests::kernel::program::{Program, Running};
use sidecar_tests::kernel::record::{Arg, Record};
use sidecar_tests::kernel::session::{Session, options};
use sidecar_tests::kernel::spec;

/// A core dump, in how a process ended.
const DUMPED: u32 = 0x80;

fn load() -> LoadOptions {
    LoadOptions { follow_exits: true, ..options() }
}

/// A program whose tests are watched by markers `start` and `end`; the arguments are number, id and status.
struct Watched {
    session: Session,
    program: Program,
    _link: Link,
}

impl Watched {
    fn new(load: &LoadOptions, threshold: u64) -> Result<Self> {
        let args = [spec::integer(0), spec::string(1), spec::integer(2)];
        let common = Spec { id_arg: 1, seed: 7, ..spec::spec(&args) };
        let start = Spec { event: EVENT_TEST_START, ..common };
        let end = Spec { event: EVENT_TEST_END, status_arg: 2, ..common };
        let mut session = Session::load(load)?;
        assert!(session.kernel.features().exits, "this kernel tells how processes end");
        session.kernel.set_threshold(0, threshold)?;
        let program = Program::copy("target_script")?;
        let link = session.attach(&program, &[("start", start), ("end", end)])?;
        Ok(Self { session, program, _link: link })
    }

    fn start(&self) -> Result<Running> {
        self.program.start(&[])
    }

    /// The aborted tests in the ring, and the other records.
    fn aborted(&mut self) -> Result<(Vec<Record>, Vec<Record>)> {
        Ok(self.session.records()?.into_iter().partition(|record| record.header.kind == RECORD_ABORT))
    }

    /// That the ring holds nothing.
    fn nothing(&mut self) -> Result<()> {
        let found = self.session.records()?;
        assert!(found.is_empty(), "{found:?}");
        Ok(())
    }
}

/// By signals and by an exit in the middle, whether the start was kept or sampled out.
pub(crate) fn deaths() -> Result<()> {
    for (threshold, recalled) in [(RATE_ONE, 0), (0, 1)] {
        for (round, signal) in (1..).zip([Some(Signal::SIGKILL), Some(Signal::SIGABRT), None]) {
            let mut watched = Watched::new(&load(), threshold)?;
            let mut running = watched.start()?;
            let pid = running.pid();
            running.run(&[format!("start {round} text:dies 5")])?;
            match signal {
                Some(signal) => {
                    kill(Pid::from_raw(pid.try_into()?), signal)?;
                    running.wait()?;
                }
                None => running.finish()?,
            }
            let (aborted, others) = watched.aborted()?;
            let [aborted] = &aborted[..] else { panic!("{aborted:?}") };
            let [start] = &others[..] else { panic!("{others:?}") };
            assert_eq!(start.header.kind, RECORD_HIT);
            assert_eq!(start.args, [Arg::Integer(round), Arg::text("dies"), Arg::Integer(5)]);
            assert_eq!(aborted.args, start.args, "it is the same test");
            assert_eq!((aborted.header.pid, aborted.header.tid), (pid, start.header.tid));
            // When it started, by a look at the clock of its own where the start was sent.
            let started = aborted.header.rate;
            assert!(started >= start.header.time_ns && (threshold != 0 || started == start.header.time_ns));
            assert!(aborted.header.time_ns > started);
            assert_eq!(
                (aborted.header.status, aborted.header.flags),
                (Status::Aborted as u8, RECORD_PRECIOUS)
            );
            let code = aborted.header.exit_code & !DUMPED;
            assert_eq!(code, signal.map_or(0, |signal| signal as u32), "{signal:?}");
            let counters = watched.session.counters(0)?;
            assert_eq!((counters.hits, counters.aborted, counters.abort_lost), (1, 1, 0));
            assert_eq!((counters.recalled, counters.held), (recalled, recalled));
            assert_eq!(watched.session.counters(1)?.hits, 0);
        }
    }
    Ok(())
}

/// Tests that end, threads that end, children that end, and a program in the same process abort nothing.
pub(crate) fn others() -> Result<()> {
    let mut watched = Watched::new(&load(), 0)?;
    let mut running = watched.start()?;
    running.run(&["start 1 text:whole 0", "end 1 text:whole 1"])?;
    running.run(&[
        "start 2 text:parent 0",
        "fork 1",
        "child 1",
        "grandchild 1",
        "daemon 1",
        "threads 4 1",
    ])?;
    watched.nothing()?;
    running.run(&["end 2 text:parent 1"])?;
    running.finish()?;
    watched.nothing()?;
    let counters = watched.session.counters(0)?;
    assert_eq!((counters.aborted, counters.recalled, counters.gave_way), (0, 0, 0));
    Ok(())
}

/// A process that executes another program in the middle of a test is still that test's: it ends with the process.
pub(crate) fn exec_over_itself() -> Result<()> {
    for verb in ["execute 1", "exec_thread 1"] {
        let mut watched = Watched::new(&load(), RATE_ONE)?;
        let mut running = watched.start()?;
        let pid = running.pid();
        running.run(&["start 1 text:first 0"])?;
        // `exec_thread` does it in a child, from a thread: of the child no test is known.
        running.send(verb)?;
        running.finish()?;
        let (aborted, starts) = watched.aborted()?;
        assert_eq!(starts.len(), 1, "{starts:?}");
        assert_eq!(aborted.len(), 1, "{verb}: {aborted:?}");
        assert_eq!((aborted[0].header.pid, aborted[0].header.exit_code), (pid, 0));
    }
    Ok(())
}

/// Each of a thousand processes that are killed at once ends its test, once.
pub(crate) fn thousand() -> Result<()> {
    const CROWD: u64 = 1000;
    for threshold in [RATE_ONE, 0] {
        let load = LoadOptions { ring_bytes: 8 << 20, ..load() };
        let mut watched = Watched::new(&load, threshold)?;
        let mut running = watched.start()?;
        running.run(&[format!("crowd {CROWD}")])?;
        running.finish()?;
        let (aborted, starts) = watched.aborted()?;
        let mut tests: BTreeMap<u64, (u32, u32)> = BTreeMap::new();
        for record in &starts {
            assert!(tests.insert(record.integer(0), (record.header.pid, 0)).is_none(), "{record:?}");
        }
        for record in &aborted {
            assert_eq!(record.header.exit_code, 9);
            let (pid, times) = tests.get_mut(&record.integer(0)).context("its start")?;
            assert_eq!(record.header.pid, *pid);
            *times += 1;
        }
        let counters = watched.session.counters(0)?;
        assert_eq!(counters.gave_way, 0, "there is room for as many");
        assert_eq!((tests.len() as u64, counters.aborted, counters.abort_lost), (CROWD, CROWD, 0));
        assert!(tests.values().all(|(_, times)| *times == 1), "each once");
    }
    Ok(())
}

/// One process with many tests at once, as a test runner is: all of them end with it, and those of others do not.
pub(crate) fn runner() -> Result<()> {
    const TESTS: u64 = 500;
    let mut watched = Watched::new(&LoadOptions { ring_bytes: 4 << 20, ..load() }, 0)?;
    let (mut runner, mut other) = (watched.start()?, watched.start()?);
    let begin = |i| format!("start {i} text:id_{i} 0");
    runner.run(&(0..TESTS).map(begin).collect::<Vec<_>>())?;
    other.run(&[begin(0), begin(TESTS)])?;
    runner.run(&["end 7 text:id_7 1"])?;
    let pid = runner.pid();
    runner.kill()?;
    let (aborted, _) = watched.aborted()?;
    let mut numbers: Vec<u64> = aborted.iter().map(|record| record.integer(0)).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..TESTS).filter(|&i| i != 7).collect::<Vec<_>>());
    assert!(aborted.iter().all(|record| record.header.pid == pid));
    other.run(&[format!("end 0 text:id_0 {}", Status::Failed as u8)])?;
    assert_eq!(watched.session.records()?.len(), 2, "its own start and end");
    other.kill()?;
    assert_eq!(watched.aborted()?.0.len(), 1, "the one that had not ended");
    assert_eq!(watched.session.counters(0)?.aborted, TESTS);
    Ok(())
}

/// A ring that nobody reads: what finds no room is counted, to the unit.
pub(crate) fn full_ring() -> Result<()> {
    const CROWD: u64 = 400;
    let mut watched = Watched::new(&LoadOptions { ring_bytes: 256 << 10, ..load() }, 0)?;
    let mut running = watched.start()?;
    running.run(&[format!("crowd {CROWD}")])?;
    running.finish()?;
    let (aborted, starts) = watched.aborted()?;
    let counters = watched.session.counters(0)?;
    assert!(counters.abort_lost > 0 && counters.aborted > 0, "{counters:?}");
    assert_eq!(counters.aborted + counters.abort_lost, CROWD);
    assert_eq!(counters.recalled + counters.recall_lost, CROWD);
    assert_eq!((aborted.len() as u64, starts.len() as u64), (counters.aborted, counters.recalled));
    Ok(())
}

/// More tests at once than there is room for: those that gave way are counted, and the others end.
pub(crate) fn too_many() -> Result<()> {
    const TESTS: u64 = 300;
    let mut watched = Watched::new(&LoadOptions { max_held: 128, ring_bytes: 4 << 20, ..load() }, RATE_ONE)?;
    let mut running = watched.start()?;
    running.run(&(0..TESTS).map(|i| format!("start {i} text:id_{i} 0")).collect::<Vec<_>>())?;
    running.kill()?;
    let (aborted, _) = watched.aborted()?;
    let counters = watched.session.counters(0)?;
    assert_eq!((aborted.len() as u64, counters.aborted + counters.gave_way), (counters.aborted, TESTS));
    assert!(counters.gave_way >= TESTS - 128, "{counters:?}");
    Ok(())
}

/// Where a test's own end may have passed unseen, nothing is said of it.
pub(crate) fn blind() -> Result<()> {
    let mut watched = Watched::new(&load(), RATE_ONE)?;
    let begin = ["start 1 text:first 0"];
    // Switched off at its end, and switched off in between.
    let (mut first, mut second) = (watched.start()?, watched.start()?);
    first.run(&begin)?;
    second.run(&begin)?;
    watched.session.kernel.set_enabled(false)?;
    first.kill()?;
    watched.session.kernel.watch_since(u64::MAX)?;
    watched.session.kernel.set_enabled(true)?;
    second.kill()?;
    watched.session.kernel.watch_since(0)?;
    // Its probes are off.
    let mut third = watched.start()?;
    third.run(&begin)?;
    watched.session.kernel.retire_spec(0)?;
    third.kill()?;
    assert!(watched.aborted()?.0.is_empty());
    watched
        .session
        .kernel
        .set_spec(0, &Spec { event: EVENT_TEST_START, ..spec::spec(&[spec::integer(0)]) })?;
    watched.session.kernel.ignore_exits()?;
    let mut fourth = watched.start()?;
    fourth.run(&begin)?;
    fourth.kill()?;
    assert!(watched.aborted()?.0.is_empty());
    let counters = watched.session.counters(0)?;
    assert_eq!((counters.aborted, counters.abort_lost), (0, 0));
    Ok(())
}
