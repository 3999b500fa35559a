//! The preset of the C library against Debian's own: programs that give up, each in its way.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sidecar_tests::node::control::section;
use sidecar_tests::node::scratch::Scratch;
use sidecar_tests::node::{Agent, events, until};

const SOURCE: &str = "#include <assert.h>\n#include <stdlib.h>\n#include <string.h>\n
static volatile int zero, big = 64;
static void smash(void) { volatile char few[16]; for (int i = 0; i < big; ++i) few[i] = 1; }
static char from[64];
static void overflow(void) { char few[4]; memcpy(few, from, big); zero = few[1]; }
int main(int count, char **words) {
  (void)count;
  switch (words[1][0]) {
    case 'a': abort();
    case 'f': assert(zero == 1);
    case 's': smash(); break;
    case 'o': overflow(); break;
    case 'm': { char *volatile twice = malloc(10); free(twice); free(twice); break; }
    case 'e': exit(7);
  }
  return 3; }\n";

/// What is told of one process, in order.
fn of(all: &[Value], pid: u32) -> Vec<(String, Value)> {
    let own = all.iter().filter(|event| event["provider"] == "libc" && event["pid"] == pid);
    own.map(|event| (event["event_type"].as_str().unwrap_or_default().to_owned(), event["data"].clone()))
        .collect()
}

/// The library that every program on this machine maps is watched; what is expected is of this test's processes alone.
pub(crate) fn told() -> Result<()> {
    let scratch = Scratch::new()?;
    let (source, program) = (scratch.path("gives-up.c"), scratch.path("gives-up"));
    std::fs::write(&source, SOURCE)?;
    let mut compiler = Command::new("gcc");
    compiler
        .args(["-O1", "-w", "-fstack-protector-all", "-D_FORTIFY_SOURCE=2", "-o"])
        .arg(&program)
        .arg(&source);
    ensure!(compiler.status().context("running `gcc`")?.success());
    let lines = format!("{}sampling: {{enabled: false}}\npresets: [libc]\n", section(&scratch));
    let agent = Agent::start(&scratch.config(&lines)?)?;
    // Whichever program starts first has it attached.
    let run = |word: &str| -> Result<u32> {
        let mut child = Command::new(&program).arg(word).stderr(Stdio::null()).spawn()?;
        child.wait()?;
        Ok(child.id())
    };
    until("the library is watched", || {
        run("n")?;
        Ok(agent.log().contains("libc.so.6").then_some(()))
    })?;
    let exit = |code: i32| ("libc_exit", json!({"code": code}));
    let abort = || ("libc_abort", Value::Null);
    let line = SOURCE.lines().position(|line| line.contains("assert(")).context("the assertion")? + 1;
    let failed = json!({
        "assertion": "zero == 1", "file": source.display().to_string(), "line": line, "function": "main"
    });
    for (word, expected) in [
        ("a", vec![abort()]),
        ("f", vec![("libc_assert_failed", failed), abort()]),
        ("s", vec![("libc_stack_smashed", Value::Null), abort()]),
        ("o", vec![("libc_buffer_overflow", Value::Null), abort()]),
        ("m", vec![abort()]),
        ("e", vec![exit(7)]),
        ("n", vec![exit(3)]),
    ] {
        let pid = run(word)?;
        let expected: Vec<_> = expected.into_iter().map(|(kind, data)| (kind.to_owned(), data)).collect();
        let found = until(&format!("{word}: {expected:?}"), || {
            let found = of(&events(&scratch.sink())?, pid);
            Ok((found.len() >= expected.len()).then_some(found))
        });
        assert_eq!(found.with_context(|| agent.log())?, expected, "{word}");
    }
    agent.finish()?;
    Ok(())
}
