//! What a hit costs, in nanoseconds: `bench_hit BASELINE CASE [PAIRS]` times two of these sides at one site, in turn.
//!
//! | side | |
//! | --- | --- |
//! | `off` | nobody listens: a load, a branch |
//! | `empty` | a BPF program that does nothing |
//! | `counted` | sidecar's program, at rate 0 |
//! | `kept` | sidecar's program, at rate 1: a record with two strings of 32 bytes; a reader drains the ring |
//!
//! The site is a nop with a semaphore, in this program itself. Prints `{"rounds": [...]}`.

use std::fs::File;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail, ensure};
use sidecar_agent::bpf::{EmptyProbe, Site};
use sidecar_common::{RATE_ONE, Spec};
use sidecar_tests::bench::load;
use sidecar_tests::kernel::notes::Notes;
use sidecar_tests::kernel::session::{Session, options};
use sidecar_tests::kernel::{raw, reading, spec};

/// Hits that are timed.
const HITS: u32 = 100_000;

/// Two strings of 32 bytes.
const TEXTS: [&[u8; 33]; 2] = [b"checkout::cart::adds_twice_00001\0", b"run-2026-11-24T04:30:00Z-0000001\0"];

/// The probed site.
struct Probed {
    file: File,
    site: Site,
}

impl Probed {
    /// Nanoseconds a hit on one side.
    fn measure(&self, side: &str) -> Result<f64> {
        match side {
            "off" => Ok(time()),
            "empty" => {
                let probe = EmptyProbe::load()?;
                let _link = probe.attach(&self.file, &[self.site])?;
                Ok(time())
            }
            "counted" => self.sidecar(0)?.context("nothing is lost of what is not kept"),
            "kept" => {
                // A ring that overflowed, because the reader had no processor, is another measurement.
                for _ in 0..100 {
                    if let Some(time) = self.sidecar(RATE_ONE)? {
                        return Ok(time);
                    }
                }
                bail!("the ring overflows each time: this machine is too busy")
            }
            other => bail!("there is no side `{other}`"),
        }
    }

    /// The same under sidecar's program; none if records were lost.
    fn sidecar(&self, threshold: u64) -> Result<Option<f64>> {
        let mut session = Session::load(&options())?;
        session.kernel.set_threshold(0, threshold)?;
        let args = [spec::integer(0), spec::string(1), spec::string(2)];
        session.kernel.set_spec(0, &Spec { key_arg: 0, ..spec::spec(&args) })?;
        let link = session.kernel.attach(&self.file, &[self.site])?;
        let done = AtomicBool::new(false);
        let (reader, kernel) = (&mut session.reader, &session.kernel);
        let time = std::thread::scope(|scope| -> Result<f64> {
            let reading = scope.spawn(|| {
                reading::read(reader, &done, |record| {
                    black_box(record);
                })
            });
            let time = time();
            done.store(true, Ordering::Release);
            let read = reading.join().ok().context("the reader panicked")??;
            ensure!(read.records == kernel.counters(0)?.kept, "records are missing");
            Ok(time)
        })?;
        drop(link);
        let counters = session.counters(0)?;
        ensure!(counters.hits >= u64::from(HITS), "{counters:?}");
        Ok((counters.lost == 0).then_some(time))
    }
}

/// Nanoseconds of this thread a hit, after the first ones, at which the kernel prepares the site. Not the time that
/// passes: then it would count what else the machine does.
fn time() -> f64 {
    fire(HITS / 10);
    let start = load::own_time();
    fire(HITS);
    (load::own_time() - start).as_nanos() as f64 / f64::from(HITS)
}

fn fire(hits: u32) {
    let [id, run] = TEXTS.map(|text| black_box(text).as_ptr() as u64);
    for i in 0..hits {
        if raw::semaphores()[0] != 0 {
            raw::hit(i.into(), id, run, 0, 0, 0);
        }
    }
}

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (baseline, case, pairs) = match &args[..] {
        [baseline, case] => (baseline, case, 5),
        [baseline, case, pairs] => (baseline, case, pairs.parse()?),
        _ => bail!("usage: bench_hit BASELINE CASE [PAIRS]; sides are off, empty, counted, kept"),
    };
    let own = std::env::current_exe()?;
    let probed = Probed { file: File::open(&own)?, site: Notes::read(&own)?.site("raw", "hit", 0)? };
    let mut rounds = Vec::new();
    for _ in 0..pairs {
        let (baseline, case) = (probed.measure(baseline)?, probed.measure(case)?);
        rounds.push(serde_json::json!({"baseline_ns": baseline, "case_ns": case}));
    }
    println!("{}", serde_json::json!({ "rounds": rounds }));
    Ok(())
}
