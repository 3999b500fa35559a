//! The control plane while 50,000 kept events a second come in: `bench_control [RATE [SECONDS]]`.
//!
//! For some time there are a scrape every 100 ms, 50 clients that never finish their request and a handler that is stuck;
//! then come 1,000 reloads; then `enabled` is switched off and on. This program fires the events, and 10,000 sites of
//! another process are watched too, so that there is something to take off.

use std::io::Write;
use std::net::TcpStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sidecar_tests::bench::agent::{Agent, watch_raw};
use sidecar_tests::bench::sites::{SITES, Sites};
use sidecar_tests::bench::{figure, load, median};
use sidecar_tests::kernel::{program::Program, raw};
use sidecar_tests::node::control::Control;

/// Time between two scrapes, and between two bytes of a slow client.
const SCRAPE_EVERY: Duration = Duration::from_millis(100);
/// Time between two questions for health.
const ASK_EVERY: Duration = Duration::from_millis(20);
const SLOW_CLIENTS: usize = 50;
const RELOADS: u32 = 1000;
/// Times that the switch is thrown.
const SWITCHES: u32 = 5;
/// Time between two looks at the sites.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(60);
/// The load is fired in portions of this time.
const PORTION: Duration = Duration::from_millis(200);

/// The configuration, which changes from round to round.
fn config(socket: &Path, program: &Program, round: u32, enabled: bool) -> Result<String> {
    let listen = "http: {listen: \"127.0.0.1:0\"}";
    let with_socket = format!("http: {{listen: \"127.0.0.1:0\", socket: {}}}", socket.display());
    let own = watch_raw(&std::env::current_exe()?).replace(listen, &with_socket);
    let both = own.replace("files: [", &format!("files: ['{}', ", program.path().display()));
    let comes =
        if round % 2 == 1 { ", {name: comes, type: jsonl, path: /dev/null, events: [none]}" } else { "" };
    Ok(format!(
        "{both}  - {{provider: sites, marker: site, args: [plain]}}
enabled: {enabled}
resources: {{max_cpu_percent: {}}}
reload: {{watch: false}}
sampling: {{events: 1, traces: {}, adaptive: {{enabled: false}}}}
handlers: [{{name: stuck, type: command, timeout_sec: 3600, command: [/bin/sleep, '3600']}}{comes}]
",
        100 - round % 3,
        f64::from(round % 4) / 10.0
    ))
}

/// Fires until it is told to stop. Gives the rate.
fn fire(rate: u32, stop: &AtomicBool, fired: &AtomicU64) -> f64 {
    let begun = Instant::now();
    let (text, run) = (c"checkout::cart::adds_twice_00001".as_ptr() as u64, c"run-0000001".as_ptr() as u64);
    let mut hits = 0;
    while !stop.load(Ordering::Relaxed) {
        hits += load::paced(rate, PORTION, |i| raw::hit(i + 1, text, run, 0, 0, 0)).hits;
    }
    fired.fetch_add(hits, Ordering::Relaxed);
    hits as f64 / begun.elapsed().as_secs_f64()
}

/// Clients that send a byte of their request now and then, and come again when they are sent away.
fn be_slow(agent: &Agent, stop: &AtomicBool) -> Result<()> {
    let connect = || -> Result<TcpStream> {
        let mut stream = TcpStream::connect(agent.address())?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nX: ")?;
        Ok(stream)
    };
    let mut clients = (0..SLOW_CLIENTS).map(|_| connect()).collect::<Result<Vec<_>>>()?;
    while !stop.load(Ordering::Relaxed) {
        for client in &mut clients {
            if client.write_all(b"x").is_err() {
                *client = connect()?;
            }
        }
        thread::sleep(SCRAPE_EVERY);
    }
    Ok(())
}

/// Asks again and again; how long each answer took, in milliseconds.
fn ask(agent: &Agent, path: &str, every: Duration, stop: &AtomicBool) -> Result<Vec<f64>> {
    let mut times = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        agent.get(path)?;
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
        thread::sleep(every);
    }
    Ok(times)
}

fn slowest(times: &[f64]) -> f64 {
    times.iter().copied().fold(0.0, f64::max)
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> Result<T> {
    thread.join().ok().context("a thread panicked")
}

/// Milliseconds until the sites of both programs have their probes, or none.
fn until_probed(sites: &Sites, on: bool, begun: Instant) -> Result<f64> {
    let wanted = if on { (SITES, SITES as u16) } else { (0, 0) };
    loop {
        let now = begun.elapsed();
        if sites.probed()? == wanted && (raw::semaphores()[0] == 1) == on {
            return Ok(now.as_secs_f64() * 1000.0);
        }
        ensure!(now < PATIENCE, "{:?} sites are probed after {now:?}", sites.probed()?);
        thread::sleep(LOOK_EVERY);
    }
}

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let rate = args.next().map_or(Ok(50_000), |rate| rate.parse())?;
    let seconds = args.next().map_or(Ok(20), |seconds| seconds.parse())?;
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("control.sock");
    let program = Program::copy("target_sites")?;
    let running = program.start(&[])?;
    let sites = Sites::of(&running, &program)?;
    let mut agent = Agent::start(&config(&socket, &program, 0, true)?)?;
    let control = Control::at(&socket);
    until_probed(&sites, true, Instant::now())?;

    let (stop, fired) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut health, mut scrapes, reached) = thread::scope(|scope| {
        let load = scope.spawn(|| fire(rate, &stop, &fired));
        let slow = scope.spawn(|| be_slow(&agent, &stop));
        let health = scope.spawn(|| ask(&agent, "/health", ASK_EVERY, &stop));
        let scrapes = scope.spawn(|| ask(&agent, "/metrics", SCRAPE_EVERY, &stop));
        thread::sleep(Duration::from_secs(seconds));
        stop.store(true, Ordering::Relaxed);
        join(slow)??;
        Ok::<_, anyhow::Error>((join(health)??, join(scrapes)??, join(load)?))
    })?;

    stop.store(false, Ordering::Relaxed);
    let mut reloads = thread::scope(|scope| {
        let load = scope.spawn(|| fire(rate, &stop, &fired));
        let reload = |round| -> Result<f64> {
            agent.configure(&config(&socket, &program, round, true)?)?;
            let begun = Instant::now();
            control.json("POST", "/api/v1/config/reload", "")?;
            Ok(begun.elapsed().as_secs_f64() * 1000.0)
        };
        let times = (1..=RELOADS).map(reload).collect::<Result<Vec<_>>>();
        stop.store(true, Ordering::Relaxed);
        join(load)?;
        times
    })?;
    let all = fired.load(Ordering::Relaxed) as f64;
    agent.wait_for("to read what was fired", |agent| {
        let now = agent.metrics()?;
        let label = "provider=\"raw\"";
        let seen = now.sum_of("sidecar_kept_total", label) + now.sum_of("sidecar_lost_total", label);
        Ok(seen == all
            && now.sum("sidecar_records_received_total") >= now.sum_of("sidecar_kept_total", label))
    })?;
    let metrics = agent.metrics()?;

    stop.store(false, Ordering::Relaxed);
    let mut switches = thread::scope(|scope| {
        let load = scope.spawn(|| fire(rate, &stop, &fired));
        let switch = |enabled: bool| -> Result<f64> {
            agent.configure(&config(&socket, &program, 0, enabled)?)?;
            let begun = Instant::now();
            control.json("POST", "/api/v1/config/reload", "")?;
            until_probed(&sites, enabled, begun)
        };
        let times = (0..SWITCHES)
            .map(|_| {
                let off = switch(false)?;
                switch(true)?;
                Ok(off)
            })
            .collect::<Result<Vec<_>>>();
        stop.store(true, Ordering::Relaxed);
        join(load)?;
        times
    })?;
    let figures = [
        figure("rate", reached, "1/s"),
        figure("lost", metrics.sum("sidecar_lost_total"), ""),
        figure("dropped", metrics.sum("sidecar_events_dropped_total"), ""),
        figure("health_ms", slowest(&health), "ms"),
        figure("health_median_ms", median(&mut health), "ms"),
        figure("scrape_ms", slowest(&scrapes), "ms"),
        figure("scrape_median_ms", median(&mut scrapes), "ms"),
        figure("reload_ms", slowest(&reloads), "ms"),
        figure("reload_median_ms", median(&mut reloads), "ms"),
        figure("switch_ms", slowest(&switches), "ms"),
        figure("switch_median_ms", median(&mut switches), "ms"),
    ];
    running.finish()?;
    agent.stop()?;
    println!("{}", serde_json::Value::from(figures.to_vec()));
    Ok(())
}
