//! Tests of the handlers' configuration: what is read, and each kind of bad input.

use super::super::{Config, FileText, Sources, load};
use super::*;

fn from(text: &str) -> Result<Config, ConfigError> {
    let file = FileText { name: "sidecar.yml".to_owned(), text: format!("sidecar:\n{text}") };
    let env = [("TOKEN".to_owned(), "s3cret".to_owned())].into();
    load(&Sources { file: Some(&file), env, ..Sources::default() })
}

fn error(entry: &str) -> String {
    from(&format!("  handlers:\n    - {entry}\n")).unwrap_err().to_string()
}

#[test]
fn every_key_is_read() {
    let config = from(
        "  handlers:
    - name: notify
      type: command
      events: [test_failure, anomaly]
      when: {status: [failed, error], provider: nextest, suite: 'web*', test_id: '*login*', signal: test_events, min_duration_ms: 100}
      queue_size: 10
      queue_bytes: 2000000
      drop_on_full: false
      command: [/usr/local/bin/notify, --now]
      timeout_sec: 2.5
      concurrency: 3
      rate_limit: 0.5
    - {type: http, url: 'https://example.com/hook', headers: {Authorization: 'Bearer ${TOKEN}'}, timeout_sec: 1,
       max_attempts: 2, spool_events: 7, spool_bytes: 100000, rate_limit: 9}
    - {type: jsonl, path: /var/log/x.jsonl, max_bytes: 2000, max_age_sec: 60, keep: 2}
",
    )
    .unwrap();
    let [notify, hook, log] = &config.handlers[..] else { panic!("{:?}", config.handlers) };
    let when = When {
        status: vec![Status::Failed, Status::Error],
        provider: Some("nextest".to_owned()),
        suite: Some("web*".to_owned()),
        test_id: Some("*login*".to_owned()),
        signal: Some("test_events".to_owned()),
        min_duration_ms: Some(100.0),
    };
    let command = ["/usr/local/bin/notify".to_owned(), "--now".to_owned()].to_vec();
    let action =
        Action::Command(CommandAction { command, timeout_sec: 2.5, concurrency: 3, rate_limit: 0.5 });
    let events = ["test_failure".to_owned(), "anomaly".to_owned()].to_vec();
    let wanted = HandlerConfig {
        name: "notify".to_owned(),
        events,
        when,
        queue_size: 10,
        queue_bytes: 2_000_000,
        drop_on_full: false,
        action,
    };
    assert_eq!(*notify, wanted);
    assert_eq!((hook.name.as_str(), log.name.as_str()), ("http-1", "jsonl-1"));
    let Action::Http(http) = &hook.action else { panic!("{hook:?}") };
    assert_eq!(http.headers[0].1.reveal(), "Bearer s3cret");
    assert_eq!(
        (http.max_attempts, http.spool_events, http.spool_bytes, http.rate_limit),
        (2, 7, 100_000, 9.0)
    );
    let action =
        JsonlAction { path: "/var/log/x.jsonl".into(), max_bytes: 2000, max_age_sec: Some(60), keep: 2 };
    assert_eq!(log.action, Action::Jsonl(action));
}

#[test]
fn what_is_left_out_has_a_default() {
    let config =
        from("  handlers: [{type: command, command: notify}, {type: command, command: [x]}]\n").unwrap();
    let [first, second] = &config.handlers[..] else { panic!("{:?}", config.handlers) };
    assert_eq!((first.name.as_str(), second.name.as_str()), ("command-1", "command-2"));
    assert_eq!(
        (first.queue_size, first.queue_bytes, first.drop_on_full, &first.when),
        (1000, 4 << 20, true, &When::default())
    );
    let command = ["notify".to_owned()].to_vec();
    let action = CommandAction { command, timeout_sec: 10.0, concurrency: 1, rate_limit: 10.0 };
    assert_eq!(first.action, Action::Command(action));
    assert!(from("  handlers:\n").unwrap().handlers.is_empty());
}

#[test]
fn a_secret_is_in_no_message() {
    let config =
        from("  handlers: [{type: http, url: 'http://h/s3cret', headers: {X-Key: '${TOKEN}'}}]\n").unwrap();
    let Action::Http(http) = &config.handlers[0].action else { panic!("no http") };
    assert!(!format!("{:?}", http.headers).contains("s3cret"));
    let row = config.effective().into_iter().find(|(key, _, _)| key == "handlers").unwrap();
    assert_eq!(row.1, "[http-1 (http)]");
    for entry in [
        "{type: http, url: 'ftp://h/s3cret'}",
        "{type: http, url: 'http://u:s3cret@h/'}",
        "{type: http, url: 'http://h/', headers: {X: \"s3cret\\n\"}}",
    ] {
        assert!(!error(entry).contains("s3cret"), "{}", error(entry));
    }
}

#[test]
fn every_fault_names_file_line_key_and_what_to_do() {
    let long = "x".repeat(65);
    for (entry, wanted) in [
        ("{name: a}", "sidecar.yml:3: handlers[0]: the key `type` is missing"),
        (
            "{type: htpt}",
            "handlers[0].type: `htpt` is no type of handler (command, http, jsonl); did you mean `http`?",
        ),
        ("text", "handlers[0]: wants a mapping with a `type` of command, http or jsonl, not the text `text`"),
        ("{type: http, url: 'http://h/', command: [x]}", "handlers[0].command: unknown key; did you mean"),
        ("{type: command, comand: [x]}", "handlers[0].comand: unknown key; did you mean `command`?"),
        ("{type: command}", "handlers[0]: the key `command` is missing"),
        ("{type: command, command: []}", "handlers[0]: the key `command` is missing"),
        ("{type: command, command: [bin/x]}", "handlers[0].command[0]: `bin/x` is neither an absolute path"),
        (
            "{type: command, command: [\"x\", \"a\\0b\"]}",
            "handlers[0].command[1]: `a\u{fffd}b` holds a NUL byte",
        ),
        ("{type: command, command: [x], timeout_sec: 0}", "handlers[0].timeout_sec: 0 is out of range"),
        ("{type: command, command: [x], rate_limit: .nan}", "handlers[0].rate_limit: NaN is out of range"),
        (
            "{type: command, command: [x], concurrency: 65}",
            "handlers[0].concurrency: 65 is out of range: wants 1 to 64",
        ),
        ("{type: command, command: [x], queue_size: 0}", "handlers[0].queue_size: 0 is out of range"),
        ("{type: http}", "handlers[0]: the key `url` is missing"),
        ("{type: http, url: /x}", "handlers[0].url: `the URL` does not begin with http:// or https://"),
        (
            "{type: http, url: 'http://h/', headers: {'a b': x}}",
            "handlers[0].headers.a b: `a b` is no name of a header",
        ),
        ("{type: http, url: 'http://h/', headers: {Host: x}}", "is a header that sidecar sets itself"),
        ("{type: http, url: 'http://h/', headers: {a: x, A: y}}", "is given twice"),
        (
            "{type: http, url: 'http://h/', headers: [x]}",
            "handlers[0].headers: wants a mapping of header names",
        ),
        ("{type: jsonl, path: x}", "handlers[0].path: `x` is no absolute path of a file"),
        ("{type: jsonl, path: /x, max_bytes: 10MB}", "handlers[0].max_bytes: wants a whole number"),
        ("{type: jsonl, path: /x, keep: 0}", "handlers[0].keep: 0 is out of range"),
        (
            "{type: jsonl, path: /x, when: {status: [faild]}}",
            "handlers[0].when.status: `faild` is no status; did you mean `failed`?",
        ),
        (
            "{type: jsonl, path: /x, when: {suit: x}}",
            "handlers[0].when.suit: unknown key; did you mean `suite`?",
        ),
        ("{type: jsonl, path: /x, when: {suite: '['}}", "handlers[0].when.suite: `[` is no glob"),
        (
            "{type: jsonl, path: /x, when: {min_duration_ms: -1}}",
            "handlers[0].when.min_duration_ms: -1 is out of range",
        ),
        ("{type: jsonl, path: /x, name: 'a b'}", "handlers[0].name: `a b` is no name"),
        (&format!("{{type: jsonl, path: /x, name: {long}}}"), "is no name"),
        ("{type: jsonl, path: /x, type: http}", "handlers[0].type: the key stands in line 3 already"),
    ] {
        let said = error(entry);
        assert!(said.contains(wanted) && said.starts_with("sidecar.yml:3: "), "{entry}: {said}");
    }
}

#[test]
fn names_are_unique_and_handlers_not_too_many() {
    let said =
        from("  handlers:\n  - {name: a, type: jsonl, path: /x}\n  - {name: a, type: jsonl, path: /y}\n");
    let said = said.unwrap_err().to_string();
    assert_eq!(said, "sidecar.yml:4: handlers[1].name: `a` is the name of handlers[0] already");
    let many = vec!["{type: jsonl, path: /x}"; MOST + 1].join(", ");
    let said = from(&format!("  handlers: [{many}]\n")).unwrap_err().to_string();
    assert!(said.contains("handlers[64]: 65 is out of range: wants at most 64"), "{said}");
}
