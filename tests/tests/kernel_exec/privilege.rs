//! Without the privilege or the kernel to watch: one line that says so, and the command runs.

use std::os::unix::process::CommandExt;

use anyhow::{Result, ensure};
use sidecar_tests::exec::{Exec, Ran, finish};
use sidecar_tests::kernel::built;

/// Skips, as its caller sees it, where this process can't become another user.
fn is_root() -> bool {
    // SAFETY: geteuid takes nothing and always succeeds.
    unsafe { libc::geteuid() == 0 }
}

/// One line of sidecar's own, with this text, and the command's output and end.
fn check(ran: &Ran, texts: &[&str]) -> Result<()> {
    ran.expect_code(3)?;
    ensure!(ran.out() == "ran\n", "{:?}", ran.output);
    let said = ran.said();
    ensure!(said.len() == 1 && ran.err().lines().count() == 1, "one line: {}", ran.err());
    for text in texts {
        ensure!(said[0].contains(text), "{text}: {said:?}");
    }
    Ok(())
}

const COMMAND: [&str; 3] = ["sh", "-c", "echo ran; exit 3"];

pub(crate) fn another_user() -> Result<()> {
    let exec = Exec::new()?.report(None);
    let exec = match is_root() {
        true => exec.beneath(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]),
        false => exec,
    };
    check(&exec.run(&COMMAND)?, &["not watching", "no privilege for BPF", "root", "runs all the same"])
}

pub(crate) fn no_capabilities() -> Result<()> {
    if !is_root() {
        return another_user();
    }
    let exec = Exec::new()?.beneath(&["setpriv", "--bounding-set=-sys_admin,-bpf,-perfmon"]);
    check(&exec.run(&COMMAND)?, &["not watching", "no privilege for BPF"])
}

/// A kernel without BPF answers ENOSYS to bpf(2); so does this filter.
pub(crate) fn no_bpf() -> Result<()> {
    let exec = Exec::new()?;
    let mut command = exec.command(&COMMAND)?;
    // SAFETY: between fork and exec this makes system calls only, with memory of its own stack.
    unsafe { command.pre_exec(refuse_bpf) };
    let texts: &[&str] = if is_root() { &["not watching", "BPF"] } else { &["not watching"] };
    check(&exec.ran(finish(&mut command)?)?, texts)
}

fn refuse_bpf() -> std::io::Result<()> {
    let statement = |code: u32, k: u32| libc::sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let bpf = u32::try_from(libc::SYS_bpf).unwrap_or(u32::MAX);
    let mut filter = [
        // The system call's number is the first word of what a filter looks at.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter { jf: 1, ..statement(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, bpf) },
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | libc::ENOSYS.cast_unsigned()),
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

pub(crate) fn no_gate() -> Result<()> {
    let exec = Exec::new()?.beneath(&["setpriv", "--bounding-set=-sys_admin"]);
    let program = built("target_tests")?;
    let ran = exec.run(&[program.as_os_str(), "pass a".as_ref(), "exit 3".as_ref()])?;
    ran.expect_code(3)?;
    ensure!(ran.ends().len() == 1, "the command's own file is attached to before: {}", ran.err());
    ensure!(ran.said().iter().any(|line| line.contains("CAP_SYS_ADMIN")), "{}", ran.err());
    Ok(())
}

pub(crate) fn switched_off() -> Result<()> {
    let exec = Exec::new()?.config("enabled: false\n")?;
    check(&exec.run(&COMMAND)?, &["not watching", "`enabled` is false", "sidecar.yml:1"])
}
