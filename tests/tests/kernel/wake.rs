//! How the reader sleeps and is woken.

use std::time::Duration;

use anyhow::Result;
use sidecar_agent::bpf::LoadOptions;
use sidecar_tests::kernel::hits;
use sidecar_tests::kernel::program::Program;
use sidecar_tests::kernel::reading::Wakeups;
use sidecar_tests::kernel::session::{Session, options};
use sidecar_tests::kernel::spec;

/// The reader's safety timer.
const TIMER: u16 = 500;

fn hit_spec() -> sidecar_common::Spec {
    spec::spec(&[spec::integer(0), spec::integer(1)])
}

/// One record wakes an idle reader; an awake one is left alone.
pub(crate) fn idle() -> Result<()> {
    let mut session = Session::load(&options())?;
    let program = Program::copy("target_script")?;
    let _link = session.attach(&program, &[("hit", hit_spec())])?;
    let mut running = program.start(&[])?;
    let wakeups = Wakeups::of(&session.reader)?;
    for round in 0..20 {
        session.reader.idle()?;
        running.run(&[format!("hit {round}")])?;
        assert!(wakeups.sleep(10_000)?, "round {round}: the record wakes the reader");
        running.run(&[format!("hit {round}"), format!("hit {round}")])?;
        assert!(!wakeups.sleep(0)?, "round {round}: the reader is awake, so nobody wakes it");
        assert_eq!(session.records()?.len(), 3);
    }
    session.reader.idle()?;
    session.reader.awake()?;
    running.run(&["hit 0"])?;
    assert!(!wakeups.sleep(0)?, "it changed its mind");
    Ok(())
}

/// A lingering reader is woken at the watermark, not before.
pub(crate) fn watermark() -> Result<()> {
    let ring_bytes = 64 << 10;
    let mut session = Session::load(&LoadOptions { ring_bytes, ..options() })?;
    let program = Program::copy("target_script")?;
    let _link = session.attach(&program, &[("hit", hit_spec())])?;
    let mut running = program.start(&[])?;
    let wakeups = Wakeups::of(&session.reader)?;
    let mark = session.kernel.control()?.watermark;
    assert!(mark > 0 && mark < ring_bytes);
    session.reader.linger()?;
    let mut hits = 0;
    loop {
        running.run(&["hit 1"])?;
        hits += 1;
        if wakeups.sleep(0)? {
            break;
        }
        assert!(hits < 1000, "the ring is full and nobody was woken");
    }
    let counters = session.counters(0)?;
    assert_eq!((counters.kept, counters.lost), (hits, 0));
    // A record takes at most 512 bytes and 8 of the ring's own; the last one may not count itself.
    assert!(hits * 520 + 520 >= u64::from(mark), "woken too early, after {hits}");
    Ok(())
}

/// A reader that lingers is woken seldom, however many records there are, and loses no sleep it needs.
pub(crate) fn storm() -> Result<()> {
    let hits = hits(1_000_000);
    let mut session = Session::load(&options())?;
    let program = Program::copy("target_script")?;
    let _link = session.attach(&program, &[("hit", hit_spec())])?;
    let mut running = program.start(&[])?;
    let wakeups = Wakeups::of(&session.reader)?;
    running.send(&format!("threads 2 {}", hits / 2))?;
    let (mut read, mut woken) = (0, 0);
    loop {
        session.reader.awake()?;
        read += session.reader.drain(usize::MAX, |_| ());
        session.reader.linger()?;
        read += session.reader.drain(usize::MAX, |_| ());
        woken += u64::from(wakeups.sleep(20)?);
        if session.kernel.counters(0)?.hits == hits {
            break;
        }
    }
    running.run::<&str>(&[])?;
    read += session.reader.drain(usize::MAX, |_| ());
    let counters = session.counters(0)?;
    assert_eq!(read as u64, counters.kept);
    println!("{} records of {hits} hits kept, {woken} wake-ups", counters.kept);
    let most = counters.kept * 520 / u64::from(session.kernel.control()?.watermark) + 2;
    assert!(woken <= most, "{woken} wake-ups, where the watermark allows {most}");
    Ok(())
}

/// With the protocol of sleeping a record waits for one turn of the timer at most, whatever falls in between.
pub(crate) fn no_record_waits() -> Result<()> {
    const HITS: usize = 2_000;
    let mut session = Session::load(&options())?;
    let program = Program::copy("target_script")?;
    let _link = session.attach(&program, &[("hit", hit_spec())])?;
    let mut running = program.start(&[])?;
    let wakeups = Wakeups::of(&session.reader)?;
    let firing = std::thread::spawn(move || -> Result<()> {
        for i in 0..HITS {
            running.run(&[format!("hit {i}")])?;
            if i % 64 == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        running.finish()
    });
    let (mut read, mut late) = (0, 0);
    let mut idle_turns = 0;
    while read < HITS && idle_turns < 20 {
        session.reader.awake()?;
        read += session.reader.drain(usize::MAX, |_| ());
        session.reader.idle()?;
        let second_look = session.reader.drain(usize::MAX, |_| ());
        read += second_look;
        if second_look == 0 && read < HITS && !wakeups.sleep(TIMER)? {
            // The timer found what nobody was woken for.
            let found = session.reader.drain(usize::MAX, |_| ());
            late += found;
            read += found;
            idle_turns = if found == 0 { idle_turns + 1 } else { 0 };
        }
    }
    match firing.join() {
        Ok(result) => result?,
        Err(_) => anyhow::bail!("the thread that fires panicked"),
    }
    assert_eq!(read, HITS);
    println!("{late} of {HITS} records waited for the timer");
    Ok(())
}
