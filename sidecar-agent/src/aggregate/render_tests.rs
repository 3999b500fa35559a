//! Tests of the summary's text.

use super::super::tests::{PLAIN, end, event, start, summary};
use super::*;
use crate::event::Event;
use crate::mapping::EventKind;

/// The run of cargo-nextest that the built-in mapping was made by, shortened.
fn nextest_run() -> Summary {
    let panicked = |message: &str, event: Event| Event { message: Some(message.to_owned()), ..event };
    summary(&[
        end("nx$tests::aborts", 1, Status::Failed, 5_581),
        end("nx$tests::aborts", 2, Status::Failed, 10_386),
        end("nx$tests::aborts", 3, Status::Failed, 6_663),
        panicked(
            "panicked at src/lib.rs:9:99:\nassertion failed: n > 1",
            end("nx$tests::flaky", 1, Status::Failed, 73_643),
        ),
        end("nx$tests::flaky", 2, Status::Passed, 4_890),
        panicked(
            "panicked at src/lib.rs:4:26:\nboom \u{1b}[31m\"quoted\"\n\nline three\nline four\nline five",
            end("nx$tests::fails", 1, Status::Failed, 76_157),
        ),
        end("nx$tests::naïve_überlänge_日本", 1, Status::Passed, 4_469),
        end("nx$tests::leaky", 1, Status::Passed, 206_943),
        end("nx::it$tests::slow_timeout", 1, Status::Timeout, 1_003_002),
        Event { provider: "sidecar".into(), ..end("unit::skipped", 1, Status::Skipped, 0) },
        start("nx::it$tests::hangs", 1),
    ])
}

#[test]
fn the_summary_of_a_mixed_run() {
    let cost = Cost {
        hits: 4_020,
        kept: 4_020,
        agent_cpu_seconds: 0.0093,
        bpf_run_seconds: 0.000_4,
        wall_seconds: 3.8147,
        life_seconds: 3.8147,
        rss_bytes: 11_240_000,
        images: 2,
        sites: 14,
        ..Cost::default()
    };
    assert_eq!(
        nextest_run().render(&cost, PLAIN),
        r#"sidecar: 7 tests in 3.81 s (10 attempts)
  nextest  3 passed (1 flaky), 2 failed, 1 timeout
  sidecar  1 skipped

Failed
  failed    6.7 ms  nx$tests::aborts  (attempt 3)
  failed   76.2 ms  nx$tests::fails
                    panicked at src/lib.rs:4:26:
                    boom �[31m"quoted"
                    line three
                    (2 lines more)
  timeout   1.00 s  nx::it$tests::slow_timeout

Flaky
  nx$tests::flaky  (failed, passed on attempt 2)
    panicked at src/lib.rs:9:99:
    assertion failed: n > 1

Started, but not ended
  nx::it$tests::hangs

Slowest
    1.00 s  nx::it$tests::slow_timeout  (timeout)
  206.9 ms  nx$tests::leaky
   76.2 ms  nx$tests::fails  (failed)
   73.6 ms  nx$tests::flaky  (failed)
   10.4 ms  nx$tests::aborts  (failed, attempt 2)
    6.7 ms  nx$tests::aborts  (failed, attempt 3)
    5.6 ms  nx$tests::aborts  (failed)
    4.9 ms  nx$tests::flaky  (attempt 2)
    4.5 ms  nx$tests::naïve_überlänge_日本

Observation
  events  4,020 kept, 0 sampled out, 0 lost, 0 dropped of 4,020 hits
  probes  14 sites in 2 files
  cost    0.25 % of one core (9.3 ms in the agent, 400 us in the kernel), 11.2 MB
"#
    );
}

#[test]
fn where_not_all_is_kept_the_kernel_s_counts_stand_first() {
    let mut ends = [0; Status::COUNT];
    ends[Status::Passed as usize] = 1_800;
    ends[Status::Failed as usize] = 200;
    let cost =
        Cost { ends, wall_seconds: 1.0, images: 1, hits: 4_000, sampled_out: 3_790, ..Cost::default() };
    let some = summary(&[end("t", 1, Status::Failed, 1_000), end("u", 1, Status::Passed, 1_000)]);
    let head = "sidecar: 2,000 attempts in 1.00 s\n  all   1,800 passed, 200 failed\n";
    let text = some.render(&cost, PLAIN);
    assert!(text.starts_with(&format!("{head}  kept  1 passed, 1 failed\n\nFailed\n")), "{text}");
    let text = Summary::new().render(&cost, PLAIN);
    assert!(text.starts_with(&format!("{head}  kept  none\n\nObservation\n")), "{text}");
}

#[test]
fn starts_that_came_after_all_are_told_and_custom_events_are_estimated() {
    let cost = Cost { hits: 4_000, kept: 220, sampled_out: 3_780, recalled: 180, ..Cost::default() };
    let mut sum = summary(&[end("t", 1, Status::Failed, 1_000)]);
    for i in 0..30 {
        let mut custom = event(EventKind::Generic, "t", None);
        custom.event_type = if i < 20 { "order_placed" } else { "rare\n" }.into();
        custom.key = Some(i);
        custom.sample_rate = if i < 20 { 0.1 } else { 1.0 };
        sum.observe(&custom);
    }
    let text = sum.render(&cost, PLAIN);
    for wanted in [
        "\nEvents\n  about 200 +- 42 (of 20 kept)  order_placed\n                            10  rare\u{fffd}\n",
        "events  220 kept, 3,780 sampled out, 0 lost, 0 dropped of 4,000 hits\n",
        "180 starts of those sampled out came after all, as their tests did not pass: 400 events\n",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    let mut ends = [0; Status::COUNT];
    ends[Status::Passed as usize] = 12;
    let line = sum.progress(Some(&ends)).unwrap();
    assert_eq!(line, "12 attempts: 12 passed; 1 kept");
}

#[test]
fn losses_are_told_with_what_helps() {
    let cost = Cost {
        hits: 10,
        kept: 4,
        sampled_out: 3,
        lost: 2,
        dropped: 1,
        read_faults: 1,
        images: 1,
        sites: 1,
        ..Cost::default()
    };
    let mut sum = summary(&[end("t", 1, Status::Passed, 1_000)]);
    sum.observe(&event(EventKind::Anomaly, "t", None));
    assert_eq!(
        sum.render(&cost, PLAIN),
        "sidecar: 1 test in 0 us
  nextest  1 passed

Slowest
  1.0 ms  t

Observation
  events  4 kept, 3 sampled out, 2 lost, 1 dropped of 10 hits
          names and times above are those of the kept events
          lost: a larger discovery.ring_bytes helps
          dropped: a larger resources.max_queue_size helps
          1 argument could not be read
          anomalies reported: 1
  probes  1 site in 1 file
  cost    0.00 % of one core (0 us in the agent, 0 us in the kernel), 0.0 MB
"
    );
}

#[test]
fn a_run_without_tests_says_why() {
    let head = |images, hits| {
        let text = Summary::new().render(&Cost { images, hits, wall_seconds: 2.0, ..Cost::default() }, PLAIN);
        text.lines().next().unwrap().to_owned()
    };
    assert_eq!(head(0, 0), "sidecar: no test in 2.00 s (no program with a known marker was executed)");
    assert_eq!(
        head(1, 0),
        "sidecar: no test in 2.00 s (programs with known markers were executed, and none fired)"
    );
    assert_eq!(head(1, 1), "sidecar: no test in 2.00 s (markers fired, but no test ended)");
}

#[test]
fn colour_is_only_around_the_plain_text() {
    let cost = Cost { lost: 1, wall_seconds: 1.0, ..Cost::default() };
    let coloured = nextest_run().render(&cost, Style { color: true, ..PLAIN });
    let mut plain = coloured.clone();
    for code in [0, 1, 2, 31, 32, 33] {
        plain = plain.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(plain, nextest_run().render(&cost, PLAIN));
    assert!(coloured.contains("\u{1b}[31m1 lost\u{1b}[0m"), "{coloured}");
}

#[test]
fn hostile_names_and_messages_stay_on_their_lines() {
    let name = format!("evil\n\u{1b}]0;title\u{7}{}", "x".repeat(5_000));
    let message = Some(format!("\r\u{1b}[2J{}\u{9b}1m", "y".repeat(5_000)));
    let events = [start(&name, 2), Event { message, ..end(&name, 1, Status::Failed, 1) }];
    let text = summary(&events).render(&Cost::default(), PLAIN);
    assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    assert!(text.lines().all(|line| line.chars().count() <= 330), "{text}");
}

#[test]
fn a_narrow_terminal_gets_at_least_forty_columns() {
    let message = Some("m".repeat(200));
    let sum = summary(&[Event { message, ..end(&"n".repeat(200), 1, Status::Failed, 1) }]);
    let narrow = Style { color: false, width: 0 };
    let forty = Style { width: 40, ..narrow };
    assert_eq!(sum.render(&Cost::default(), narrow), sum.render(&Cost::default(), forty));
    let text = sum.render(&Cost::default(), Style { width: 60, ..narrow });
    let message = text.lines().find(|line| line.trim_start().starts_with('m')).unwrap();
    assert_eq!(message.chars().count(), 60);
}

#[test]
fn the_progress_is_one_line() {
    assert_eq!(Summary::new().progress(None), None);
    assert_eq!(summary(&[start("a", 1)]).progress(None).unwrap(), "0 tests; 1 running");
    assert_eq!(
        nextest_run().progress(None).unwrap(),
        "7 tests: 3 passed (1 flaky), 2 failed, 1 timeout, 1 skipped; 1 running"
    );
}
