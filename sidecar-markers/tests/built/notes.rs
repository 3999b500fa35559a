//! The notes, semaphores and code of the markers in what Cargo built.

use std::process::Command;

use crate::elf::{check, native};
use crate::tools::{library, need, run};
use crate::{Missing, Named};

/// This file's tests.
pub(crate) fn tests() -> Vec<Named> {
    vec![
        ("this_program_has_each_marker_once", this_program),
        ("the_shared_library_has_each_marker_once", shared_library),
        ("the_shared_library_exports_the_c_abi_and_nothing_else", exports),
        ("readelf_reads_the_notes", readelf),
    ]
}

fn this_program() -> Result<(), Missing> {
    // The markers are linked in because something uses them.
    let _test = sidecar_markers::test!();
    sidecar_markers::event!("used");
    let (args, code, alignment) = native();
    check("this test", &std::fs::read("/proc/self/exe").unwrap(), args, code, alignment);
    Ok(())
}

fn shared_library() -> Result<(), Missing> {
    let (args, code, alignment) = native();
    let file = std::fs::read(library("libsidecar_markers.so")).unwrap();
    check("libsidecar_markers.so", &file, args, code, alignment);
    Ok(())
}

fn exports() -> Result<(), Missing> {
    use object::{Object, ObjectSymbol};
    let data = std::fs::read(library("libsidecar_markers.so")).unwrap();
    let file = object::File::parse(&*data).unwrap();
    let mut exported: Vec<_> = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition())
        .map(|symbol| symbol.name().unwrap())
        .collect();
    exported.sort_unstable();
    assert_eq!(
        exported,
        [
            "sidecar_abi_version",
            "sidecar_anomaly",
            "sidecar_enabled",
            "sidecar_event",
            "sidecar_key",
            "sidecar_test_end",
            "sidecar_test_start"
        ]
    );
    Ok(())
}

fn readelf() -> Result<(), Missing> {
    need("readelf")?;
    let text = run(Command::new("readelf").arg("-nW").arg(library("libsidecar_markers.so")));
    let field = |name: &str| text.lines().filter_map(|line| line.trim().strip_prefix(name)).count();
    assert_eq!((field("Name: "), field("Arguments: 8@"), field("Location: 0x")), (4, 4, 4), "{text}");
    assert_eq!(text.matches("Provider: sidecar").count(), 4, "{text}");
    Ok(())
}
