//! Watching a tree of processes: what belongs to it, and the records of its execs and exits.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result};
use sidecar_agent::bpf::{LoadOptions, Scope};
use sidecar_common::{RECORD_EXEC, RECORD_EXIT, RecordHeader};
use sidecar_tests::kernel::program::Program;
use sidecar_tests::kernel::session::{Session, options};
use sidecar_tests::kernel::spec;

fn tree() -> LoadOptions {
    LoadOptions { scope: Scope::Tree, ..options() }
}

/// The tree begins as this process alone, by its id in the initial pid namespace.
pub(crate) fn own() -> Result<()> {
    let session = Session::load(&tree())?;
    let tree = session.kernel.tree().context("a tree")?;
    assert_eq!(tree.len(), 1);
    assert!(!tree.is_empty());
    assert!(!tree.contains(1));
    let copy = sidecar_agent::bpf::Tree::from_descriptor(tree.descriptor().try_clone_to_owned()?)?;
    assert_eq!(copy.len(), 1, "another process that has the descriptor sees the same tree");
    assert!(Session::load(&options())?.kernel.tree().is_none());
    Ok(())
}

pub(crate) fn members() -> Result<()> {
    const VERBS: [&str; 6] = ["child", "fork", "grandchild", "daemon", "exec_thread", "threads 8"];
    const EACH: u64 = 25;
    let program = Program::copy("target_script")?;
    let mut outsider = program.start(&[])?;
    let mut session = Session::load(&tree())?;
    let _link = session.attach(&program, &[("hit", spec::spec(&[spec::integer(0)]))])?;

    let mut insider = program.start(&[])?;
    let tree = session.kernel.tree().context("a tree")?;
    assert!(tree.contains(insider.pid()) && !tree.contains(outsider.pid()));
    assert_eq!(tree.len(), 2);
    let lines = VERBS.map(|verb| format!("{verb} {EACH}"));
    insider.run(&lines)?;
    let expected = EACH * (VERBS.len() as u64 + 7);
    let counters = session.counters(0)?;
    assert_eq!((counters.hits, counters.kept, counters.out_of_scope), (expected, expected, 0));

    outsider.run(&lines)?;
    outsider.finish()?;
    let counters = session.counters(0)?;
    assert_eq!((counters.hits, counters.kept, counters.out_of_scope), (expected, expected, expected));
    let tree = session.kernel.tree().context("a tree")?;
    assert_eq!(tree.len(), 2, "processes that have ended have left");
    insider.finish()?;
    assert_eq!(session.kernel.tree().context("a tree")?.len(), 1);

    let records = session.records()?;
    assert_eq!(records.len() as u64, expected, "outsiders leave no records");
    assert_eq!(session.kernel.process_lost()?, 0);
    Ok(())
}

/// A tree that is full counts who does not fit.
pub(crate) fn full() -> Result<()> {
    let session = Session::load(&LoadOptions { max_processes: 2, ..tree() })?;
    let program = Program::copy("target_script")?;
    let first = program.start(&[])?;
    let others = [program.start(&[])?, program.start(&[])?, program.start(&[])?];
    let tree = session.kernel.tree().context("a tree")?;
    assert!(tree.contains(first.pid()));
    assert_eq!(tree.len(), 2);
    assert_eq!(session.kernel.process_lost()?, 3);
    drop(others);
    Ok(())
}

/// Ids of the processes that these records are about.
fn pids(headers: &[RecordHeader], kind: u16) -> Vec<u32> {
    headers.iter().filter(|header| header.kind == kind).map(|header| header.pid).collect()
}

pub(crate) fn execs_and_exits() -> Result<()> {
    const PROCESSES: usize = 200;
    let options = LoadOptions { exec_records: true, exit_records: true, ..tree() };
    let mut session = Session::load(&options)?;
    let mut started = BTreeSet::new();
    for _ in 0..PROCESSES {
        let mut child = Command::new("/bin/true").spawn()?;
        started.insert(child.id());
        child.wait()?;
    }
    let records = session.records()?;
    assert!(records.iter().all(|record| record.args.is_empty()));
    let headers: Vec<RecordHeader> = records.iter().map(|record| record.header).collect();
    assert_eq!(headers.len(), 2 * PROCESSES);
    for kind in [RECORD_EXEC, RECORD_EXIT] {
        let found = pids(&headers, kind);
        assert_eq!((found.len(), started.len()), (PROCESSES, PROCESSES));
        assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), started);
    }
    assert!(headers.iter().all(|header| header.comm.starts_with(b"true\0")));
    assert!(headers.is_sorted_by_key(|header| header.time_ns));
    assert_eq!(session.kernel.process_lost()?, 0);
    Ok(())
}

/// A process with many threads ends once.
pub(crate) fn exit_of_threads() -> Result<()> {
    let mut session = Session::load(&LoadOptions { exit_records: true, ..tree() })?;
    let program = Program::copy("target_script")?;
    let mut running = program.start(&[])?;
    let pid = running.pid();
    running.run(&["threads 16 1"])?;
    assert!(session.records()?.is_empty(), "a thread's end is not its process's");
    running.finish()?;
    let headers: Vec<RecordHeader> = session.records()?.iter().map(|record| record.header).collect();
    assert_eq!(pids(&headers, RECORD_EXIT), [pid]);
    Ok(())
}

/// Exec records without room for them are counted.
pub(crate) fn lost_processes() -> Result<()> {
    const PROCESSES: u64 = 100;
    let options = LoadOptions { exec_records: true, ring_bytes: 4096, ..tree() };
    let mut session = Session::load(&options)?;
    for _ in 0..PROCESSES {
        Command::new("/bin/true").status()?;
    }
    let kept = session.records()?.len() as u64;
    assert!(kept > 0 && kept < PROCESSES);
    assert_eq!(session.kernel.process_lost()?, PROCESSES - kept);
    Ok(())
}
