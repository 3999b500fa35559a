//! Files: right ones, stripped ones, and what is none.

use std::fs::File;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::Value;
use sidecar_tests::agent;
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;

use crate::ask::{Said, probes, said, unprivileged};

fn inspect(path: &Path, more: &[&str]) -> Result<Said> {
    let path = path.display().to_string();
    probes(&[&["inspect", &path], more].concat())
}

fn names<'v>(list: &'v Value, key: &str) -> Vec<&'v str> {
    list.as_array().into_iter().flatten().filter_map(|one| one[key].as_str()).collect()
}

pub(crate) fn program() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let found =
        inspect(target.path(), &["--functions", "/^fire_/", "--functions", "main", "--json"])?.json()?;
    let file = &found["files"][0];
    assert_eq!(names(&file["markers"], "name"), ["end", "hit", "many", "odd", "start"]);
    let end = &file["markers"][0]["sites"][0];
    assert_eq!(
        (&end["arguments"], &end["cost"]),
        (&"8@%rdi -4@%esi 8@%rdx 8@%rcx".into(), &"emulated".into())
    );
    assert!(end["semaphore"].is_u64(), "{end}");
    let odd = &file["markers"][3]["sites"][0];
    assert_eq!(names(&odd["unreadable"], "what"), ["arg1"]);
    // The markers' functions are written in assembler, without a size.
    assert_eq!(names(&file["functions"][0]["refused"], "why")[0], "its symbol has no size");
    assert_eq!(names(&file["functions"][1]["found"], "name"), ["main"]);

    let text = inspect(target.path(), &["--functions", "main"])?;
    assert_eq!((text.code, text.err.as_str()), (Some(0), ""));
    for says in [
        &format!("{}:hit  1 site, semaphore", target.provider()),
        "functions main: 1 can be probed",
        " us a hit",
    ] {
        assert!(text.out.contains(says), "{says}: {}", text.out);
    }
    Ok(())
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

pub(crate) fn stripped() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let (program, debug) = (target.path(), scratch.path("target.debug"));
    let main = |json: &Value| json["files"][0]["functions"][0]["found"][0]["attach_offset"].as_u64();
    let whole = main(&inspect(program, &["--functions", "main", "--json"])?.json()?);
    ensure!(whole.is_some(), "main is found");
    run(Command::new("objcopy").arg("--only-keep-debug").arg(program).arg(&debug))?;
    run(Command::new("strip").arg(program))?;
    let found = inspect(program, &["--functions", "main", "--json"])?.json()?;
    assert_eq!(main(&found), None, "{found}");
    run(Command::new("objcopy").arg(format!("--add-gnu-debuglink={}", debug.display())).arg(program))?;
    let found = inspect(program, &["--functions", "main", "--json"])?.json()?;
    assert_eq!(main(&found), whole, "{found}");
    assert_eq!(found["files"][0]["debug_file"], debug.display().to_string());
    // By offset it needs no name; one byte further is inside an instruction, or is another one.
    let offset = format!("+{:#x}", whole.unwrap_or_default());
    std::fs::remove_file(&debug)?;
    let found = inspect(program, &["--functions", &offset, "--json"])?.json()?;
    assert_eq!(main(&found), whole, "{found}");

    std::fs::write(&debug, std::fs::read(agent::path()?)?)?;
    let found = inspect(program, &["--functions", "main", "--json"])?.json()?;
    let why = found["files"][0]["incomplete"][0].as_str().unwrap_or_default();
    assert!(why.contains("build id is not the program's") || why.contains("checksum"), "{found}");
    Ok(())
}

pub(crate) fn refused() -> Result<()> {
    let scratch = Scratch::new()?;
    let write = |name: &str, bytes: &[u8]| -> Result<PathBuf> {
        std::fs::write(scratch.path(name), bytes)?;
        Ok(scratch.path(name))
    };
    let whole = std::fs::read("/proc/self/exe")?;
    let mut class32 = whole.clone();
    class32[4] = 1;
    let fifo = scratch.path("fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU)?;
    for (path, says) in [
        (scratch.path("missing"), "No such file"),
        (fifo, "not a regular file"),
        (scratch.path("."), "not a regular file"),
        (PathBuf::from("/dev/zero"), "not a regular file"),
        (PathBuf::from("/dev/null"), "not a regular file"),
        (write("empty", b"")?, "not an ELF file"),
        (write("script", b"#!/bin/sh\n")?, "not an ELF file"),
        (write("short", &whole[..50])?, "past the end of the file"),
        (write("cut", &whole[..whole.len() / 2])?, "past the end of the file"),
        (write("class32", &class32)?, "32-bit"),
    ] {
        inspect(&path, &["--functions", "*"])?.refuses(says);
        inspect(&path, &["--json"])?.refuses(says);
        probes(&["suggest".as_ref(), path.as_os_str()])?.refuses(says);
    }
    Ok(())
}

pub(crate) fn usage() -> Result<()> {
    for args in [
        &["inspect"][..],
        &["suggest"],
        &["nonsense"],
        &[],
        &["inspect", "/proc/self/exe", "--functions", "/(/"],
        &["inspect", "/proc/self/exe", "--functions", ""],
        &["inspect", "/proc/self/exe", "--nonsense"],
    ] {
        let said = probes(args)?;
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{args:?}: {said:?}");
    }
    for verb in ["inspect", "suggest", "list"] {
        let said = probes(&[verb, "--help"])?;
        assert!(said.code == Some(0) && said.out.contains("Exit status"), "{said:?}");
    }
    Ok(())
}

pub(crate) fn unwritable() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    for verb in ["inspect", "suggest"] {
        let mut command = Command::new(agent::path()?);
        command.args(["probes", verb]).arg(target.path());
        let full = command
            .stdout(File::options().write(true).open("/dev/full")?)
            .stderr(std::process::Stdio::piped());
        let output = full.spawn()?.wait_with_output()?;
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"), "{output:?}");
    }
    Ok(())
}

pub(crate) fn not_root() -> Result<()> {
    let scratch = Scratch::new()?;
    let target = Target::compile(&scratch.path("target"))?;
    let path = target.path().display().to_string();
    std::fs::set_permissions(target.path(), std::fs::Permissions::from_mode(0o644))?;
    let found = unprivileged(&["inspect", &path, "--functions", "main", "--json"])?.json()?;
    assert_eq!(found["files"][0]["markers"].as_array().map(Vec::len), Some(5));
    let suggestion = unprivileged(&["suggest", &path])?;
    assert_eq!(suggestion.code, Some(0), "{suggestion:?}");
    std::fs::set_permissions(target.path(), std::fs::Permissions::from_mode(0o600))?;
    unprivileged(&["inspect", &path])?.refuses("It has to be readable: use sudo");
    unprivileged(&["suggest", &path])?.refuses("It has to be readable: use sudo");
    // A closed pipe is no failure: whoever reads has seen enough.
    let head = said(
        Command::new("sh")
            .arg("-c")
            .arg("\"$0\" probes inspect \"$1\" | true")
            .args([agent::path()?, target.path()]),
    )?;
    assert_eq!((head.code, head.err.as_str()), (Some(0), ""));
    Ok(())
}
