//! The account of the queue between the ring and who takes the events, by each reason, with one who takes nothing.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sidecar_agent::{
    bpf::Scope,
    event::Event,
    metrics::{BuildInfo, Metrics},
    observe::{Consumer, Observer, OnFull, Options, Totals},
};
use sidecar_markers::event;

use crate::watching::all;

/// Takes one event, and then nothing until its door is opened.
struct Stuck {
    door: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Consumer for Stuck {
    fn take(&mut self, _: Event) {
        // An error means that the other side is gone: the door is open.
        let _ = self.door.lock().unwrap_or_else(PoisonError::into_inner).recv();
    }

    fn idle(&mut self) {}
}

/// Events that the ring has room for, also where nobody reads it meanwhile: each takes 4 KiB of 2 MiB.
const PORTION: u64 = 100;

/// Fires events, in portions, and waits until the agent has read all that were fired so far.
fn fire(observer: &Observer, fired: &mut u64, count: u64) -> Result<Totals> {
    let rest = count.saturating_sub(PORTION);
    if rest > 0 {
        fire(observer, fired, rest)?;
    }
    let count = count - rest;
    for _ in 0..count {
        event!("account", data = "0123456789".repeat(20));
    }
    *fired += count;
    let begun = Instant::now();
    loop {
        let totals = observer.totals();
        let queue = totals.queue;
        if totals.received == *fired && queue.received == *fired {
            ensure!(totals.counters.hits == *fired && totals.counters.kept == *fired, "{totals:?}");
            ensure!(queue.received == queue.processed + queue.len + queue.dropped(), "{totals:?}");
            return Ok(totals);
        }
        ensure!(begun.elapsed() < Duration::from_secs(60), "{fired} fired: {totals:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn of_the_queue() -> Result<()> {
    let mut config = all();
    config.discovery.exec = false;
    config.discovery.files = vec![std::env::current_exe()?.display().to_string()];
    config.resources.max_queue_size = 50;
    let (open, door) = mpsc::channel();
    let options = Options {
        scope: Scope::Node,
        object: std::env::var_os("SIDECAR_BPF_OBJECT").map(Into::into),
        ignore_own: false,
        rate: Some(1.0),
        on_full: OnFull::Drop,
        queue_bytes: 10 << 20,
    };
    let mut observer = Observer::start(&config, options, Stuck { door: Arc::new(Mutex::new(door)) })?;
    observer.take_looked().context("it looks once")?.blocking_recv()?;
    let steering = observer.steering();
    let mut fired = 0;

    // The consumer has taken what was there when it looked, and is stuck with it.
    let totals = fire(&observer, &mut fired, 600)?;
    ensure!(totals.queue.len == 50 && totals.queue.dropped() == totals.queue.dropped_oldest, "{totals:?}");
    let oldest = totals.queue.dropped_oldest;
    ensure!(oldest > 0, "{totals:?}");

    steering.set_queue_limits(50, 10 << 20, false);
    let totals = fire(&observer, &mut fired, 100)?;
    ensure!((totals.queue.dropped_oldest, totals.queue.dropped_newest) == (oldest, 100), "{totals:?}");

    steering.set_queue_limits(1000, totals.queue.bytes / 2, true);
    let totals = fire(&observer, &mut fired, 100)?;
    let by_bytes = totals.queue.dropped_memory;
    ensure!(by_bytes > 100 && totals.queue.bytes <= totals.queue.max_bytes, "{totals:?}");
    steering.shed_queue();
    let totals = fire(&observer, &mut fired, 0)?;
    let shed = totals.queue.dropped_memory - by_bytes;
    ensure!(shed > 0 && shed.abs_diff(totals.queue.len) <= 1, "{totals:?}");

    // What waits at the end, with nobody to take it, is dropped by the shutdown.
    let waiting = totals.queue.len;
    let totals = observer.finish();
    let queue = totals.queue;
    ensure!(queue.dropped_shutdown == waiting && queue.len == 0 && waiting > 0, "{totals:?}");
    ensure!(totals.received == queue.processed + queue.dropped(), "{totals:?}");
    let build = BuildInfo { version: "0".into(), arch: "none".into(), kernel_object: "none".into() };
    let text = Metrics::new(observer.source(), build)?.encode()?;
    for (reason, count) in queue.drops() {
        let line = format!("sidecar_records_dropped_total{{reason=\"{reason}\"}} {count}\n");
        ensure!(count > 0 && text.contains(&line), "{line}{text}");
    }
    for (name, count) in [("received", fired), ("processed", queue.processed)] {
        ensure!(text.contains(&format!("sidecar_records_{name}_total {count}\n")), "{name}: {text}");
    }
    println!("{queue:?}");
    drop(open);
    Ok(())
}
