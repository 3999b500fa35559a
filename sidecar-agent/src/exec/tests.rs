//! A command beneath sidecar sees, and is seen, as without it.

use super::Outcome;
use super::command::{CommandError, resolve, spawn};
use super::signals::Signals;
use nix::sys::signal::{Signal, kill, raise};
use nix::unistd::Pid;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;
use std::{env, fs};
use tokio::runtime::{Builder, Runtime};

/// Makes this test program, started again, run these words as its command and end as it ends.
const ROLE: &str = "SIDECAR_EXEC_TEST_ARGV";

/// Writes down all that a program can see of how it was started, but its own process id.
const PORTRAIT: &str = r#"exec >"$1"
    grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status
    cut -d' ' -f5-6 /proc/$$/stat
    for fd in /proc/$$/fd/*; do echo "${fd##*/} $(readlink $fd | sed 's/\[.*//')"; done
    pwd; umask; env | grep -v ^_= | sort
"#;

fn words<S: AsRef<OsStr>>(argv: &[S]) -> Vec<OsString> {
    argv.iter().map(|word| word.as_ref().to_owned()).collect()
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Runs a command in this process.
fn run(argv: &[&OsStr]) -> Result<Outcome, CommandError> {
    let signals = Signals::take().unwrap();
    let outcome = spawn(&words(argv), &signals).map(|child| runtime().block_on(child.run(&signals)).unwrap());
    signals.original().thread_set_mask().unwrap();
    outcome
}

fn shell(script: &str) -> Outcome {
    run(&["sh", "-c", script].map(OsStr::new)).unwrap()
}

/// This program beneath `before` (env, or a shell that executes its arguments), running `argv`.
fn beneath(before: &[&str], argv: &[&str]) -> Command {
    let mut command = Command::new(before[0]);
    command.args(&before[1..]).arg(env::current_exe().unwrap());
    command.args(["-q", "--exact", "exec::tests::other_role", "--nocapture"]).env(ROLE, argv.join("\x1f"));
    command
}

/// Where this program begins when [`beneath`] starts it. In an ordinary run there is no role.
#[test]
fn other_role() {
    let Ok(argv) = env::var(ROLE) else { return };
    let signals = Signals::take().unwrap();
    let child = spawn(&words(&argv.split('\x1f').collect::<Vec<_>>()), &signals).unwrap();
    runtime().block_on(child.run(&signals)).unwrap().exit_like();
}

/// What a program sees that `before` starts: directly, and beneath this program.
fn portraits(before: &[&str]) -> [String; 2] {
    let dir = tempfile::tempdir().unwrap();
    let [script, out] = ["portrait", "out"].map(|name| dir.path().join(name).display().to_string());
    fs::write(&script, PORTRAIT).unwrap();
    let argv = ["sh", &script, &out];
    let mut direct = Command::new(before[0]);
    direct.args(&before[1..]).args(argv).env(ROLE, argv.join("\x1f"));
    [direct, beneath(before, &argv)].map(|mut command| {
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        fs::read_to_string(&out).unwrap().lines().map(without_glibc_s_own).collect()
    })
}

/// A line of a portrait, without signals 32 and 33 where it is a set of signals: glibc keeps them for itself,
/// and starting a thread changes how they are handled.
fn without_glibc_s_own(line: &str) -> String {
    match line.split_once(":\t") {
        Some((name, set)) if name.starts_with("Sig") => {
            format!("{name} {:x}\n", u64::from_str_radix(set, 16).unwrap() & !(3 << 31))
        }
        Some(_) | None => format!("{line}\n"),
    }
}

#[test]
fn the_command_sees_what_it_sees_without_sidecar() {
    for before in [
        &["env", "A=b"][..],
        &["env", "--ignore-signal=PIPE"],
        &["env", "--ignore-signal=HUP,INT,QUIT,CHLD,USR1"],
        &["env", "--block-signal=USR2,TERM,CHLD,PIPE"],
        &["sh", "-c", "umask 027; cd /; exec 7<&0 9>/dev/null; exec \"$0\" \"$@\""],
        &["sh", "-c", "exec \"$0\" \"$@\" <&-"],
    ] {
        let [direct, observed] = portraits(before);
        assert_eq!(direct, observed, "{before:?}");
        assert!(direct.contains("SigIgn "), "{direct}");
    }
}

#[test]
fn ignored_and_blocked_signals_stay_as_they_were() {
    // Without a shell, because some shells unblock signals.
    let argv = ["grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status"];
    for (flag, line) in [
        ("--ignore-signal=PIPE", "SigIgn 1000\n"),
        ("--ignore-signal=HUP,CHLD", "SigIgn 10001\n"),
        ("--block-signal=TERM,PIPE,USR2", "SigBlk 5800\n"),
        ("--default-signal=PIPE", "SigBlk 0\n"),
    ] {
        // The other tests of this process have the first ignored, as sidecar itself does; a shell that starts this in the
        // background the others.
        let before = ["env", "--default-signal=XFSZ,INT,QUIT", flag];
        let mut direct = Command::new("env");
        direct.args(&before[1..]).args(argv);
        let [direct, observed] = [direct, beneath(&before, &argv)].map(|mut command| {
            let text = String::from_utf8(command.output().unwrap().stdout).unwrap();
            text.lines().filter(|line| line.starts_with("Sig")).map(without_glibc_s_own).collect::<String>()
        });
        assert_eq!(direct, observed, "{flag}");
        assert!(direct.contains(line), "{flag}: {direct}");
    }
}

#[test]
fn exit_codes_and_deaths_are_told() {
    assert_eq!(shell("exit 0"), Outcome::Exited(0));
    assert_eq!(shell("exit 77"), Outcome::Exited(77));
    assert_eq!(shell("kill -KILL $$"), Outcome::Killed(9));
    assert_eq!(shell("kill -SEGV $$"), Outcome::Killed(11));
}

#[test]
fn sidecar_ends_as_the_command_ended() {
    let status =
        |script: &str| beneath(&["env", "--default-signal"], &["sh", "-c", script]).output().unwrap().status;
    assert_eq!(status("exit 0").code(), Some(0));
    assert_eq!(status("exit 255").code(), Some(255));
    for number in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGKILL, Signal::SIGPIPE, Signal::SIGABRT] {
        let status = status(&format!("kill -{} $$", number as i32));
        assert_eq!((status.signal(), status.core_dumped()), (Some(number as i32), false), "{number}");
    }
    assert_eq!(status("kill -40 $$").code(), Some(168), "a real-time signal");
}

#[test]
fn an_exit_status_survives_an_ignored_sigchld() {
    let output = beneath(&["env", "--ignore-signal=CHLD"], &["sh", "-c", "exit 9"]).output().unwrap();
    assert_eq!(output.status.code(), Some(9), "{output:?}");
}

#[test]
fn standard_streams_reach_the_command() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("input");
    fs::write(&input, "in\n").unwrap();
    let mut command = beneath(&["env"], &["sh", "-c", "read line; echo out-$line; echo err >&2"]);
    let output = command.stdin(fs::File::open(input).unwrap()).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("out-in\n"), "{output:?}");
    assert_eq!(output.stderr, b"err\n");
}

#[test]
fn a_command_that_is_not_there_or_not_executable_has_env_s_exit_codes() {
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    fs::write(&plain, "x").unwrap();
    let orphan = dir.path().join("orphan");
    fs::write(&orphan, "#!/nowhere/at/all\n").unwrap();
    fs::set_permissions(&orphan, fs::Permissions::from_mode(0o755)).unwrap();
    let missing = Path::new("/nowhere/at/all");
    let name = Path::new("sidecar-no-such-program");
    for (program, code) in [(missing, 127), (name, 127), (&orphan, 127), (&plain, 126), (dir.path(), 126)] {
        let error = run(&[program.as_os_str()]).unwrap_err();
        assert_eq!(error.exit_code(), code, "{error}");
        let env = Command::new("env").arg(program).output().unwrap();
        assert_eq!(env.status.code(), Some(code), "{program:?}");
        assert_eq!(error.to_string().lines().count(), 1);
        assert!(error.to_string().starts_with(&format!("can't run {program:?}: ")), "{error}");
    }
    assert_eq!(run(&[]).unwrap_err().exit_code(), 125);
}

#[test]
fn a_script_without_an_interpreter_line_runs_as_it_does_from_env() {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("script");
    fs::write(&script, "exit 5\n").unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(run(&[script.as_os_str()]).unwrap(), Outcome::Exited(5));
}

#[test]
fn resolve_finds_what_would_run() {
    let shell = resolve(OsStr::new("sh")).unwrap();
    assert!(shell.is_absolute() && shell.ends_with("sh"), "{shell:?}");
    assert_eq!(resolve(shell.as_os_str()), Some(shell));
    for none in ["sidecar-no-such-program", "/etc/passwd", "/", "./nowhere", ""] {
        assert_eq!(resolve(OsStr::new(none)), None, "{none}");
    }
}

#[test]
fn a_signal_to_sidecar_alone_reaches_the_command() {
    let dir = tempfile::tempdir().unwrap();
    let ready = dir.path().join("ready");
    let script = format!("trap 'exit 42' TERM; : >{}; while :; do sleep 0.02; done", ready.display());
    let signals = Signals::take().unwrap();
    let child = spawn(&words(&["sh", "-c", &script]), &signals).unwrap();
    let outcome = runtime().block_on(async {
        let send = async {
            while !ready.exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            // To this thread alone, the only one that blocks it.
            raise(Signal::SIGTERM).unwrap();
        };
        tokio::join!(child.run(&signals), send).0.unwrap()
    });
    signals.original().thread_set_mask().unwrap();
    assert_eq!(outcome, Outcome::Exited(42));
}

#[test]
fn a_process_that_outlives_the_command_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    assert_eq!(shell(&format!("sleep 600 & echo $! >{}", file.display())), Outcome::Exited(0));
    let left: i32 = fs::read_to_string(file).unwrap().trim().parse().unwrap();
    kill(Pid::from_raw(left), Signal::SIGKILL).expect("it is still there");
}

#[test]
fn other_children_of_this_process_are_left_alone() {
    let mut other = Command::new("sh").args(["-c", "exit 3"]).spawn().unwrap();
    assert_eq!(shell("sleep 0.1; exit 4"), Outcome::Exited(4));
    let status: ExitStatus = other.wait().unwrap();
    assert_eq!(status.code(), Some(3));
}
