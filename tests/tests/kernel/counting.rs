//! Every hit is counted, whatever becomes of it, and every record that is kept is read.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use sidecar_agent::bpf::LoadOptions;
use sidecar_common::{Counters, RATE_ONE, Spec, keeps, mix};
use sidecar_tests::kernel::hits;
use sidecar_tests::kernel::program::{Program, Running};
use sidecar_tests::kernel::record::{Arg, Record, decode};
use sidecar_tests::kernel::session::{Session, options};
use sidecar_tests::kernel::spec;

/// Threads of the four processes.
const THREADS: [u64; 4] = [2, 4, 6, 8];

/// Hits of them all in most of the tests.
fn four_million() -> u64 {
    hits(4_000_000)
}

/// What `threads` of the script carries: thread, number, text, check value; the number is the sampling key.
fn hit_spec() -> Spec {
    let args = [spec::integer(0), spec::integer(1), spec::string(2), spec::integer(3)];
    Spec { key_arg: 1, ..spec::spec(&args) }
}

/// How the ring is read while the processes fire.
#[derive(Clone, Copy)]
enum Reading {
    /// Never.
    Not,
    /// As fast as it goes.
    Fast,
    /// A few records, then a nap.
    Slow,
}

/// What was read: for each thread of each process the number of records and the next hit that may come.
#[derive(Default)]
struct Seen {
    records: u64,
    next: HashMap<(u32, u32), u64>,
    pids: HashMap<u32, u64>,
}

impl Seen {
    /// Checks a record against what the script fires.
    fn check(&mut self, bytes: &[u8]) -> Result<()> {
        let Record { header, args } = decode(bytes)?;
        let [Arg::Integer(thread), Arg::Integer(number), text, Arg::Integer(check)] = &args[..] else {
            anyhow::bail!("{args:?}");
        };
        ensure!(
            *text == Arg::text(&format!("thread {thread} hit {number}")),
            "{text:?} of {thread} {number}"
        );
        ensure!(*check == mix(thread << 40 ^ number), "check value of {thread} {number}");
        let next = self.next.entry((header.pid, header.tid)).or_default();
        ensure!(*number >= *next, "hit {number} came twice or late: {next} was next");
        *next = number + 1;
        *self.pids.entry(header.pid).or_default() += 1;
        self.records += 1;
        Ok(())
    }
}

/// Lets four processes fire `hits` in all and gives the counters and what was read.
fn fire(
    hits: u64,
    options: &LoadOptions,
    reading: Reading,
    set: impl FnOnce(&mut Session) -> Result<()>,
) -> Result<(Counters, Seen)> {
    let mut session = Session::load(options)?;
    set(&mut session)?;
    let program = Program::copy("target_script")?;
    let _link = session.attach(&program, &[("hit", hit_spec())])?;
    let each = hits / THREADS.iter().sum::<u64>();
    let mut running = THREADS.iter().map(|_| program.start(&[])).collect::<Result<Vec<Running>>>()?;
    let done = AtomicBool::new(false);
    let mut seen = Seen::default();
    let reader = &mut session.reader;
    std::thread::scope(|scope| -> Result<()> {
        let reading = scope.spawn(|| -> Result<()> {
            loop {
                // Asked before the ring is drained, so that what was fired last is read too.
                let last = done.load(Ordering::Acquire);
                let mut result = Ok(());
                let most = match reading {
                    Reading::Not => 0,
                    Reading::Slow if !last => 1_000,
                    Reading::Slow | Reading::Fast => usize::MAX,
                };
                reader.drain(most, |bytes| {
                    if result.is_ok() {
                        result = seen.check(bytes);
                    }
                });
                result?;
                if last {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(match reading {
                    Reading::Fast => 1,
                    Reading::Not | Reading::Slow => 20,
                }));
            }
        });
        for (process, threads) in running.iter_mut().zip(THREADS) {
            process.send(&format!("threads {threads} {each}"))?;
        }
        let ended = running.iter_mut().try_for_each(|process| process.run::<&str>(&[]));
        done.store(true, Ordering::Release);
        reading.join().ok().context("the reader panicked")??;
        ended
    })?;
    for process in running {
        process.finish()?;
    }
    let counters = session.counters(0)?;
    assert_eq!(counters.hits, hits);
    assert_eq!((counters.out_of_scope, counters.read_faults, counters.truncated), (0, 0, 0));
    if !matches!(reading, Reading::Not) {
        assert_eq!(seen.records, counters.kept, "every record that was kept is read");
    }
    Ok((counters, seen))
}

/// Each record holds what was fired; at rate 1, with room for all, none is missing and none comes twice.
pub(crate) fn whole() -> Result<()> {
    const HITS: u64 = 100_000;
    let options = LoadOptions { ring_bytes: 64 << 20, ..options() };
    let (counters, seen) = fire(HITS, &options, Reading::Fast, |_| Ok(()))?;
    assert_eq!((counters.kept, counters.lost), (HITS, 0));
    let each = HITS / THREADS.iter().sum::<u64>();
    assert_eq!(seen.next.len() as u64, THREADS.iter().sum::<u64>());
    // Numbers only rise (see Seen::check): as many as the last one says means that none is missing.
    assert!(seen.next.values().all(|&next| next == each));
    let mut counts: Vec<u64> = seen.pids.into_values().collect();
    counts.sort_unstable();
    assert_eq!(counts, THREADS.map(|threads| threads * each));
    Ok(())
}

pub(crate) fn rate_one() -> Result<()> {
    let (counters, _) = fire(four_million(), &options(), Reading::Fast, |_| Ok(()))?;
    assert_eq!((counters.sampled_out, counters.disabled), (0, 0));
    assert!(counters.kept > 0);
    Ok(())
}

pub(crate) fn rate_tenth() -> Result<()> {
    let threshold = RATE_ONE / 10;
    let (counters, _) = fire(four_million(), &options(), Reading::Fast, |session| {
        Ok(session.kernel.set_threshold(0, threshold)?)
    })?;
    let threads = THREADS.iter().sum::<u64>();
    let chosen = (1..four_million() / threads).filter(|&key| keeps(key, threshold)).count() as u64;
    // A key of 0 is none, so that chance decides for the first hit of each thread.
    let by_chance = (counters.kept + counters.lost).checked_sub(chosen * threads);
    assert!(by_chance.is_some_and(|hits| hits <= threads), "the keys decide, and nothing else: {counters:?}");
    assert_eq!(counters.disabled, 0);
    Ok(())
}

pub(crate) fn rate_zero() -> Result<()> {
    let (counters, _) =
        fire(four_million(), &options(), Reading::Fast, |session| Ok(session.kernel.set_threshold(0, 0)?))?;
    assert_eq!((counters.sampled_out, counters.kept, counters.lost), (four_million(), 0, 0));
    Ok(())
}

pub(crate) fn disabled() -> Result<()> {
    let (counters, _) =
        fire(four_million(), &options(), Reading::Fast, |session| Ok(session.kernel.set_enabled(false)?))?;
    assert_eq!((counters.disabled, counters.kept, counters.statuses), (four_million(), 0, [0; 9]));
    Ok(())
}

pub(crate) fn unread_ring() -> Result<()> {
    let options = LoadOptions { ring_bytes: 64 << 10, ..options() };
    let (counters, _) = fire(four_million(), &options, Reading::Not, |_| Ok(()))?;
    assert!(counters.kept > 0, "the ring had room at first");
    assert_eq!(counters.lost, four_million() - counters.kept);
    Ok(())
}

pub(crate) fn slow_reader() -> Result<()> {
    let options = LoadOptions { ring_bytes: 64 << 10, ..options() };
    let (counters, _) = fire(four_million(), &options, Reading::Slow, |_| Ok(()))?;
    assert!(counters.kept > 0 && counters.lost > 0, "{counters:?}");
    Ok(())
}
