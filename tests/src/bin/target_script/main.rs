//! A program to be watched: does what the lines of its standard input say, or its arguments, one line each.
//!
//! | line | what it does |
//! | --- | --- |
//! | `hit`, `start`, `end` and up to six words | fires that marker of the provider `raw` (see [`words`]) |
//! | `threads T N` | T threads fire `hit` N times each: thread, number, text, check value |
//! | `cold N`, `straddle N` | fires `hit` N times: number, a string in memory that was never touched (see [`cold`]) |
//! | `forms` | fires the site with known registers and prints the address of its table (see [`forms`]) |
//! | `semaphores` | prints the listeners of the three markers |
//! | `child N`, `fork N`, ... | processes that fire `hit` N times (see [`tree`]) |
//! | `crowd N` | N copies that begin a test each and are killed (see [`crowd`]) |
//! | `sync` | prints `ok` |

mod cold;
mod crowd;
mod forms;
mod tree;
mod words;

use std::io::Write;

use anyhow::{Context, Result, bail};
use sidecar_common::mix;
use sidecar_tests::kernel::raw;

fn main() -> Result<()> {
    let lines: Vec<String> = std::env::args().skip(1).collect();
    if !lines.is_empty() {
        return lines.iter().try_for_each(|line| obey(line));
    }
    say("ready")?;
    for line in std::io::stdin().lines() {
        obey(&line?)?;
    }
    Ok(())
}

/// Prints a line at once.
fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}

fn obey(line: &str) -> Result<()> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let Some((verb, rest)) = words.split_first() else { return Ok(()) };
    let number = |i: usize| -> Result<u64> { Ok(rest.get(i).context("a number is missing")?.parse()?) };
    match *verb {
        "hit" => fire(raw::hit, rest)?,
        "start" => fire(raw::start, rest)?,
        "end" => fire(raw::end, rest)?,
        "threads" => threads(number(0)?, number(1)?)?,
        "cold" => cold::fire(number(0)?, false)?,
        "straddle" => cold::fire(number(0)?, true)?,
        "forms" => say(&forms::fire().to_string())?,
        "semaphores" => say(&format!("{:?}", raw::semaphores()))?,
        "crowd" => crowd::die(number(0)?)?,
        "sync" => say("ok")?,
        verb => {
            let known = tree::obey(verb, number(0)?)?;
            if !known {
                bail!("`{line}` is not understood");
            }
        }
    }
    Ok(())
}

type Marker = extern "C" fn(u64, u64, u64, u64, u64, u64);

fn fire(marker: Marker, args: &[&str]) -> Result<()> {
    let mut values = [0; 6];
    for (value, word) in values.iter_mut().zip(args) {
        *value = words::value(word)?;
    }
    let [a, b, c, d, e, f] = values;
    marker(a, b, c, d, e, f);
    Ok(())
}

/// Fires `count` hits in each of some threads.
fn threads(threads: u64, count: u64) -> Result<()> {
    let workers: Vec<_> =
        (0..threads).map(|thread| std::thread::spawn(move || hits(thread, count))).collect();
    for worker in workers {
        worker.join().ok().context("a thread panicked")??;
    }
    Ok(())
}

/// Fires `count` hits of one thread.
fn hits(thread: u64, count: u64) -> Result<()> {
    let mut text = [0u8; 64];
    for number in 0..count {
        let mut rest = &mut text[..];
        write!(rest, "thread {thread} hit {number}\0")?;
        raw::hit(thread, number, text.as_ptr() as u64, mix(thread << 40 ^ number), 0, 0);
    }
    Ok(())
}
