//! Functions: entries and returns are counted, timed and kept, and a call that never returns leaves nothing behind.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sidecar_agent::bpf::LoadOptions;
use sidecar_common::{
    ArgSpec, FLAG_NULL_IS_ZERO, HISTOGRAM_BUCKETS, KIND_STRING, LOC_ELAPSED, LOC_POINTED, RATE_ONE, Spec,
    bucket_of,
};
use sidecar_tests::kernel::program::{Program, Running};
use sidecar_tests::kernel::record::Arg;
use sidecar_tests::kernel::session::{Session, options};
use sidecar_tests::kernel::spec::{ARGUMENTS, integer, memory, narrow, register, spec, string};

/// Where a function's result is.
const RESULT: u16 = 80;
/// Indices of the entry's and the return's spec.
const ENTRY: u32 = 0;
const RETURN: u32 = 1;

/// The program of functions, compiled.
fn compiled(flags: &[&str]) -> Result<Program> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("functions");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/kernel/functions.cc");
    let mut command = Command::new("g++");
    command.args(["-std=c++17", "-O1", "-fno-optimize-sibling-calls", "-pthread"]).args(flags);
    let status = command.arg("-o").arg(&path).arg(source).status().context("g++")?;
    ensure!(status.success(), "g++ ended with {status}");
    Program::copy_of(&path)
}

/// Room for many calls.
fn with_frames(max_frames: u32) -> LoadOptions {
    LoadOptions { max_frames, ring_bytes: 16 << 20, ..options() }
}

/// The spec of a return: how long the call took and what it gave, in histogram 0.
fn on_return() -> Spec {
    let elapsed = ArgSpec { location: LOC_ELAPSED, ..register(0) };
    Spec { duration_arg: 0, histogram: 0, ..spec(&[elapsed, register(RESULT)]) }
}

/// The program with probes on entry and return of a function, what is attached, and the program running.
fn watching(function: &str, entry: Spec, frames: u32) -> Result<(Session, Program, Running)> {
    let mut session = Session::load(&with_frames(frames))?;
    let program = compiled(&[])?;
    let links = session.attach_function(&program, function, (ENTRY, entry), (RETURN, on_return()))?;
    // They stay on until the test's process ends, as an agent's do.
    std::mem::forget(links);
    let running = program.start(&[])?;
    Ok((session, program, running))
}

/// Hits of entry and return, and returns without entry.
fn hits(session: &Session) -> Result<(u64, u64, u64)> {
    let (entry, on_return) = (session.counters(ENTRY)?, session.counters(RETURN)?);
    Ok((entry.hits, on_return.hits, on_return.unmatched))
}

/// What the program itself saw of each call bounds what the histogram says, bucket by bucket.
pub(crate) fn known_times() -> Result<()> {
    let (session, _program, mut running) = watching("slept", spec(&[integer(0)]), 1024)?;
    let (mut inner, mut outer) = ([0; HISTOGRAM_BUCKETS], [0; HISTOGRAM_BUCKETS]);
    let mut calls = 0;
    for microseconds in [100, 1_000, 5_000, 20_000] {
        for _ in 0..10 {
            let answer = running.ask(&format!("sleep {microseconds}"))?;
            let (least, most) = answer.split_once(' ').context("two times")?;
            inner[bucket_of(least.parse()?)] += 1;
            outer[bucket_of(most.parse()?)] += 1;
            calls += 1;
        }
    }
    assert_eq!(hits(&session)?, (calls, calls, 0));
    let histogram = session.kernel.histogram(0)?;
    assert_eq!(histogram.buckets.iter().sum::<u64>(), calls, "each call is in the histogram");
    let up_to = |buckets: &[u64; HISTOGRAM_BUCKETS], i: usize| buckets[..=i].iter().sum::<u64>();
    for i in 0..HISTOGRAM_BUCKETS {
        let found = up_to(&histogram.buckets, i);
        assert!(
            (up_to(&outer, i)..=up_to(&inner, i)).contains(&found),
            "bucket {i}: {histogram:?} {inner:?} {outer:?}"
        );
    }
    running.finish()
}

/// Arguments and the result by the calling convention, of their sizes, in the records of entry and return.
pub(crate) fn values() -> Result<()> {
    let args = [narrow(integer(0), 4, true), string(1), narrow(integer(2), 1, false), integer(3)];
    let (mut session, _program, mut running) = watching("work", spec(&args), 1024)?;
    running.run(&["threads 1 2"])?;
    let records = session.records()?;
    assert_eq!(records.len(), 4);
    for (i, pair) in records.chunks(2).enumerate() {
        let expected = [Arg::Integer(0), Arg::text("text"), Arg::Integer(200), Arg::Integer(i as u64)];
        assert_eq!((pair[0].header.spec, &pair[0].args[..]), (ENTRY, &expected[..]));
        assert_eq!(pair[1].header.spec, RETURN);
        assert!(pair[1].integer(0) > 0);
        assert_eq!(pair[1].integer(1) as i32, -204);
    }
    running.finish()
}

/// What a pointer leads to, and what it leads to in turn.
pub(crate) fn members() -> Result<()> {
    let mut session = Session::load(&options())?;
    let program = compiled(&[])?;
    let name = ArgSpec { kind: KIND_STRING, ..memory(ARGUMENTS[0], 8) };
    let kind = ArgSpec { location: LOC_POINTED, size: 4, value: 16, ..register(ARGUMENTS[0]) };
    let or_zero = ArgSpec { flags: FLAG_NULL_IS_ZERO, ..kind };
    let entry = spec(&[memory(ARGUMENTS[0], 0), name, kind, or_zero]);
    let _links = session.attach_function(&program, "member", (ENTRY, entry), (RETURN, on_return()))?;
    let mut running = program.start(&[])?;
    running.run(&["member 7 1", "member 8 0"])?;
    let records = session.records()?;
    let found: Vec<_> =
        records.iter().filter(|record| record.header.spec == ENTRY).map(|record| &record.args[..]).collect();
    let (name, three, zero) = (Arg::text("inside"), Arg::Integer(3), Arg::Integer(0));
    assert_eq!(found[0], [Arg::Integer(7), name.clone(), three.clone(), three]);
    assert_eq!(found[1], [Arg::Integer(8), name, Arg::Fault, zero]);
    // Without room for calls, returns are counted all the same.
    let counters = session.counters(RETURN)?;
    assert_eq!((counters.hits, counters.unmatched), (2, 2));
    running.finish()
}

/// The kernel watches 64 returns of a thread at a time; each of them finds its own entry.
pub(crate) fn recursion() -> Result<()> {
    let (session, _program, mut running) = watching("recursed", spec(&[integer(0)]), 32_768)?;
    running.run(&["recurse 50", "recurse 50"])?;
    assert_eq!(hits(&session)?, (100, 100, 0));
    running.run(&["recurse 1000"])?;
    let (entries, returns, unmatched) = hits(&session)?;
    assert_eq!((entries, unmatched), (1100, 0));
    assert!((100 + 1..=100 + 64).contains(&returns), "{returns}");
    // The calls whose returns were not seen lay where the next ones lie.
    running.run(&["recurse 1000"])?;
    let entry = session.counters(ENTRY)?;
    assert!(entry.overwritten + entry.evicted > 0, "{entry:?}");
    assert_eq!(session.kernel.histogram(0)?.buckets.iter().sum::<u64>(), session.counters(RETURN)?.hits);
    running.finish()
}

/// Eight threads at once, at a rate of a tenth: counts and histogram stay exact, and the sums balance.
pub(crate) fn threads() -> Result<()> {
    const CALLS: u64 = 8 * 20_000;
    let (mut session, _program, mut running) = watching("work", spec(&[integer(0)]), 1024)?;
    session.kernel.set_threshold(0, RATE_ONE / 10)?;
    running.run(&["threads 8 20000"])?;
    assert_eq!(hits(&session)?, (CALLS, CALLS, 0));
    assert_eq!(session.kernel.histogram(0)?.buckets.iter().sum::<u64>(), CALLS);
    for index in [ENTRY, RETURN] {
        let counters = session.counters(index)?;
        let share = counters.kept + counters.lost;
        assert!((CALLS / 20..CALLS / 5).contains(&share), "{counters:?}");
        assert_eq!((counters.overwritten, counters.evicted), (0, 0));
    }
    session.kernel.set_enabled(false)?;
    running.run(&["threads 2 10"])?;
    assert_eq!(session.counters(ENTRY)?.disabled, 20);
    assert_eq!(session.counters(RETURN)?.disabled, 20);
    running.finish()
}

/// Calls that end by longjmp: each lies where the last one lay, so that one slot is all they take.
pub(crate) fn longjmp() -> Result<()> {
    let (session, _program, mut running) = watching("jumped", spec(&[integer(0)]), 8)?;
    running.run(&["jump 10000"])?;
    assert_eq!(hits(&session)?, (10_000, 0, 0));
    let entry = session.counters(ENTRY)?;
    assert_eq!((entry.overwritten, entry.evicted), (9_999, 0));
    running.finish()
}

/// An exception that is thrown and caught below a watched function does it no harm; neither does one that leaves a function
/// of which only the entry is watched.
pub(crate) fn exceptions() -> Result<()> {
    let (mut session, program, mut running) = watching("caught", spec(&[integer(0)]), 1024)?;
    let site =
        sidecar_agent::bpf::Site { offset: program.notes().symbol("thrown")?, semaphore: 0, cookie: 2 };
    session.kernel.set_spec(2, &spec(&[integer(0)]))?;
    let _link = session.kernel.attach(&std::fs::File::open(program.path())?, &[site])?;
    running.run(&["catch 5000", "throw 100"])?;
    assert_eq!(hits(&session)?, (5_000, 5_000, 0));
    assert_eq!(session.counters(2)?.hits, 5_100);
    running.finish()
}

/// Room for eight calls and fifty that wait: the oldest are forgotten, which is counted, and their returns find none.
pub(crate) fn no_room() -> Result<()> {
    let (session, _program, mut running) = watching("recursed", spec(&[integer(0)]), 8)?;
    running.run(&["recurse 50"])?;
    let entry = session.counters(ENTRY)?;
    assert_eq!((entry.evicted, entry.overwritten), (42, 0));
    assert_eq!(hits(&session)?, (50, 50, 42));
    assert_eq!(session.kernel.histogram(0)?.buckets.iter().sum::<u64>(), 8);
    running.finish()
}

/// Where links of many probes are not to be had, each function has two perf events.
pub(crate) fn perf_events() -> Result<()> {
    let mut session = Session::load(&LoadOptions { no_uprobe_multi: true, ..with_frames(1024) })?;
    let program = compiled(&[])?;
    let specs = ((ENTRY, spec(&[integer(0)])), (RETURN, on_return()));
    let _links = session.attach_function(&program, "work", specs.0, specs.1)?;
    let mut running = program.start(&[])?;
    running.run(&["threads 2 500"])?;
    assert_eq!(hits(&session)?, (1_000, 1_000, 0));
    assert_eq!(session.kernel.histogram(0)?.buckets.iter().sum::<u64>(), 1_000);
    running.finish()
}

/// A program without symbols is watched by offset.
pub(crate) fn stripped() -> Result<()> {
    let mut session = Session::load(&with_frames(1024))?;
    let whole = compiled(&[])?;
    let offset = whole.notes().symbol("work")?;
    let status = Command::new("strip").arg(whole.path()).status().context("strip")?;
    ensure!(status.success(), "strip ended with {status}");
    let program = Program::copy_of(whole.path())?;
    assert!(program.notes().symbol("work").is_err());
    session.kernel.set_spec(ENTRY, &spec(&[integer(0)]))?;
    let site = sidecar_agent::bpf::Site { offset, semaphore: 0, cookie: ENTRY.into() };
    let _link = session.kernel.attach(&std::fs::File::open(program.path())?, &[site])?;
    let mut running = program.start(&[])?;
    running.run(&["threads 2 50"])?;
    assert_eq!(session.counters(ENTRY)?.hits, 100);
    running.finish()
}
