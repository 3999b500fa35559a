//! Strings and byte blocks, however they lie in the program's memory.

use anyhow::Result;
use sidecar_agent::bpf::LoadOptions;
use sidecar_common::{Counters, Spec};
use sidecar_tests::kernel::program::Program;
use sidecar_tests::kernel::record::Arg;
use sidecar_tests::kernel::session::{Session, options};
use sidecar_tests::kernel::spec::{self, ARGUMENTS};

/// Runs a script and gives the arguments of each hit, and the counters.
fn hits(options: &LoadOptions, spec: Spec, lines: &[&str]) -> Result<(Vec<Vec<Arg>>, Counters)> {
    let mut session = Session::load(options)?;
    let program = Program::copy("target_script")?;
    let _link = session.attach(&program, &[("hit", spec)])?;
    let mut running = program.start(&[])?;
    running.run(lines)?;
    running.finish()?;
    let args = session.records()?.into_iter().map(|record| record.args).collect();
    Ok((args, session.counters(0)?))
}

/// Number and string, and what `cold` and `straddle` of the script make of them.
fn cold_strings(options: &LoadOptions, verb: &str) -> Result<(u64, Counters)> {
    let spec = spec::spec(&[spec::integer(0), spec::string(1)]);
    let (hits, counters) = hits(options, spec, &[&format!("{verb} 1000")])?;
    assert_eq!((hits.len(), counters.hits, counters.kept), (1000, 1000, 1000));
    let mut arrived = 0;
    for (i, args) in (0..).zip(hits) {
        assert_eq!(args[0], Arg::Integer(i));
        if args[1] != Arg::Fault {
            assert_eq!(args[1], Arg::text(&format!("cold string number {i}")));
            arrived += 1;
        }
    }
    assert_eq!(counters.read_faults, 1000 - arrived);
    Ok((arrived, counters))
}

pub(crate) fn cold() -> Result<()> {
    assert_eq!(cold_strings(&options(), "cold")?.0, 1000);
    Ok(())
}

pub(crate) fn straddling() -> Result<()> {
    assert_eq!(cold_strings(&options(), "straddle")?.0, 1000);
    Ok(())
}

/// What faults is counted and marked; this also shows that the strings of the two tests above were cold.
pub(crate) fn cold_without_sleep() -> Result<()> {
    let options = LoadOptions { no_sleepable: true, ..options() };
    for verb in ["cold", "straddle"] {
        let (arrived, counters) = cold_strings(&options, verb)?;
        assert_eq!((arrived, counters.read_faults), (0, 1000), "{verb}");
    }
    Ok(())
}

pub(crate) fn hostile() -> Result<()> {
    let x = |len: usize| vec![b'x'; len];
    let script = [
        ("null", Arg::Unread),
        ("1", Arg::Fault),
        ("0x10000", Arg::Fault),
        // Not canonical, the kernel's own, and the last byte of all.
        ("0xdead000000000000", Arg::Fault),
        ("0xffff888000000000", Arg::Fault),
        ("0xffffffffffffffff", Arg::Fault),
        ("empty", Arg::text("")),
        ("text:plain", Arg::text("plain")),
        ("hex:fffe80c3", Arg::Bytes(vec![0xff, 0xfe, 0x80, 0xc3])),
        // The limits of the least class, and of all.
        ("long:158", Arg::Bytes(x(158))),
        ("long:159", Arg::Bytes(x(159))),
        ("long:160", Arg::Bytes(x(160))),
        ("long:161", Arg::Bytes(x(161))),
        ("long:1022", Arg::Bytes(x(1022))),
        ("long:1023", Arg::Bytes(x(1023))),
        ("long:1024", Arg::Cut(x(1023))),
        ("long:1048576", Arg::Cut(x(1023))),
        // No NUL before the end of the mapping: beyond one byte past the limit nobody looks, before it there is no
        // string.
        ("open:2000", Arg::Cut(x(1023))),
        ("open:1025", Arg::Cut(x(1023))),
        ("open:1024", Arg::Fault),
        ("open:1023", Arg::Fault),
        ("open:100", Arg::Fault),
        ("open:1", Arg::Fault),
        ("text:still_alive", Arg::text("still_alive")),
    ];
    let lines: Vec<String> = script.iter().map(|(word, _)| format!("hit 7 {word} 8")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let spec = spec::spec(&[spec::integer(0), spec::string(1), spec::integer(2)]);
    for sleepable in [true, false] {
        let options = LoadOptions { no_sleepable: !sleepable, ..options() };
        let (hits, counters) = hits(&options, spec, &lines)?;
        assert_eq!(hits.len(), script.len());
        let (mut faults, mut cuts) = (0, 0);
        for ((word, expected), args) in script.iter().zip(hits) {
            assert_eq!(args, [Arg::Integer(7), expected.clone(), Arg::Integer(8)], "{word}");
            faults += u64::from(*expected == Arg::Fault);
            cuts += u64::from(matches!(expected, Arg::Cut(_)));
        }
        assert_eq!((counters.read_faults, counters.truncated), (faults, cuts));
    }
    Ok(())
}

pub(crate) fn byte_blocks() -> Result<()> {
    let x = |len: usize| vec![b'x'; len];
    let script = [
        ("long:5000 0", Arg::Bytes(Vec::new())),
        ("long:5000 1", Arg::Bytes(x(1))),
        ("long:5000 160", Arg::Bytes(x(160))),
        ("long:5000 161", Arg::Bytes(x(161))),
        ("long:5000 1024", Arg::Bytes(x(1024))),
        ("long:5000 1025", Arg::Cut(x(1024))),
        ("long:5000 5000", Arg::Cut(x(1024))),
        ("long:5000 0xffffffffffffffff", Arg::Cut(x(1024))),
        ("long:5000 0x100000000", Arg::Cut(x(1024))),
        ("hex:00ff00 4", Arg::Bytes(vec![0, 0xff, 0, 0])),
        ("open:100 100", Arg::Bytes(x(100))),
        ("open:100 101", Arg::Fault),
        ("cold:abc 3", Arg::text("abc")),
        ("null 0", Arg::Unread),
        ("null 8", Arg::Unread),
        ("1 8", Arg::Fault),
    ];
    let lines: Vec<String> = script.iter().map(|(word, _)| format!("hit 7 {word}")).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let spec = spec::spec(&[spec::integer(0), spec::bytes(1, 2), spec::integer(2)]);
    let (found, _) = hits(&options(), spec, &lines)?;
    assert_eq!(found.len(), script.len());
    for ((word, expected), args) in script.iter().zip(&found) {
        assert_eq!(args[1], *expected, "{word}");
    }
    // A spec that names a length that is none.
    for len_arg in [3, 11, 12, 0xff] {
        let spec = spec::spec(&[spec::integer(0), spec::bytes(1, len_arg), spec::integer(2)]);
        let (found, counters) = hits(&options(), spec, &["hit 7 long:9 9"])?;
        assert_eq!(found, [[Arg::Integer(7), Arg::Fault, Arg::Integer(9)]]);
        assert_eq!(counters.read_faults, 1);
    }
    Ok(())
}

pub(crate) fn smaller_limit() -> Result<()> {
    for (max_string, text, block) in [
        (16, Arg::Cut(vec![b'x'; 15]), Arg::Cut(vec![b'x'; 16])),
        (1, Arg::Cut(Vec::new()), Arg::Cut(vec![b'x'; 1])),
        (21, Arg::Bytes(vec![b'x'; 20]), Arg::Bytes(vec![b'x'; 20])),
    ] {
        let args = [spec::string(0), spec::bytes(1, 2), spec::integer(2)];
        let spec = Spec { max_string, ..spec::spec(&args) };
        let (found, _) = hits(&options(), spec, &["hit long:20 long:20 20"])?;
        assert_eq!(found, [[text, block, Arg::Integer(20)]], "{max_string}");
    }
    Ok(())
}

/// As much as a record can hold: 12 strings that are longer than the limit, through pointers in memory.
pub(crate) fn twelve() -> Result<()> {
    let args: Vec<_> = (0..12)
        .map(|i| sidecar_common::ArgSpec {
            kind: sidecar_common::KIND_STRING,
            ..spec::memory(ARGUMENTS[0], 8 * i)
        })
        .collect();
    let (found, counters) = hits(&options(), spec::spec(&args), &["hit pointers:12"])?;
    let expected: Vec<Arg> = (0..12).map(|i| Arg::Cut(format!("{i:<1023}").into_bytes())).collect();
    assert_eq!(found, [expected]);
    assert_eq!((counters.kept, counters.truncated, counters.bytes), (1, 12, 80 + 12 * (8 + 1024)));
    Ok(())
}
