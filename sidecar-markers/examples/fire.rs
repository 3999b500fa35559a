//! Fires an exact number of markers: `fire THREADS HITS_PER_THREAD event|test [--wait]`.
//!
//! `event` is one `event` marker a hit; `test` is a `test_start` and a `test_end`. With `--wait` it prints
//! `ready` and starts when a line (or the end) of standard input arrives, so that an observer can attach
//! first. At the end it prints `fired N`: the number of markers.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use sidecar_markers::{Status, event, test_end, test_start};

const USAGE: &str = "usage: fire THREADS HITS_PER_THREAD event|test [--wait]";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Event,
    Test,
}

#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    threads: u64,
    hits: u64,
    kind: Kind,
    wait: bool,
}

fn parse(words: &[String]) -> Option<Arguments> {
    let (words, wait) = match words {
        [words @ .., last] if last == "--wait" => (words, true),
        words => (words, false),
    };
    let [threads, hits, kind] = words else { return None };
    let kind = match kind.as_str() {
        "event" => Kind::Event,
        "test" => Kind::Test,
        _ => return None,
    };
    Some(Arguments { threads: threads.parse().ok()?, hits: hits.parse().ok()?, kind, wait })
}

/// Fires one thread's share; the number of markers.
fn fire(kind: Kind, thread: u64, hits: u64) -> u64 {
    let id = format!("fire::thread_{thread}");
    for hit in 0..hits {
        match kind {
            Kind::Event => event!("fired", id = id, data = hit.to_le_bytes()),
            Kind::Test => {
                test_start!(id = id, suite = "fire");
                test_end!(id = id, status = Status::Passed, duration = Duration::from_nanos(hit));
            }
        }
    }
    match kind {
        Kind::Event => hits,
        Kind::Test => 2 * hits,
    }
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(arguments) = parse(&words) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if arguments.wait {
        println!("ready");
        // Standard output may be a pipe that nobody reads; the markers are fired all the same.
        let _ = std::io::stdout().flush();
        let _ = std::io::stdin().read_line(&mut String::new());
    }
    let fired: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..arguments.threads)
            .map(|thread| scope.spawn(move || fire(arguments.kind, thread, arguments.hits)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or(0)).sum()
    });
    println!("fired {fired}");
    ExitCode::SUCCESS
}
