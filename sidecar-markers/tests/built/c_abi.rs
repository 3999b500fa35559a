//! C and C++ programs, compiled and linked in every usual way, keep their markers and run.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::elf::{check, native, notes, offset};
use crate::tools::{library, linker, run};

/// How a program is linked: gcc's arguments, or why that can't be tried.
struct Way {
    name: &'static str,
    linker: Result<Vec<String>, String>,
    shared: bool,
    gc_sections: bool,
}

fn ways() -> Vec<Way> {
    let way = |name, linker, shared, gc_sections| Way { name, linker, shared, gc_sections };
    vec![
        way("static", Ok(Vec::new()), false, false),
        way("static, gc", Ok(Vec::new()), false, true),
        way("static, gc, lld", linker("lld"), false, true),
        way("static, lld", linker("lld"), false, false),
        way("static, gc, mold", linker("mold"), false, true),
        way("shared", Ok(Vec::new()), true, true),
    ]
}

/// Compiles `tests/built/programs/smoke.c` into the folder; `None` where a tool is missing.
fn compile(compiler: &str, language: &[&str], way: &Way, folder: &Path) -> Option<PathBuf> {
    let arguments = match &way.linker {
        Ok(arguments) => arguments,
        Err(reason) => {
            eprintln!("skipped {}: {reason}", way.name);
            return None;
        }
    };
    if Command::new(compiler).arg("--version").output().is_err() {
        eprintln!("skipped {}: no {compiler} on this machine", way.name);
        return None;
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = folder.join("smoke");
    let mut command = Command::new(compiler);
    command.args(language).args(["-Wall", "-Wextra", "-Werror", "-O2"]).arg("-I").arg(here.join("include"));
    command.arg(format!("-DKEY_RUN_TEST=UINT64_C({:#x})", sidecar_markers::key("run", "test")));
    command.arg(here.join("tests/built/programs/smoke.c")).args(["-x", "none"]).args(arguments);
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
    Some(program)
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

fn try_every_way(compiler: &str, language: &[&str]) {
    let (args, code, alignment) = native();
    for way in ways() {
        let folder = TempDir::new().unwrap();
        let Some(program) = compile(compiler, language, &way, folder.path()) else { continue };
        let image = if way.shared { folder.path().join("libsidecar_markers.so") } else { program.clone() };
        check(way.name, &std::fs::read(&image).unwrap(), args, code, alignment);
        run(Command::new(&program).arg("0"));
        raise(&image);
        run(Command::new(&program).arg("1"));
    }
}

#[test]
fn a_c_program_keeps_its_markers_and_runs() {
    try_every_way("gcc", &["-std=c99", "-pedantic"]);
}

#[test]
fn a_cpp_program_keeps_its_markers_and_runs() {
    try_every_way("g++", &["-std=c++11", "-x", "c++"]);
}

#[test]
fn the_header_is_c99_and_cpp98_without_other_headers() {
    let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("include");
    for (compiler, language) in [("gcc", ["-std=c99", "-xc"]), ("g++", ["-std=c++98", "-xc++"])] {
        if Command::new(compiler).arg("--version").output().is_err() {
            eprintln!("skipped: no {compiler} on this machine");
            continue;
        }
        let mut command = Command::new(compiler);
        command.args(["-fsyntax-only", "-Wall", "-Wextra", "-Werror"]).args(language);
        run(command.arg(include.join("sidecar.h")));
    }
}
