//! C and C++ programs, compiled and linked in every usual way, keep their markers and run.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::elf::{check, native, notes, offset};
use crate::tools::{library, linker, need, output, run};
use crate::{Body, Missing};

/// What the program ends with if somebody listens to it: an agent that watches this machine may be so quick.
const LISTENED: i32 = 99;
/// How often a new program is tried after that.
const TRIES: usize = 20;

/// How a program is compiled.
struct Language {
    name: &'static str,
    compiler: &'static str,
    arguments: &'static [&'static str],
}

const C: Language = Language { name: "c", compiler: "gcc", arguments: &["-std=c99", "-pedantic"] };
const CPP: Language = Language { name: "cpp", compiler: "g++", arguments: &["-std=c++11", "-x", "c++"] };

/// How a program is linked.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    /// Another linker than the compiler's own.
    linker: Option<&'static str>,
    shared: bool,
    gc_sections: bool,
}

const WAYS: [Way; 6] = [
    Way { name: "static", linker: None, shared: false, gc_sections: false },
    Way { name: "static_gc", linker: None, shared: false, gc_sections: true },
    Way { name: "static_gc_lld", linker: Some("lld"), shared: false, gc_sections: true },
    Way { name: "static_lld", linker: Some("lld"), shared: false, gc_sections: false },
    Way { name: "static_gc_mold", linker: Some("mold"), shared: false, gc_sections: true },
    Way { name: "shared", linker: None, shared: true, gc_sections: true },
];

/// This file's tests.
pub(crate) fn tests() -> Vec<(String, Body)> {
    let mut tests: Vec<(String, Body)> = Vec::new();
    for language in [&C, &CPP] {
        for way in WAYS {
            let name = format!("a_{}_program_keeps_its_markers_and_runs::{}", language.name, way.name);
            tests.push((name, Box::new(move || keeps_its_markers_and_runs(language, way))));
        }
    }
    for (compiler, language) in [("gcc", ["-std=c99", "-xc"]), ("g++", ["-std=c++98", "-xc++"])] {
        let name = format!("the_header_compiles_by_itself::{compiler}");
        tests.push((name, Box::new(move || header(compiler, language))));
    }
    tests
}

/// Compiles `tests/built/programs/smoke.c` into the folder.
fn compile(language: &Language, way: Way, folder: &Path) -> Result<PathBuf, Missing> {
    need(language.compiler)?;
    let linker = way.linker.map(linker).transpose()?.unwrap_or_default();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join("smoke");
    let mut command = Command::new(language.compiler);
    command.args(language.arguments).args(["-Wall", "-Wextra", "-Werror", "-O2"]);
    command.arg("-I").arg(here.join("include"));
    command.arg(format!("-DKEY_RUN_TEST=UINT64_C({:#x})", sidecar_markers::key("run", "test")));
    command.arg(here.join("tests/built/programs/smoke.c")).args(["-x", "none"]).args(linker);
    if way.gc_sections {
        command.arg("-Wl,--gc-sections");
    }
    if way.shared {
        std::fs::copy(library("libsidecar_markers.so"), folder.join("libsidecar_markers.so")).unwrap();
        command.arg(folder.join("libsidecar_markers.so")).arg(format!("-Wl,-rpath,{}", folder.display()));
    } else {
        command.arg(library("libsidecar_markers.a"));
    }
    run(command.arg("-o").arg(&program));
    Ok(program)
}

/// Makes every semaphore of a file begin at 1, as if somebody listened to any process that maps it.
fn raise(path: &Path) {
    let mut file = std::fs::read(path).unwrap();
    for note in notes(&file) {
        let (at, _) = offset(&file, note.semaphore);
        file[at] = 1;
    }
    std::fs::write(path, file).unwrap();
}

fn keeps_its_markers_and_runs(language: &Language, way: Way) -> Result<(), Missing> {
    let (args, code, alignment) = native();
    for _ in 0..TRIES {
        let folder = TempDir::new().unwrap();
        let program = compile(language, way, folder.path())?;
        let image = if way.shared { folder.path().join("libsidecar_markers.so") } else { program.clone() };
        check(way.name, &std::fs::read(&image).unwrap(), args, code, alignment);
        let unobserved = output(Command::new(&program).arg("0"));
        if unobserved.status.code() == Some(LISTENED) {
            continue;
        }
        assert!(unobserved.status.success(), "{}: {}", way.name, unobserved.status);
        raise(&image);
        run(Command::new(&program).arg("1"));
        return Ok(());
    }
    panic!("{}: somebody listens each time", way.name);
}

fn header(compiler: &str, language: [&str; 2]) -> Result<(), Missing> {
    need(compiler)?;
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    let mut command = Command::new(compiler);
    command.args(["-fsyntax-only", "-Wall", "-Wextra", "-Werror"]).args(language);
    run(command.arg(include.join("sidecar.h")));
    Ok(())
}
