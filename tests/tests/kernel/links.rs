//! Attaching and letting go: semaphores, the fallback by perf events, many sites, and death.

use std::fs::File;
use std::time::{Duration, Instant};

use anyhow::Result;
use sidecar_agent::bpf::{AttachMethod, BpfError, LoadOptions, Site};
use sidecar_common::Spec;
use sidecar_tests::kernel::built;
use sidecar_tests::kernel::program::{Program, Running};
use sidecar_tests::kernel::session::{Session, options};
use sidecar_tests::kernel::spec;

fn one_integer() -> Spec {
    spec::spec(&[spec::integer(0)])
}

fn by_perf_events() -> LoadOptions {
    LoadOptions { no_uprobe_multi: true, ..options() }
}

/// Waits until the program's semaphores are these. A process that another test forks holds this one's descriptors until
/// it executes, and so a link that was dropped here.
fn comes_to(running: &mut Running, wanted: &str) -> Result<()> {
    let deadline = Instant::now() + GENEROUS;
    loop {
        let found = running.ask("semaphores")?;
        if found == wanted {
            return Ok(());
        }
        anyhow::ensure!(Instant::now() < deadline, "semaphores are {found}, not {wanted}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Semaphores are raised in a program that runs already and in one that starts later, and lowered again.
fn semaphores_with(options: &LoadOptions) -> Result<()> {
    let mut session = Session::load(options)?;
    let program = Program::copy("target_script")?;
    let mut before = program.start(&[])?;
    assert_eq!(before.ask("semaphores")?, "[0, 0, 0]");
    let link = session.attach(&program, &[("hit", one_integer()), ("end", one_integer())])?;
    let mut after = program.start(&[])?;
    for running in [&mut before, &mut after] {
        assert_eq!(running.ask("semaphores")?, "[1, 0, 1]");
        running.run(&["hit 1", "start 2", "end 3"])?;
    }
    drop(link);
    for running in [&mut before, &mut after] {
        comes_to(running, "[0, 0, 0]")?;
        running.run(&["hit 4", "end 5"])?;
    }
    let found: Vec<_> =
        session.records()?.iter().map(|record| (record.header.spec, record.integer(0))).collect();
    assert_eq!(found, [(0, 1), (1, 3), (0, 1), (1, 3)]);
    assert_eq!(session.counters(0)?.hits, 2, "nothing is counted after the link is dropped");
    Ok(())
}

pub(crate) fn semaphores() -> Result<()> {
    semaphores_with(&options())
}

pub(crate) fn perf_semaphores() -> Result<()> {
    semaphores_with(&by_perf_events())
}

/// Two agents on one site both count, and each lets go alone.
pub(crate) fn two_agents() -> Result<()> {
    let program = Program::copy("target_script")?;
    let mut running = program.start(&[])?;
    let mut first = Session::load(&options())?;
    let mut second = Session::load(&options())?;
    let first_link = first.attach(&program, &[("hit", one_integer())])?;
    let second_link = second.attach(&program, &[("start", one_integer()), ("hit", one_integer())])?;
    running.run(&["threads 2 500"])?;
    drop(first_link);
    assert_ne!(running.ask("semaphores")?, "[0, 0, 0]", "the second still listens");
    running.run(&["threads 2 500"])?;
    drop(second_link);
    comes_to(&mut running, "[0, 0, 0]")?;
    running.run(&["threads 2 500"])?;
    assert_eq!(first.counters(0)?.hits, 1000);
    assert_eq!((second.counters(0)?.hits, second.counters(1)?.hits), (0, 2000));
    Ok(())
}

pub(crate) fn perf_events() -> Result<()> {
    let mut session = Session::load(&by_perf_events())?;
    assert!(matches!(session.kernel.features().attach, AttachMethod::PerfEvent { .. }));
    let program = Program::copy("target_script")?;
    let specs = [("hit", one_integer()), ("start", one_integer()), ("end", one_integer())];
    let link = session.attach(&program, &specs)?;
    assert_eq!(link.descriptors(), 6);
    let mut running = program.start(&[])?;
    running.run(&["threads 4 1000", "start 7", "start 8", "end 9"])?;
    let hits = [session.counters(0)?.hits, session.counters(1)?.hits, session.counters(2)?.hits];
    assert_eq!(hits, [4000, 2, 1], "each site has its own cookie");
    Ok(())
}

/// The sleepable program and perf events do not go together on every kernel; a string arrives or is counted.
pub(crate) fn perf_strings() -> Result<()> {
    let mut session = Session::load(&by_perf_events())?;
    let program = Program::copy("target_script")?;
    let spec = spec::spec(&[spec::integer(0), spec::string(1)]);
    let _link = session.attach(&program, &[("hit", spec)])?;
    let mut running = program.start(&[])?;
    running.run(&["cold 100", "hit 1 text:warm"])?;
    let counters = session.counters(0)?;
    let cold_faults = if session.kernel.features().sleepable { 0 } else { 100 };
    assert_eq!((counters.kept, counters.read_faults), (101, cold_faults));
    Ok(())
}

/// A link is made at all sites or at none, and says why not.
pub(crate) fn refusals() -> Result<()> {
    for options in [options(), by_perf_events()] {
        let mut session = Session::load(&options)?;
        let program = Program::copy("target_script")?;
        drop(session.attach(&program, &[("hit", one_integer())])?);
        let good = program.notes().site("raw", "hit", 0)?;
        let beyond = Site { offset: 1 << 40, ..good };
        let file = File::open(program.path())?;
        let error = session.kernel.attach(&file, &[good, beyond]).map(drop);
        assert!(matches!(error, Err(BpfError::Attach { sites: 2, .. })), "{error:?}");
        let folder = File::open(program.folder())?;
        assert!(matches!(session.kernel.attach(&folder, &[good]), Err(BpfError::Attach { .. })));
        let mut running = program.start(&[])?;
        comes_to(&mut running, "[0, 0, 0]")?;
        running.run(&["hit 1"])?;
        assert_eq!(session.counters(0)?.hits, 0);
    }
    Ok(())
}

/// A file whose name now leads elsewhere: the probes sit in the file that was opened.
pub(crate) fn renamed() -> Result<()> {
    let session = Session::load(&options())?;
    let program = Program::copy("target_script")?;
    let site = program.notes().site("raw", "hit", 0)?;
    let file = File::open(program.path())?;
    let moved = program.folder().join("moved");
    std::fs::rename(program.path(), &moved)?;
    std::fs::write(program.path(), "not a program")?;
    let _link = session.kernel.attach(&file, &[site])?;
    let mut running = Running::start(&mut std::process::Command::new(&moved))?;
    running.run(&["hit 1", "hit 2"])?;
    assert_eq!(session.counters(0)?.hits, 2);
    Ok(())
}

/// Letting go takes milliseconds; a test only guards against the seconds of another way of attaching.
const GENEROUS: Duration = Duration::from_secs(60);

/// Ten thousand sites by one link; by perf events as many as the usual limit of descriptors has room for.
pub(crate) fn ten_thousand_sites() -> Result<()> {
    let session = Session::load(&options())?;
    let each = match session.kernel.features().attach {
        AttachMethod::UprobeMulti => 1000,
        AttachMethod::PerfEvent { .. } => 20,
    };
    let program = Program::copy("target_sites")?;
    let mut running = program.start(&[])?;
    let first = program.notes().symbol("first_site")?;
    let count = 10 * each;
    let sites: Vec<Site> =
        (0..count).map(|i| Site { offset: first + 16 * i, semaphore: 0, cookie: i % 10 }).collect();
    let start = Instant::now();
    let link = session.kernel.attach(&File::open(program.path())?, &sites)?;
    let attached = start.elapsed();
    match session.kernel.features().attach {
        AttachMethod::UprobeMulti => assert_eq!(link.descriptors(), 1),
        AttachMethod::PerfEvent { .. } => assert_eq!(link.descriptors() as u64, 2 * count),
    }
    running.run(&["all"])?;
    for index in 0..10 {
        assert_eq!(session.counters(index)?.hits, each);
    }
    let start = Instant::now();
    drop(link);
    let detached = start.elapsed();
    // Only the program comes off at once where each perf event keeps the kernel waiting.
    println!("{count} sites: attached in {attached:?}, detached in {detached:?}");
    // A process that another test forks holds the descriptors until it executes.
    loop {
        let before = session.counters(0)?.hits;
        running.run(&["all"])?;
        if session.counters(0)?.hits == before {
            return Ok(());
        }
        anyhow::ensure!(
            start.elapsed() < GENEROUS,
            "hits are counted {:?} after letting go",
            start.elapsed()
        );
    }
}

pub(crate) fn killed() -> Result<()> {
    let program = Program::copy("target_script")?;
    let mut running = program.start(&[])?;
    let agent = Running::start(std::process::Command::new(built("helper_attach")?).arg(program.path()))?;
    assert_eq!(running.ask("semaphores")?, "[1, 1, 1]");
    let start = Instant::now();
    agent.kill()?;
    let died = start.elapsed();
    assert_eq!(running.ask("semaphores")?, "[0, 0, 0]", "its probes die with it");
    running.run(&["hit 1"])?;
    running.finish()?;
    println!("an agent with 3 sites died in {died:?}");
    assert!(died < GENEROUS, "{died:?}");
    Ok(())
}

/// What a user without privilege is told.
pub(crate) fn unprivileged() -> Result<()> {
    use std::os::unix::process::CommandExt;
    let program = Program::copy("target_script")?;
    let helper = Program::copy("helper_attach")?;
    let mut command = std::process::Command::new(helper.path());
    command.arg(program.path()).uid(65_534).gid(65_534).env_remove("SIDECAR_BPF_OBJECT");
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains("no privilege for BPF: run as root, or with CAP_BPF"), "{said}");
    assert!(output.stdout.is_empty());
    Ok(())
}

/// What the options switch off is not used, and what is used is what the features say.
pub(crate) fn features() -> Result<()> {
    for (no_uprobe_multi, no_sleepable) in [(false, false), (false, true), (true, false), (true, true)] {
        let session = Session::load(&LoadOptions { no_uprobe_multi, no_sleepable, ..options() })?;
        let features = session.kernel.features();
        assert!(!no_uprobe_multi || features.attach != AttachMethod::UprobeMulti, "{features:?}");
        assert!(!no_sleepable || !features.sleepable, "{features:?}");
        println!("features: {} {}", features.attach.name(), features.sleepable);
    }
    Ok(())
}
