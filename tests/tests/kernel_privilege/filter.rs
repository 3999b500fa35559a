//! A system call filter, as containers and systemd units have it, that knows the call by which the kernel tells which nops
//! it rewrites no more than systemd does.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use sidecar_tests::agent;
use sidecar_tests::exec::finish;

/// The system call `uprobe` of x86-64.
const UPROBE: u32 = 336;

/// What the doctor found out of nops, and what it says when it asks through a filter.
pub(crate) fn nops() -> Result<()> {
    let plain = state(&mut doctor()?)?;
    for errno in [libc::EPERM, libc::ENOSYS] {
        let mut command = doctor()?;
        // SAFETY: between fork and exec this makes system calls only, with memory of its own stack.
        unsafe { command.pre_exec(move || refuse(errno)) };
        let filtered = state(&mut command)?;
        ensure!(filtered == plain, "{plain} without a filter, {filtered} with one that answers {errno}");
    }
    Ok(())
}

fn doctor() -> Result<Command> {
    let mut command = Command::new(agent::path()?);
    command.args(["doctor", "--json"]);
    Ok(command)
}

fn state(command: &mut Command) -> Result<String> {
    let output = finish(command)?;
    let answer: Value = serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))?;
    let checks = answer["checks"].as_array().context("no checks")?;
    let nops = checks.iter().find(|check| check["name"] == "5-byte nops stay as they are");
    Ok(nops.context("it says nothing of nops")?["state"].to_string())
}

/// Answers the call in the kernel's place.
fn refuse(errno: i32) -> std::io::Result<()> {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let mut filter = [
        // The system call's number is the first word of what a filter looks at.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter { jf: 1, ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, UPROBE) },
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno.cast_unsigned()),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: the pointer is to a whole program, which the kernel copies.
    let set = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            && libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) == 0
    };
    if set { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
