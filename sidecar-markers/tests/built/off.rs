//! What a marker is while nobody listens, in optimised machine code: its semaphore is loaded and tested, and one
//! branch is taken; nothing is called and no string is built.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{need, run};
use crate::{Missing, Named};

/// This file's tests.
pub(crate) fn tests() -> Vec<Named> {
    vec![
        ("off_a_c_function_is_a_load_and_a_branch", c_functions),
        ("off_a_macro_is_a_load_and_a_branch", macros),
    ]
}

/// Builds the library as its users do; the folder with it.
fn release() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("off");
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "--release", "--lib"])
        .arg("--manifest-path")
        .arg(here.join("Cargo.toml"));
    cargo.arg("--target-dir").arg(&folder);
    // Flags of this run, such as those for coverage, put code of their own into every function.
    run(cargo.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS"));
    folder.join("release")
}

/// The instructions that a function executes while every branch that depends on the semaphore is the one for nobody:
/// from its first one to its `ret`. Operands are left as objdump writes them.
fn walked(image: &Path, function: &str) -> Vec<String> {
    let mut objdump = Command::new("objdump");
    objdump.args(["--disassemble=".to_owned() + function, "--no-show-raw-insn".to_owned()]).arg(image);
    let text = run(&mut objdump);
    let mut code = Vec::new();
    for line in text.lines() {
        let Some((address, instruction)) = line.trim_start().split_once(":\t") else { continue };
        let instruction = instruction.split(" #").next().unwrap_or_default().trim();
        code.push((u64::from_str_radix(address, 16).unwrap(), instruction.to_owned()));
    }
    let mut seen = Vec::new();
    let mut at = 0;
    while let Some((_, instruction)) = code.get(at) {
        seen.push(instruction.clone());
        let (word, operand) = instruction.split_once(' ').unwrap_or((instruction, ""));
        let target = || {
            let to = u64::from_str_radix(operand.split_whitespace().next().unwrap_or_default(), 16).unwrap();
            code.iter().position(|(address, _)| *address == to)
        };
        match word {
            "ret" => return seen,
            // Zero is nobody.
            "je" | "jmp" => at = target().unwrap_or_else(|| panic!("{function} goes elsewhere: {code:?}")),
            _ => at += 1,
        }
        assert!(seen.len() < 100, "{function} does not end: {seen:?}");
    }
    panic!("{function} has no `ret`: {text}");
}

/// Checks what a function does for nobody, apart from making and leaving its frame.
fn check(image: &Path, function: &str) {
    let walked = walked(image, function);
    // Position-independent code has the semaphores' address in a table, and arguments may be put aside.
    let frame = ["push", "pop", "sub", "add", "lea", "mov", "nop", "ret"];
    let words = walked.iter().filter_map(|instruction| instruction.split_whitespace().next());
    let rest: Vec<&str> = words.filter(|word| !frame.contains(word)).collect();
    assert!(
        matches!(rest[..], ["movzwl", "test", "je" | "jne"] | ["cmpw", "je" | "jne"]),
        "{function}: {walked:?}"
    );
}

fn obstacle() -> Result<(), Missing> {
    if !cfg!(target_arch = "x86_64") {
        return Err("it reads machine code of x86-64".to_owned());
    }
    need("objdump")
}

fn c_functions() -> Result<(), Missing> {
    obstacle()?;
    let library = release().join("libsidecar_markers.so");
    for function in ["sidecar_test_start", "sidecar_test_end", "sidecar_event", "sidecar_anomaly"] {
        check(&library, function);
        assert!(walked(&library, function).len() <= 6, "{function}: {:?}", walked(&library, function));
    }
    Ok(())
}

fn macros() -> Result<(), Missing> {
    obstacle()?;
    let release = release();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("off");
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "-O"]);
    rustc.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/built/programs/off.rs"));
    rustc
        .arg("--extern")
        .arg(format!("sidecar_markers={}", release.join("libsidecar_markers.rlib").display()));
    rustc.arg("-L").arg(release.join("deps")).arg("-o").arg(&program);
    run(&mut rustc);
    for function in ["off_test_start", "off_test_end", "off_event", "off_anomaly"] {
        check(&program, function);
    }
    Ok(())
}
