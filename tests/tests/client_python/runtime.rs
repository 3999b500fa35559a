//! `SidecarRuntime` beside a real agent: the user's document, rates, events that arrive; and with none, stopped or refused.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use sidecar_tests::exec::finish;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::{Agent, events, scratch::Scratch, until};

use crate::environment;

/// A Python program that speaks to this agent, or to none.
fn python(agent: Option<(&Agent, &Control)>) -> Result<Command> {
    let mut command = Command::new(environment::get()?.python());
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    let (socket, listen) = match agent {
        Some((agent, control)) => (control.path().to_path_buf(), format!("127.0.0.1:{}", agent.port())),
        None => ("/nowhere/sidecar.sock".into(), "127.0.0.1:1".to_owned()),
    };
    command.env("SIDECAR_SOCKET", socket).env("SIDECAR_LISTEN", listen);
    Ok(command)
}

fn agent(scratch: &Scratch) -> Result<(Agent, Control)> {
    let extension = environment::get()?.extension()?;
    let config = format!("{}\ndiscovery: {{libraries: ['{}']}}\n", section(scratch), extension.display());
    let agent = Agent::start(&scratch.config(&config)?)?;
    Ok((agent, Control::of(scratch)))
}

fn run(command: &mut Command) -> Result<String> {
    let output = finish(command)?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    Ok(text(&output.stdout))
}

pub(crate) fn snippets() -> Result<()> {
    let scratch = Scratch::new()?;
    let (agent, control) = agent(&scratch)?;
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let said = run(python(Some((&agent, &control)))?
        .arg(tests.join("tests/client_python/snippets.py"))
        .arg(tests.join("fixtures/python_quick_start.txt")))?;
    ensure!(said.ends_with("13 snippets ran\n"), "{said}");
    agent.finish()?;
    Ok(())
}

pub(crate) fn events_and_rates() -> Result<()> {
    let scratch = Scratch::new()?;
    let (agent, control) = agent(&scratch)?;
    let script = "
from sidecar_runtime import SidecarConfig, SidecarRuntime
config = SidecarConfig()
config.sampling.events = 1.0
config.sampling.test_events = 1.0
config.resources.max_queue_size = 20_000
seen = []
with SidecarRuntime(config=config) as sidecar:
    sidecar.register_handler('test_failure', seen.append)
    sidecar.register_handler('test_failure', lambda event: 1 / 0)
    assert sidecar.observe('test_start', {'test_id': 'one', 'run_id': 'python'})
    assert sidecar.observe('step', {'test_id': 'one', 'run_id': 'python', 'n': 1})
    assert sidecar.observe('test_failure', {'test_id': 'one', 'run_id': 'python', 'duration_ms': 12, 'message': 'why'})
    assert [event.data['message'] for event in seen] == ['why'], seen
    stats = sidecar.observer.get_stats()
    assert stats['running'] and stats['handler_errors'] == 1 and stats['events_observed'] == 3, stats
    assert sidecar.sampler.get_stats()['events']['configured_rate'] == 1.0
    assert not sidecar.sampler.set_rate('events', 7.0)
    assert sidecar.sampler.boost('events', 2.0, 5.0)
    assert sidecar.reload_config() in (True, False)
    client = sidecar.get_health()['components']['client']
    assert 'resources' in client['message'] and 'ZeroDivisionError' in client['message'], client
    assert sidecar.profiler.get_summary(60) is not None
    assert sidecar.get_metrics()['sidecar_build_info']['type'] == 'gauge'
";
    run(python(Some((&agent, &control)))?.args(["-c", script]))?;
    let mine = until("the events are written", || {
        let mut found = events(&scratch.sink())?;
        found.retain(|event| event["test_id"] == "one");
        Ok((found.len() == 3).then_some(found))
    })?;
    let types: Vec<_> = mine.iter().map(|event| event["event_type"].as_str().unwrap_or_default()).collect();
    ensure!(types == ["test_start", "step", "test_failure"], "{types:?}");
    ensure!(mine[1]["data"]["n"] == 1 && mine[2]["message"] == "why", "{mine:?}");
    ensure!(mine[2]["duration_ms"] == 12.0, "{mine:?}");
    agent.finish()?;
    Ok(())
}

/// What is asked of an agent that is not there, or does not answer.
const QUIET: &str = "
from sidecar_runtime import SidecarRuntime
with SidecarRuntime() as sidecar:
    sidecar.observe('test_start', {'test_id': 'x'})
    sidecar.observe('odd', object())
    health = sidecar.get_health()
    assert health['status'] == 'unavailable', health
    assert not sidecar.health.is_healthy()
    assert sidecar.export_metrics() == '' and sidecar.get_metrics() == {}
    assert sidecar.observer.get_stats()['running'] is False
    assert sidecar.profiler.get_current().available is False and sidecar.profiler.get_summary(0) == {}
    assert sidecar.profiler.is_over_budget() == {'cpu_over_budget': False, 'memory_over_budget': False}
    assert not sidecar.sampler.set_rate('events', 0.5) and sidecar.sampler.get_stats() == {}
    assert not sidecar.reload_config()
";

pub(crate) fn without_an_agent() -> Result<()> {
    run(python(None)?.args(["-c", QUIET]))?;
    Ok(())
}

/// Each question gives up after a second at most.
pub(crate) fn beside_a_stopped_agent() -> Result<()> {
    let scratch = Scratch::new()?;
    let (agent, control) = agent(&scratch)?;
    agent.signal(Signal::SIGSTOP)?;
    let begun = Instant::now();
    let ran = run(python(Some((&agent, &control)))?.args(["-c", QUIET]));
    let took = begun.elapsed();
    agent.signal(Signal::SIGCONT)?;
    ran?;
    ensure!(took.as_secs() < 60, "it took {took:?}");
    agent.finish()?;
    Ok(())
}
