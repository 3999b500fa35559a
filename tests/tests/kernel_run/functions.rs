//! Functions of programs that have no marker: found by the config, counted, timed, and turned into events.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use sidecar_tests::kernel::program::Running;
use sidecar_tests::node::control::{Control, section};
use sidecar_tests::node::program::provider;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, until};

use crate::basics::balance;

const ALL: &str = "sampling: {enabled: false}\n";

/// Compiles a source of this folder.
fn compile(compiler: &str, source: &str, to: &Path, flags: &[&str]) -> Result<()> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(source);
    let mut command = Command::new(compiler);
    let status = command.args(["-O1", "-pthread", "-o"]).arg(to).arg(source).args(flags).status();
    let status = status.with_context(|| format!("running `{compiler}`"))?;
    ensure!(status.success(), "{compiler} ended with {status}");
    Ok(())
}

/// The probe of a name, as the API shows it, once it has this many hits.
fn probe(control: &Control, provider: &str, name: &str, hits: u64) -> Result<serde_json::Value> {
    until(&format!("{hits} hits of {name}"), || {
        let probes = control.get("/api/v1/probes")?;
        let probes = probes["probes"].as_array().context("a list")?;
        let found = probes.iter().find(|probe| probe["provider"] == provider && probe["name"] == name);
        Ok(found.filter(|probe| probe["hits"] == hits).cloned())
    })
}

/// Arguments, result and duration of each call; and counts and durations of all of them.
pub(crate) fn entry_and_return() -> Result<()> {
    let scratch = Scratch::new()?;
    let program = scratch.path("program");
    compile("gcc", "kernel_run/functions.c", &program, &["-DMAIN"])?;
    let provider = provider();
    let lines = format!(
        "{}{ALL}functions:
  - file: '{}'
    provider: {provider}
    symbol: query
    on: entry_and_return
    args:
      - {{name: pool, type: string, at: '*(arg0)'}}
      - {{name: statement, type: string, at: arg1}}
      - {{name: rows, type: i16, at: arg2}}
      - {{name: size, type: u32, at: '*(*(arg0 + 8) + 0)'}}
    result: {{name: got, type: i32}}
  - {{file: '{}', provider: {provider}, glob: 'oth*', event_type: other_called, args: ['plain:i32']}}
",
        section(&scratch),
        program.display(),
        program.display(),
    );
    let agent = Agent::start(&scratch.config(&lines)?)?;
    let control = Control::of(&scratch);
    let mut running = Running::start(&mut Command::new(&program))?;
    running.run(&["query 5 2000", "other 3"])?;
    let events = scratch.wait_for_events_of(&agent, &provider, 13)?;
    let of = |kind: &str| events.iter().filter(|event| event["event_type"] == kind).collect::<Vec<_>>();
    let [entries, returns, others] = ["function_entry", "function_return", "other_called"].map(of);
    assert_eq!((entries.len(), returns.len(), others.len()), (5, 5, 3), "{events:?}");
    for (entry, end) in entries.iter().zip(&returns) {
        let expected = serde_json::json!({"pool": "main", "statement": "select 1", "rows": 3, "size": 7});
        assert_eq!((&entry["data"], &entry["marker"]), (&expected, &"query".into()));
        assert_eq!((&end["data"]["got"], &end["marker"]), (&(-3).into(), &"query%return".into()));
        assert!(end["duration_ms"].as_f64().context("a duration")? >= 2.0, "{end}");
    }
    let shown = probe(&control, &provider, "query%return", 5)?;
    assert_eq!((&shown["kind"], &shown["durations"]["count"]), (&"return".into(), &5.into()), "{shown}");
    assert!(shown["durations"]["sum_seconds"].as_f64().context("a sum")? >= 0.01, "{shown}");
    assert_eq!(probe(&control, &provider, "query", 5)?["kind"], "function");
    let metrics = agent.metrics()?;
    for (marker, hits) in [("query", 5), ("query%return", 5), ("other", 3)] {
        assert_eq!(balance(&metrics, &provider, marker), (hits, hits));
    }
    let labels = [("provider", provider.as_str()), ("marker", "query")];
    assert_eq!(metrics.count("sidecar_function_duration_seconds_count", &labels), 5);
    running.finish()?;
    agent.finish()?;
    Ok(())
}

/// A library's functions by its name, in a program that starts later, at a rate of nought: all is counted and timed.
pub(crate) fn of_a_library() -> Result<()> {
    let scratch = Scratch::new()?;
    let name = format!("lib{}.so", provider());
    let (library, program) = (scratch.path(&name), scratch.path("program"));
    compile("gcc", "kernel_run/functions.c", &library, &["-shared", "-fPIC"])?;
    let link = format!("-Wl,-rpath,{}", scratch.path("").display());
    let source = scratch.path("main.c");
    std::fs::write(
        &source,
        "#include <stdio.h>\nint query(const void *, const char *, short, int);\n\
         int main(void) { puts(\"ready\"); fflush(stdout); while (getchar() == 'q') { query(0, 0, 0, 0); puts(\"ok\"); \
         fflush(stdout); } }\n",
    )?;
    let mut command = Command::new("gcc");
    command.arg("-o").arg(&program).arg(&source).arg(&library).arg(link);
    ensure!(command.status().context("running `gcc`")?.success());
    let lines = format!(
        "{}sampling: {{events: 0}}\nfunctions: [{{library: {name}, regex: '^que', on: entry_and_return}}]\n",
        section(&scratch)
    );
    let agent = Agent::start(&scratch.config(&lines)?)?;
    let control = Control::of(&scratch);
    let mut running = Running::start(&mut Command::new(&program))?;
    agent.wait_for_log(&format!("attached to {}", library.display()))?;
    // Its newline ends the program's loop.
    running.send("q")?;
    assert_eq!(running.line()?, "ok");
    let shown = probe(&control, &name, "query%return", 1)?;
    assert_eq!((&shown["sampled_out"], &shown["durations"]["count"]), (&1.into(), &1.into()), "{shown}");
    running.finish()?;
    agent.finish()?;
    Ok(())
}

/// An exception that leaves a function would find no way past a watched return: so the return is not watched, and the
/// program lives.
pub(crate) fn exceptions() -> Result<()> {
    let scratch = Scratch::new()?;
    let program = scratch.path("program");
    compile("g++", "kernel/functions.cc", &program, &["-std=c++17"])?;
    let provider = provider();
    let lines = format!(
        "{}{ALL}functions:\n  - {{file: '{}', provider: {provider}, symbol: thrown, on: entry_and_return}}\n",
        section(&scratch),
        program.display()
    );
    let agent = Agent::start(&scratch.config(&lines)?)?;
    let control = Control::of(&scratch);
    agent.wait_for_log("never_unwinds: true")?;
    let mut running = Running::start(&mut Command::new(&program))?;
    running.run(&["throw 50", "catch 50"])?;
    running.finish()?;
    probe(&control, &provider, "thrown", 100)?;
    agent.finish()?;
    Ok(())
}

/// What is wrong with an entry is told with its place before anything is watched, and what is not there later.
pub(crate) fn bad_entries() -> Result<()> {
    let scratch = Scratch::new()?;
    let config = scratch.config("functions:\n  - {file: /bin/true, regex: '('}\n")?;
    let mut command = sidecar_tests::node::command(Some(&config))?;
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("functions[0].regex: not a regular expression"),
        "{said}"
    );
    let program = scratch.path("program");
    compile("gcc", "kernel_run/functions.c", &program, &["-DMAIN"])?;
    let entry = |rest: &str| format!("  - {{file: '{}', {rest}}}\n", program.display());
    let lines = format!("functions:\n{}{}", entry("symbol: nosuch"), entry("offset: 17"));
    let agent = Agent::start(&scratch.config(&lines)?)?;
    agent.wait_for_log("no function matches nosuch")?;
    agent.wait_for_log("functions[1]")?;
    agent.finish()?;
    Ok(())
}
