//! Tests of the `command` handler.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::config::CommandAction;

fn action(command: &[&str]) -> CommandAction {
    let command = command.iter().map(|word| (*word).to_owned()).collect();
    CommandAction { command, timeout_sec: 60.0, concurrency: 1, rate_limit: 10_000.0 }
}

fn script(text: &str) -> CommandAction {
    action(&["/bin/sh", "-c", text])
}

fn one(action: CommandAction) -> Handlers {
    handlers(config("notify", Action::Command(action)))
}

#[test]
fn a_program_gets_the_event_its_arguments_and_little_else() {
    let dir = tempfile::tempdir().unwrap();
    let shown = dir.path().display();
    let text =
        format!("cat > {shown}/in; env > {shown}/env; pwd > {shown}/pwd; echo \"$0 $1\" > {shown}/args");
    let handlers = one(action(&["sh", "-c", &text, "zero", "--now $(id)"]));
    let mut sent = event("suite$case");
    sent.event_type = Arc::from("odd type;\n");
    handlers.dispatch(&Message::new(sent));
    let stats = finish(&handlers, LONG);
    assert_counts(&stats, 1, &[]);
    assert_eq!(stats.kind, Kind::Command);
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let input = read("in");
    assert!(input.ends_with("}\n") && input.matches('\n').count() == 1, "{input}");
    let json: serde_json::Value = serde_json::from_str(&input).unwrap();
    assert_eq!(json["test_id"], "suite$case");
    assert_eq!((read("args").as_str(), read("pwd").as_str()), ("zero --now $(id)\n", "/\n"));
    let env = read("env");
    assert!(env.contains("SIDECAR_EVENT_TYPE=odd_type__\n") && env.contains("PATH="), "{env}");
    // The shell itself adds PWD, SHLVL, OLDPWD and _.
    let known = ["PATH", "HOME", "LANG", "LC_ALL", "TZ", "SIDECAR_EVENT_TYPE", "PWD", "OLDPWD", "SHLVL", "_"];
    for line in env.lines() {
        assert!(known.contains(&line.split('=').next().unwrap()), "{line}");
    }
}

#[test]
fn a_hostile_test_name_is_data_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (seen, trap) = (dir.path().join("seen"), dir.path().join("trap"));
    let handlers = one(script(&format!("cat >> {}", seen.display())));
    let name = format!(
        "$(touch {0}) `touch {0}` '; touch {0}; \"\n{{\"forged\":1}}\r\u{1b}[2J\u{2028}",
        trap.display()
    );
    handlers.dispatch(&message(&name));
    assert_counts(&finish(&handlers, LONG), 1, &[]);
    let text = std::fs::read_to_string(&seen).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert!(!text.trim_end().chars().any(char::is_control) && !text.contains('\u{2028}'), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["test_id"], name);
    assert!(!trap.exists());
}

#[test]
fn a_failing_program_is_counted_with_its_last_words() {
    let handlers = one(script("echo out; printf 'no \\033[31mroute\\n2026-01-01 ERROR forged' >&2; exit 1"));
    handlers.dispatch(&message("x"));
    let stats = finish(&handlers, LONG);
    assert_counts(&stats, 0, &[(Reason::ExitStatus, 1)]);
    let wanted = "it ended with exit status 1; it said: no [31mroute 2026-01-01 ERROR forged";
    assert_eq!(error_text(&stats), wanted);
    let handlers = one(script("kill -9 $$"));
    handlers.dispatch(&message("x"));
    assert_eq!(error_text(&finish(&handlers, LONG)), "it was ended by signal 9");
}

#[test]
fn a_program_that_hangs_is_ended() {
    let handlers = one(CommandAction { timeout_sec: 0.1, ..script("echo waiting; exec sleep 1000") });
    handlers.dispatch(&message("x"));
    eventually("the timeout", || handlers.stats()[0].count(Reason::Timeout) == 1);
    let stats = finish(&handlers, LONG);
    assert_counts(&stats, 0, &[(Reason::Timeout, 1)]);
    assert!(error_text(&stats).starts_with("it ran longer than 0.1 s"), "{stats:?}");
}

#[test]
fn a_program_that_floods_its_output_is_ended_too() {
    let handlers = one(CommandAction { timeout_sec: 0.2, ..script("exec yes flood") });
    handlers.dispatch(&message("x"));
    assert_counts(&finish(&handlers, LONG), 0, &[(Reason::Timeout, 1)]);
}

fn install(path: &Path, text: &str) {
    // Written under another name, so that it is never executed while it is open for writing.
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::rename(&new, path).unwrap();
}

#[test]
fn a_program_that_is_not_there_is_counted_until_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("notify");
    let handlers = one(action(&[program.to_str().unwrap()]));
    let failures = |count| {
        handlers.dispatch(&message("x"));
        eventually("a failed start", || handlers.stats()[0].count(Reason::SpawnFailed) == count);
        handlers.stats().remove(0).last_error.unwrap().text
    };
    assert_eq!(failures(1), format!("there is no executable file {}", program.display()));
    install(&program, "#!/nowhere/interpreter\n");
    let said = failures(2);
    assert!(said.starts_with("can't run ") && said.contains("No such file"), "{said}");
    install(&program, "#!/bin/sh\nexit 0\n");
    handlers.dispatch(&message("x"));
    let stats = finish(&handlers, LONG);
    assert_counts(&stats, 1, &[(Reason::SpawnFailed, 2)]);
    assert_eq!(stats.consecutive_failures, 0);
    let handlers = one(action(&["no-such-program-anywhere"]));
    handlers.dispatch(&message("x"));
    let stats = finish(&handlers, LONG);
    assert_eq!(error_text(&stats), "there is no executable file no-such-program-anywhere in PATH");
}

#[test]
fn what_exceeds_the_rate_is_dropped_and_counted() {
    let handlers = one(CommandAction { rate_limit: 0.001, ..script("exit 0") });
    (0..20).for_each(|i| handlers.dispatch(&message(&i.to_string())));
    assert_counts(&finish(&handlers, LONG), 1, &[(Reason::RateLimited, 19)]);
}

#[test]
fn as_many_run_at_a_time_as_may() {
    let dir = tempfile::tempdir().unwrap();
    let shown = dir.path().display();
    // Each waits for two others: with fewer at a time this would never end.
    let text = format!("touch {shown}/$$; until [ $(ls {shown} | wc -l) -ge 3 ]; do sleep 0.01; done");
    let handlers = one(CommandAction { concurrency: 3, ..script(&text) });
    (0..3).for_each(|i| handlers.dispatch(&message(&i.to_string())));
    assert_counts(&finish(&handlers, LONG), 3, &[]);
}

#[test]
fn a_full_queue_and_the_end_are_counted_to_the_unit() {
    for drop_on_full in [true, false] {
        let mut config = config("hang", Action::Command(script("exec sleep 1000")));
        (config.queue_size, config.drop_on_full) = (2, drop_on_full);
        let handlers = handlers(config);
        handlers.dispatch(&message("first"));
        eventually("the start", || handlers.stats()[0].in_flight == 1);
        (0..5).for_each(|i| handlers.dispatch(&message(&i.to_string())));
        let stats = finish(&handlers, Duration::from_millis(1));
        let full = if drop_on_full { Reason::QueueFullOldest } else { Reason::QueueFullNewest };
        assert_counts(&stats, 0, &[(full, 3), (Reason::Shutdown, 3)]);
    }
}
