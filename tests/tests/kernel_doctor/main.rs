//! `sidecar doctor` as a user has it: as root, as somebody else, in a user namespace, and without some capability.
//!
//! A test that can't run here prints `SKIPPED NAME: REASON` and counts as ignored; under CI=true it fails instead.

mod fallback;

use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;
use sidecar_tests::exec::finish;
use sidecar_tests::{agent, kernel::trial};

type Case = (&'static str, fn() -> Result<()>);

const ALL: &[Case] = &[
    ("root_has_all_that_is_needed", root),
    ("another_user_is_told_what_is_missing", another_user),
    ("a_user_namespace_of_its_own_is_told", user_namespace),
    ("without_the_right_to_hold_execs_it_can_watch", without_sys_admin),
    ("without_perfmon_nothing_can_be_watched", without_perfmon),
    ("the_table_says_the_same", table),
    ("a_wrong_flag_is_2", wrong_flag),
    ("perf_events_take_the_place_of_uprobe_multi", fallback::watches),
    ("more_sites_than_descriptors_are_refused_and_said", fallback::too_many_sites),
];

const WITHOUT_SYS_ADMIN: [&str; 3] = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];

/// Runs it beneath a command that executes its last arguments.
fn doctor(beneath: &[&str], flags: &[&str]) -> Result<Output> {
    let path = agent::path()?;
    let mut command = match beneath {
        [] => Command::new(path),
        [first, rest @ ..] => {
            let mut command = Command::new(first);
            command.args(rest).arg(path);
            command
        }
    };
    finish(command.arg("doctor").args(flags))
}

/// Its answer, after checking that the exit status says the same.
struct Answer(Value);

impl Answer {
    fn of(beneath: &[&str]) -> Result<Self> {
        let output = doctor(beneath, &["--json"])?;
        let text = String::from_utf8(output.stdout)?;
        let answer: Value = serde_json::from_str(&text).with_context(|| text.clone())?;
        let able = answer["able"].as_bool().context("it does not say whether it is able")?;
        ensure!(output.status.code() == Some(if able { 0 } else { 1 }), "{}: {text}", output.status);
        for check in answer["checks"].as_array().context("no checks")? {
            for key in ["kind", "name", "state", "found"] {
                ensure!(check[key].is_string(), "{key} of {check}");
            }
            let well = check["state"] == "ok";
            ensure!(check["needed"].is_boolean() && check["lost"].is_null() == well, "{check}");
            ensure!(check["mend"].is_null() == well, "{check}");
        }
        Ok(Self(answer))
    }

    fn able(&self) -> bool {
        self.0["able"] == true
    }

    fn check(&self, name: &str) -> Result<&Value> {
        let checks = self.0["checks"].as_array().context("no checks")?;
        checks.iter().find(|check| check["name"] == name).with_context(|| format!("no {name}: {}", self.0))
    }

    fn expect(&self, name: &str, state: &str) -> Result<()> {
        let check = self.check(name)?;
        ensure!(check["state"] == state, "{state} was expected: {check}");
        Ok(())
    }
}

fn root() -> Result<()> {
    let answer = Answer::of(&[])?;
    ensure!(answer.able(), "{}", answer.0);
    for name in
        ["bpf", "kernel programs", "ring buffer", "type information (BTF)", "CAP_BPF", "user namespace"]
    {
        answer.expect(name, "ok")?;
    }
    let way = if answer.check("uprobe_multi")?["state"] == "ok" { "uprobe_multi" } else { "perf_event" };
    let programs = answer.check("kernel programs")?["found"].to_string();
    ensure!(programs.contains(way), "{way} was expected: {programs}");
    Ok(())
}

fn another_user() -> Result<()> {
    let answer = Answer::of(&["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])?;
    ensure!(!answer.able(), "{}", answer.0);
    for name in ["bpf", "kernel programs", "CAP_BPF", "CAP_PERFMON"] {
        answer.expect(name, "missing")?;
    }
    answer.expect("uprobe_multi", "unknown")?;
    ensure!(answer.check("bpf")?["mend"].to_string().contains("root"), "{}", answer.0);
    Ok(())
}

fn user_namespace() -> Result<()> {
    let answer = Answer::of(&["unshare", "--user", "--map-root-user"])?;
    ensure!(!answer.able(), "{}", answer.0);
    for name in ["user namespace", "bpf"] {
        answer.expect(name, "missing")?;
    }
    answer.expect("CAP_BPF", "ok")
}

fn without_sys_admin() -> Result<()> {
    let answer = Answer::of(&WITHOUT_SYS_ADMIN)?;
    for name in ["CAP_SYS_ADMIN", "fanotify permission events", "run-time statistics of programs"] {
        answer.expect(name, "limited")?;
    }
    answer.expect("/proc/PID/map_files", "ok")?;
    if answer.check("uprobe_multi")?["state"] == "ok" || !paranoid()? {
        ensure!(answer.able(), "{}", answer.0);
        return answer.expect("kernel programs", "ok");
    }
    ensure!(!answer.able(), "{}", answer.0);
    answer.expect("uprobe perf events", "missing")?;
    let programs = answer.check("kernel programs")?["found"].to_string();
    ensure!(programs.contains("perf_event_paranoid"), "{programs}");
    Ok(())
}

/// Debian's kernels know a level at which perf events take more than CAP_PERFMON.
fn paranoid() -> Result<bool> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid")?.trim().parse::<i32>()? >= 3)
}

fn without_perfmon() -> Result<()> {
    let answer =
        Answer::of(&["setpriv", "--bounding-set=-sys_admin,-perfmon", "--inh-caps=-sys_admin,-perfmon"])?;
    ensure!(!answer.able(), "{}", answer.0);
    answer.expect("CAP_PERFMON", "missing")?;
    answer.expect("kernel programs", "missing")
}

fn table() -> Result<()> {
    let output = doctor(&WITHOUT_SYS_ADMIN, &[])?;
    let text = String::from_utf8(output.stdout)?;
    let lines: Vec<&str> = text.lines().collect();
    let at =
        lines.iter().position(|line| line.contains("fanotify permission events")).context(text.clone())?;
    ensure!(lines[at].contains("limited") && lines[at + 1].contains("without it: "), "{text}");
    ensure!(lines[at + 2].contains("to mend it: CAP_SYS_ADMIN"), "{text}");
    let verdict =
        if output.status.success() { "sidecar can watch here: " } else { "sidecar can't watch here: " };
    ensure!(lines.last().is_some_and(|line| line.starts_with(verdict)), "{text}");
    Ok(())
}

fn wrong_flag() -> Result<()> {
    let output = doctor(&[], &["--jsno"])?;
    ensure!(output.status.code() == Some(2), "{}", output.status);
    ensure!(String::from_utf8_lossy(&output.stderr).contains("--json"), "{output:?}");
    Ok(())
}

/// Why these can't run: they take privileges away, which only root can.
fn obstacle() -> Option<&'static str> {
    trial::obstacle().or_else(|| (!nix::unistd::geteuid().is_root()).then_some("not root"))
}

fn main() {
    let arguments = Arguments::from_args();
    let trials = ALL
        .iter()
        .map(|&(name, test)| Trial::ignorable_test(name, move || trial::run(name, obstacle(), test)));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    agent::clean_up();
    conclusion.exit();
}
