//! First events of the whole node: programs are held until their probes are on, and nobody is held longer than that for.
//!
//! The deadline of these agents is as late as it can be, so that a busy machine makes no difference to what is asserted.
//! Only files of the test's own folder are asked for, so that the machine's other programs go their way.

use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sidecar_tests::kernel::program::Running;
use sidecar_tests::node::accounts::Accounts;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::Target;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, command, until};
use sidecar_tests::process::{gate_of, state};

/// Programs that nobody has seen before.
const FRESH: u64 = 1000;
/// Programs that start at a time.
const AT_ONCE: u64 = 4;
/// Seconds: the latest deadline.
const LATEST: f64 = 2.0;

/// An agent for programs of a folder `fresh`, and the program that they are copies of.
struct Node {
    scratch: Scratch,
    target: Target,
    agent: Agent,
    control: Control,
}

impl Node {
    fn start(discovery: &str) -> Result<Self> {
        Self::with(discovery, Agent::start)
    }

    fn with(discovery: &str, start: impl FnOnce(&Path) -> Result<Agent>) -> Result<Self> {
        let scratch = Scratch::new()?;
        std::fs::create_dir(scratch.path("fresh"))?;
        let target = Target::compile(&scratch.path("target"))?;
        let control = Control::of(&scratch);
        let config = format!(
            "{}profiling: {{enabled: false}}\nsampling: {{enabled: false}}\nhealth_checks: {{interval_sec: 1}}\n\
             discovery: {{files: ['{}/*', /mnt/held*], max_specs: 8192, {discovery}}}\n{}",
            section(&scratch),
            scratch.path("fresh").display(),
            target.probes()
        );
        let agent = start(&scratch.config(&config)?)?;
        Ok(Self { scratch, target, agent, control })
    }

    /// Holds programs, for two seconds at most.
    fn holding() -> Result<Self> {
        let node = Self::start(&format!("first_event: guarantee, first_event_deadline: {LATEST}"))?;
        assert_eq!(node.gate("status")?, "healthy", "{}", node.agent.log());
        Ok(node)
    }

    /// A program that nobody has seen before. Copied by a process of its own: a child of this one, which other tests may
    /// fork meanwhile, would hold it open for writing until its own exec, and then it can't be executed.
    fn fresh(&self, name: impl std::fmt::Display) -> Result<PathBuf> {
        let path = self.scratch.path(&format!("fresh/{name}"));
        let status = Command::new("cp").arg(self.target.path()).arg(&path).status()?;
        ensure!(status.success(), "cp: {status}");
        Ok(path)
    }

    /// Starts a program that fires two markers first thing.
    fn run(&self, program: &Path) -> Result<Run> {
        // A shell in between: what waits in its exec has then no file of this process open.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" \"$1\""]).arg(program).arg("tests 0 1 0");
        Ok(Run { began: Instant::now(), child: command.spawn()? })
    }

    /// Runs a program that stays until it was looked at.
    fn is_looked_at(&self, name: &str) -> Result<()> {
        let running = Running::start(&mut Command::new(self.fresh(name)?))?;
        self.agent.wait_for_log(&format!("fresh/{name}"))?;
        running.finish()
    }

    fn execs(&self, outcome: &str) -> Result<u64> {
        Ok(self.agent.metrics()?.count("sidecar_gate_execs_total", &[("outcome", outcome)]))
    }

    /// What health says of the gate.
    fn gate(&self, field: &str) -> Result<String> {
        let health = self.agent.health()?;
        Ok(health["components"]["gate"][field].as_str().context(health.to_string())?.to_owned())
    }

    /// Waits until health says this of the gate.
    fn wait_for_gate(&self, status: &str, message: &str) -> Result<()> {
        until(message, || {
            let found = (self.gate("status")?, self.gate("message")?);
            ensure!(found.0 == status && found.1.contains(message), "{found:?}");
            Ok(Some(()))
        })
    }

    fn gate_process(&self) -> Result<i32> {
        gate_of(self.agent.pid().try_into()?)
    }

    fn stop(&self, pid: i32) -> Result<()> {
        kill(Pid::from_raw(pid), Signal::SIGSTOP)?;
        until("it to stop", || Ok((state(pid) == Some('T')).then_some(())))
    }

    /// First events of this agent's programs.
    fn starts(&self) -> Result<u64> {
        let accounts = Accounts::settled(&self.agent, &self.control)?;
        Ok(accounts
            .metrics
            .count("sidecar_hits_total", &[("provider", self.target.provider()), ("marker", "start")]))
    }
}

/// A program that starts.
struct Run {
    child: Child,
    began: Instant,
}

impl Run {
    /// Waits until it waits in its exec, or has gone on already.
    fn wait_until_held(&mut self) -> Result<()> {
        let call = format!("/proc/{}/syscall", self.child.id());
        until("an exec to wait", || {
            // execve on x86-64 and on aarch64.
            let call = std::fs::read_to_string(&call).unwrap_or_default();
            let held = ["59 ", "221 "].iter().any(|execve| call.starts_with(execve));
            Ok((held || self.child.try_wait()?.is_some()).then_some(()))
        })
    }

    /// Waits for its end. Gives how long it took.
    fn finish(mut self) -> Result<Duration> {
        let status = self.child.wait()?;
        ensure!(status.success(), "{status}");
        Ok(self.began.elapsed())
    }
}

/// Runs each of many fresh programs once. Gives their first events.
fn fresh_programs(node: &Node) -> Result<u64> {
    for round in 0..FRESH / AT_ONCE {
        let programs: Vec<PathBuf> =
            (0..AT_ONCE).map(|i| node.fresh(round * AT_ONCE + i)).collect::<Result<_>>()?;
        let runs = programs.iter().map(|program| node.run(program)).collect::<Result<Vec<_>>>()?;
        for run in runs {
            run.finish()?;
        }
    }
    node.starts()
}

pub(crate) fn guaranteed() -> Result<()> {
    let node = Node::holding()?;
    let seen = fresh_programs(&node)?;
    // The gate's counts are a second old at most.
    until("the gate's counts", || Ok((node.execs("answered")? == FRESH).then_some(())))
        .with_context(|| node.agent.metrics().map(|metrics| metrics.0).unwrap_or_default())?;
    let longest = node.agent.metrics()?.value("sidecar_gate_longest_wait_seconds", &[]);
    println!("guarantee: {seen} of {FRESH} first events; the longest wait was {:.1} ms", longest * 1e3);
    assert_eq!(seen, FRESH);
    for outcome in ["expired", "overload", "stalled", "overflow"] {
        assert_eq!(node.execs(outcome)?, 0, "{outcome}");
    }
    // Others of this machine were asked for and went on at once, and so does one that is not matched.
    node.target.run(&["tests 1 1 0"])?;
    until("it was asked for", || Ok((node.execs("unwatched")? > 0).then_some(())))?;
    assert_eq!(node.execs("answered")?, FRESH);
    node.agent.finish()?;
    Ok(())
}

/// What the guarantee is for: told, and not asserted.
pub(crate) fn best_effort() -> Result<()> {
    let node = Node::start("first_event: best_effort")?;
    let seen = fresh_programs(&node)?;
    println!("best_effort: {seen} of {FRESH} first events");
    assert!(seen <= FRESH);
    let health = node.agent.health()?;
    ensure!(health["components"]["gate"].is_null(), "no gate is wanted: {health}");
    assert_eq!(node.agent.metrics()?.series("sidecar_gate"), 0);
    node.agent.finish()?;
    Ok(())
}

/// A stopped agent costs those that wait the deadline, and others nothing; continued, it holds again.
pub(crate) fn agent_stopped() -> Result<()> {
    const WAITING: u64 = 8;
    const LATER: u64 = 50;
    let node = Node::holding()?;
    node.run(&node.fresh("first")?)?.finish()?;
    let programs = (0..WAITING).map(|i| node.fresh(format!("waiting{i}"))).collect::<Result<Vec<_>>>()?;
    node.stop(node.agent.pid().try_into()?)?;
    let runs = programs.iter().map(|program| node.run(program)).collect::<Result<Vec<_>>>()?;
    let mut longest = Duration::ZERO;
    for run in runs {
        longest = longest.max(run.finish()?);
    }
    for i in 0..LATER {
        node.run(&node.fresh(format!("later{i}"))?)?.finish()?;
    }
    node.agent.signal(Signal::SIGCONT)?;
    // Its answers let the gate ask again.
    until("it holds again", || {
        let before = node.execs("answered")?;
        node.run(&node.fresh(format!("again{before}"))?)?.finish()?;
        Ok((node.execs("answered")? > before && before > 0).then_some(()))
    })?;
    let (expired, stalled) = (node.execs("expired")?, node.execs("stalled")?);
    let waited = node.agent.metrics()?.value("sidecar_gate_longest_wait_seconds", &[]);
    println!(
        "held {longest:?} with all that a start takes, {waited} s at the gate; {expired} expired, {stalled} passed"
    );
    assert_eq!(expired, WAITING, "each once");
    assert!(stalled >= LATER, "nobody after them: {stalled}");
    // As the gate itself measures it. It wakes within a millisecond of the deadline, when it gets the processor: it is
    // one process that only waits, and here it gets it before a second has passed.
    ensure!((LATEST..LATEST + 1.0).contains(&waited), "{waited} s");
    node.wait_for_gate("degraded", "programs went on before their probes were on lately")?;
    node.agent.finish()?;
    Ok(())
}

/// Whoever of the two is killed while programs wait, all of them go on.
pub(crate) fn killed_while_they_wait() -> Result<()> {
    for the_gate in [false, true] {
        let node = Node::holding()?;
        let gate = node.gate_process()?;
        let agent = i32::try_from(node.agent.pid())?;
        let programs = (0..8).map(|i| node.fresh(i)).collect::<Result<Vec<_>>>()?;
        node.stop(agent)?;
        let mut runs = programs.iter().map(|program| node.run(program)).collect::<Result<Vec<_>>>()?;
        runs.iter_mut().try_for_each(Run::wait_until_held)?;
        kill(Pid::from_raw(if the_gate { gate } else { agent }), Signal::SIGKILL)?;
        for run in runs {
            let took = run.finish()?;
            println!("{} killed: a start took {took:?}", if the_gate { "gate" } else { "agent" });
        }
        until("the gate is gone", || Ok(matches!(state(gate), None | Some('Z')).then_some(())))?;
        node.run(&node.fresh("after")?)?.finish()?;
        if the_gate {
            node.agent.signal(Signal::SIGCONT)?;
            node.wait_for_gate("degraded", "programs are no longer held")?;
            let metrics = node.agent.metrics()?;
            assert_eq!(metrics.count("sidecar_gate_holding", &[]), 0);
            assert_eq!(metrics.count("sidecar_gate_waiting", &[]), 0);
            // The rest of the agent goes on.
            node.is_looked_at("seen")?;
            node.agent.finish()?;
        }
    }
    Ok(())
}

/// A gate process that is stopped would hold everybody: the agent ends it.
pub(crate) fn gate_stopped() -> Result<()> {
    let node = Node::holding()?;
    let gate = node.gate_process()?;
    kill(Pid::from_raw(gate), Signal::SIGSTOP)?;
    node.run(&node.fresh("waits")?)?.finish()?;
    node.wait_for_gate("degraded", "the gate process was stopped and had to be ended")?;
    node.agent.finish()?;
    Ok(())
}

/// Without the right to hold, it says so and watches as best it can.
pub(crate) fn not_permitted() -> Result<()> {
    let node = Node::with("first_event: guarantee", |config| {
        let inner = command(Some(config))?;
        let mut outer = Command::new("setpriv");
        outer
            .args(["--inh-caps=-all", "--bounding-set=-sys_admin"])
            .arg(inner.get_program())
            .args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => outer.env(name, value),
                None => outer.env_remove(name),
            };
        }
        outer
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped());
        Agent::spawn(&mut outer)?.ready()
    })?;
    node.wait_for_gate("degraded", "programs are not held")?;
    ensure!(node.gate("message")?.contains("CAP_SYS_ADMIN"), "{}", node.gate("message")?);
    node.agent.wait_for_log("guarantee can't be kept, first events may be missing")?;
    assert_eq!(node.agent.health()?["components"]["kernel"]["status"], "healthy");
    node.is_looked_at("seen")?;
    node.agent.finish()?;
    Ok(())
}

/// A file of a known filesystem is held in another mount namespace too, by the path that it has there.
pub(crate) fn another_namespace() -> Result<()> {
    let node = Node::holding()?;
    let folder = node.scratch.path("elsewhere");
    std::fs::create_dir(&folder)?;
    std::fs::copy(node.target.path(), folder.join("held"))?;
    let script = format!("mount --bind {} /mnt && exec /mnt/held 'tests 0 1 0'", folder.display());
    let status = Command::new("unshare").args(["-m", "sh", "-c", &script]).status()?;
    ensure!(status.success(), "{status}");
    assert_eq!(node.starts()?, 1, "{}", node.agent.log());
    until("the gate's counts", || Ok((node.execs("answered")? == 1).then_some(())))?;
    node.agent.finish()?;
    Ok(())
}

/// Switched off and on again, it holds what it has answered for before: the probes are to be put on once more.
pub(crate) fn switched_off_and_on() -> Result<()> {
    let node = Node::holding()?;
    let program = node.fresh("program")?;
    // So old that the gate remembers it.
    thread::sleep(Duration::from_millis(2_100));
    node.run(&program)?.finish()?;
    node.run(&program)?.finish()?;
    assert_eq!(node.starts()?, 2);
    let config = node.scratch.path("sidecar.yml");
    let on = std::fs::read_to_string(&config)?;
    for enabled in [false, true] {
        std::fs::write(&config, on.replacen("sidecar:\n", &format!("sidecar:\n  enabled: {enabled}\n"), 1))?;
        node.control.json("POST", "/api/v1/config/reload", "")?;
        node.run(&program)?.finish()?;
    }
    assert_eq!(node.starts()?, 3, "all but the one while it was off\n{}", node.agent.log());
    node.agent.finish()?;
    Ok(())
}
