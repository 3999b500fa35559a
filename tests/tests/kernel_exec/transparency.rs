//! The command sees, and is seen, as without sidecar.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use sidecar_tests::exec::{Exec, Started, finish};
use sidecar_tests::kernel::built;

pub(crate) fn endings() -> Result<()> {
    for code in [0, 1, 2, 100, 101, 125, 126, 127, 128, 255] {
        Exec::new()?.run(&["sh", "-c", &format!("exit {code}")])?.expect_code(code)?;
    }
    for number in [libc::SIGHUP, libc::SIGINT, libc::SIGKILL, libc::SIGSEGV, libc::SIGTERM, libc::SIGPIPE] {
        let ran = Exec::new()?.run(&["sh", "-c", &format!("kill -{number} $$")])?;
        ensure!(ran.status().signal() == Some(number), "{number}: {:?}", ran.status());
        ensure!(!ran.status().core_dumped(), "{number}: a second core");
    }
    Ok(())
}

pub(crate) fn streams() -> Result<()> {
    const SIZE: usize = 1 << 20;
    // Every byte value, and no period that a buffer's size would hide.
    let sent: Vec<u8> = (0..SIZE).map(|i| (i.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    let exec = Exec::new()?.flags(&["--summary", "never"]);
    let mut command = exec.command(&["sh", "-c", "tee /dev/stderr"])?;
    command.stdin(Stdio::piped());
    let mut run = Started::new(&mut command)?;
    let mut input = run.child().stdin.take().context("its input")?;
    let written = input.write_all(&sent);
    drop(input);
    let output = run.finish()?;
    written.with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    ensure!(output.status.success(), "{output:?}");
    ensure!(output.stdout == sent, "standard output: {} bytes", output.stdout.len());
    // Where nothing can be watched, one line of sidecar's own comes first.
    ensure!(output.stderr.ends_with(&sent), "standard error: {} bytes", output.stderr.len());
    Ok(())
}

/// All that a program can see of how it was started, but its own process id and its parent's.
const PORTRAIT: &str = "grep -E '^(Sig(Blk|Ign|Cgt)|Groups|Uid|Gid|Cap|NoNewPrivs|Seccomp|Threads|TracerPid|\
    Cpus_allowed|Mems_allowed)' /proc/self/status
    cat /proc/self/limits /proc/self/cgroup /proc/self/oom_score_adj /proc/self/timerslack_ns /proc/self/personality
    pwd; umask; ulimit -a; env | sort; echo \"$0\" \"$@\"; nice
    awk '{print $5, $6}' /proc/$$/stat";

pub(crate) fn portrait() -> Result<()> {
    let argv = ["sh", "-c", PORTRAIT, "größe", "", "a b", "*", "--report"];
    let folder = tempfile::tempdir()?;
    let befores: [&[&str]; 4] = [
        &["env"],
        &["nice", "-n", "5", "env", "-i", "PATH=/usr/bin:/bin", "A=b c", "EMPTY="],
        &["sh", "-c", "ulimit -n 77 -s 4096 -c 0; umask 027; trap '' HUP INT USR1 PIPE; exec \"$0\" \"$@\""],
        &["setsid", "-w", "env", "--ignore-signal=TERM,ALRM", "--block-signal=USR2,TSTP"],
    ];
    for before in befores {
        let mut direct = Command::new(before[0]);
        direct.args(&before[1..]).args(argv).current_dir(folder.path()).stdin(Stdio::null());
        let direct = without_ids(&finish(&mut direct)?.stdout);
        let exec = Exec::new()?.beneath(before);
        let observed = without_ids(&finish(exec.command(&argv)?.current_dir(folder.path()))?.stdout);
        ensure!(direct.contains("SigIgn"), "{direct}");
        ensure!(direct == observed, "{before:?}\nunobserved:\n{direct}\nobserved:\n{observed}");
    }
    Ok(())
}

/// Without what differs from run to run: a new session's number, and the two signals that glibc keeps for itself
/// where a program has threads.
fn without_ids(portrait: &[u8]) -> String {
    let text = String::from_utf8_lossy(portrait);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    if let Some(last) = lines.pop() {
        let mut ids = last.split_whitespace();
        let own_session = ids.next() == ids.next();
        lines.push(format!("group and session are one: {own_session}"));
    }
    for line in &mut lines {
        if let Some((name, set)) = line.split_once(":\t").filter(|(name, _)| name.starts_with("Sig")) {
            let set = u64::from_str_radix(set, 16).unwrap_or_default() & !(3 << 31);
            *line = format!("{name} {set:x}");
        }
    }
    lines.join("\n")
}

pub(crate) fn descriptors() -> Result<()> {
    // Through a pipe, so that the listing does not depend on where the output goes.
    let argv =
        ["sh", "-c", "for fd in /proc/$$/fd/*; do echo ${fd##*/} $(readlink $fd | sed 's/[0-9].*//'); done"];
    for before in [&["env"][..], &["sh", "-c", "exec 7</dev/null 9>/dev/null; exec \"$0\" \"$@\""]] {
        let mut direct = Command::new(before[0]);
        direct.args(&before[1..]).args(argv).stdin(Stdio::null());
        let direct = String::from_utf8(finish(&mut direct)?.stdout)?;
        let observed = Exec::new()?.beneath(before).run(&argv)?.out();
        ensure!(direct == observed, "unobserved:\n{direct}\nobserved:\n{observed}");
    }
    Ok(())
}

/// While it is watched, it is neither traced nor anybody's child but sidecar's; and its output comes at once.
pub(crate) fn untraced() -> Result<()> {
    let exec = Exec::new()?;
    let program = built("target_tests")?;
    let mut command =
        exec.command(&[program.as_os_str(), "pass a".as_ref(), "say now".as_ref(), "sleep 600000".as_ref()])?;
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut out = child.stdout.take().context("its output")?;
    let mut said = [0; 4];
    out.read_exact(&mut said)?;
    let pid = child.id().cast_signed();
    let watched = sidecar_tests::process::children(pid)
        .into_iter()
        .find(|&child| sidecar_tests::process::name(child).as_deref() == Some("target_tests"));
    let traced = watched.map(|watched| sidecar_tests::process::figure(watched, "TracerPid"));
    if let Some(watched) = watched {
        // SAFETY: kill takes two numbers; the process is the run's own.
        unsafe { libc::kill(watched, libc::SIGKILL) };
    }
    let status = child.wait()?;
    ensure!(&said == b"now\n", "{said:?}");
    ensure!(traced.context("the program is no child of sidecar")?? == 0, "it is traced");
    ensure!(status.signal() == Some(libc::SIGKILL), "{status}");
    Ok(())
}
