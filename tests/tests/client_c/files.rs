//! What the installed files hold.

use std::collections::BTreeSet;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sidecar_tests::libsidecar::{missing, prefix, succeed};

use crate::Case;

/// The most bytes that either library may have. Rust's panic machinery alone has 250 KB.
const MOST_BYTES: u64 = 96 << 10;

/// This file's tests.
pub(crate) fn tests() -> Vec<Case> {
    let missing = || missing("gcc").or_else(|| missing("objcopy")).or_else(|| missing("readelf"));
    vec![
        Case::new("the_shared_library_exports_the_headers_functions_with_their_version", missing(), exports),
        Case::new("the_shared_library_needs_libc_alone_and_is_hardened", missing(), hardened),
        Case::new("both_libraries_keep_notes_and_semaphores_and_are_small", missing(), whole),
        Case::new("the_static_library_is_one_object_with_no_other_global_symbols", missing(), one_object),
        Case::new("files_are_where_programs_look_for_them", missing(), places),
    ]
}

fn readelf(arguments: &[&str], file: &str) -> Result<String> {
    succeed(Command::new("readelf").args(arguments).arg("-W").arg(prefix()?.join("lib").join(file)))
}

/// The list that the version script is made of. xtask compares it with the header.
fn listed() -> BTreeSet<String> {
    let list = include_str!("../../../sidecar-markers/libsidecar.symbols");
    list.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(str::to_owned).collect()
}

/// `SIDECAR_ABI_VERSION` of the installed header.
fn version() -> Result<u32> {
    let header = std::fs::read_to_string(prefix()?.join("include/sidecar.h"))?;
    let number = header.split("SIDECAR_ABI_VERSION ").nth(1).and_then(|rest| rest.split_whitespace().next());
    Ok(number.context("no version")?.parse()?)
}

fn exports() -> Result<()> {
    let version = version()?;
    let symbols = readelf(&["--dyn-syms"], "libsidecar.so")?;
    let mut exported = BTreeSet::new();
    for line in symbols.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, _, _, kind, _, _, index, name, ..] = words[..] else { continue };
        if index == "UND" || index == "Ndx" || kind == "OBJECT" {
            continue;
        }
        let bare = name.strip_suffix(&format!("@@SIDECAR_{version}"));
        exported.insert(bare.with_context(|| format!("{name} has another version"))?.to_owned());
    }
    assert_eq!(exported, listed());
    Ok(())
}

fn hardened() -> Result<()> {
    let dynamic = readelf(&["-d"], "libsidecar.so")?;
    let needed: Vec<&str> = dynamic.lines().filter(|line| line.contains("(NEEDED)")).collect();
    // The loader is there where a thread has data of its own.
    let known = |line: &&str| line.contains("[libc.so.6]") || line.contains("[ld-linux");
    ensure!(!needed.is_empty() && needed.iter().all(known), "{needed:?}");
    ensure!(dynamic.contains(&format!("soname: [libsidecar.so.{}]", version()?)), "{dynamic}");
    ensure!(dynamic.contains("NOW") && !dynamic.contains("TEXTREL"), "{dynamic}");
    ensure!(!dynamic.contains("INIT") && !dynamic.contains("FINI"), "code runs by itself: {dynamic}");
    let segments = readelf(&["-l"], "libsidecar.so")?;
    ensure!(segments.contains("GNU_RELRO"), "{segments}");
    let stack = segments.lines().find(|line| line.contains("GNU_STACK")).context("no GNU_STACK")?;
    ensure!(!stack.contains("RWE"), "{stack}");
    Ok(())
}

fn whole() -> Result<()> {
    for file in ["libsidecar.so", "libsidecar.a"] {
        let size = prefix()?.join("lib").join(file).metadata()?.len();
        ensure!(size <= MOST_BYTES, "{file} has {size} bytes");
        let sections = readelf(&["-S"], file)?;
        ensure!(sections.contains(" .probes ") && sections.contains(" .note.stapsdt "), "{sections}");
    }
    let notes = readelf(&["-n"], "libsidecar.so")?;
    for marker in ["test_start", "test_end", "event", "anomaly"] {
        ensure!(notes.contains(&format!("Name: {marker}\n")), "{marker} is missing: {notes}");
    }
    ensure!(!notes.contains("Semaphore: 0x0000000000000000"), "a marker has no semaphore: {notes}");
    Ok(())
}

fn one_object() -> Result<()> {
    let archive = prefix()?.join("lib/libsidecar.a");
    let members = succeed(Command::new("ar").arg("t").arg(&archive))?;
    ensure!(members.lines().count() == 1, "{members}");
    let symbols = succeed(Command::new("nm").args(["--extern-only", "--defined-only"]).arg(&archive))?;
    let mut defined: BTreeSet<String> =
        symbols.lines().filter_map(|line| line.split_whitespace().nth(2)).map(str::to_owned).collect();
    ensure!(defined.remove("_.stapsdt.base"), "the notes' base is not shared with other objects");
    assert_eq!(defined, listed());
    let wanted = succeed(Command::new("nm").arg("--undefined-only").arg(&archive))?;
    ensure!(!wanted.contains("_Unwind") && !wanted.contains("malloc"), "{wanted}");
    Ok(())
}

fn places() -> Result<()> {
    let lib = prefix()?.join("lib");
    let version = version()?;
    let soname = lib.join("libsidecar.so").read_link()?;
    ensure!(soname.as_os_str() == format!("libsidecar.so.{version}").as_str(), "{}", soname.display());
    let real = lib.join(&soname).read_link()?;
    ensure!(real.to_string_lossy().starts_with(&format!("libsidecar.so.{version}.")), "{}", real.display());
    ensure!(lib.join(real).is_file(), "the links lead nowhere");
    let pc = std::fs::read_to_string(lib.join("pkgconfig/sidecar.pc"))?;
    ensure!(!pc.contains('@') && pc.contains(&format!("Version: {version}.")), "{pc}");
    Ok(())
}
