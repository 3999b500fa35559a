//! Anomalies boost their signal in the kernel, at the very hit that completes them.

use anyhow::Result;
use sidecar_common::{EVENT_ANOMALY, EVENT_TEST_END, RATE_ONE, SignalState, Spec};
use sidecar_tests::kernel::program::{Program, Running};
use sidecar_tests::kernel::record::Arg;
use sidecar_tests::kernel::session::{Session, options};
use sidecar_tests::kernel::spec;

const SECOND: u64 = 1_000_000_000;

/// A signal of which nothing is kept until three anomalies come within a minute; then everything is.
fn signal() -> SignalState {
    SignalState {
        threshold: 0,
        boosted: RATE_ONE,
        anomaly_window_ns: 60 * SECOND,
        boost_duration_ns: 60 * SECOND,
        anomaly_threshold: 3,
        boosts_per_hour: 10,
        ..SignalState::default()
    }
}

/// Signals 1 and 2 as above; `end NUMBER STATUS DURATION` is of signal 1, and `hit NUMBER NAME` an anomaly marker of
/// signal 2 unless it names another.
fn start(signals: SignalState) -> Result<(Session, Program, sidecar_agent::bpf::Link)> {
    let mut session = Session::load(&options())?;
    for (index, name) in [(1, "first"), (2, "second")] {
        session.kernel.set_signal(index, &signals)?;
        session.kernel.name_signal(name, index)?;
    }
    let end = Spec {
        event: EVENT_TEST_END,
        signal: 1,
        status_arg: 1,
        duration_arg: 2,
        histogram: 0,
        ..spec::spec(&[spec::integer(0), spec::integer(1), spec::integer(2)])
    };
    let anomaly = Spec {
        event: EVENT_ANOMALY,
        signal: 2,
        signal_arg: 1,
        ..spec::spec(&[spec::integer(0), spec::string(1)])
    };
    let program = Program::copy("target_script")?;
    let link = session.attach(&program, &[("end", end), ("hit", anomaly)])?;
    Ok((session, program, link))
}

/// Numbers of the records that a few lines leave.
fn kept(session: &mut Session, running: &mut Running, lines: &[&str]) -> Result<Vec<u64>> {
    running.run(lines)?;
    Ok(session.records()?.iter().map(|record| record.integer(0)).collect())
}

pub(crate) fn failures() -> Result<()> {
    let (mut session, program, _link) = start(signal())?;
    let mut running = program.start(&[])?;
    assert_eq!(
        kept(&mut session, &mut running, &["end 1 1 5", "end 2 2 5", "end 3 1 5", "end 4 5 5"])?,
        [2, 4]
    );
    assert_eq!(session.kernel.boost_state(1)?.boosts, 0);
    // The third failure begins it, so that the next test is kept though it passes.
    assert_eq!(kept(&mut session, &mut running, &["end 5 2 5", "end 6 1 5"])?, [5, 6]);
    let state = session.kernel.boost_state(1)?;
    assert_eq!((state.anomalies, state.boosts, state.refused), (3, 1, 0));
    assert_eq!(session.kernel.boost_state(2)?.anomalies, 0, "another signal");
    // A skipped test is kept and is no anomaly.
    assert_eq!(kept(&mut session, &mut running, &["end 7 3 5"])?, [7]);
    assert_eq!(session.kernel.boost_state(1)?.anomalies, 3);
    running.finish()?;
    Ok(())
}

pub(crate) fn slow_tests() -> Result<()> {
    let (mut session, program, _link) = start(signal())?;
    session.kernel.set_slow_limit(0, 1000)?;
    let mut running = program.start(&[])?;
    let lines = ["end 1 1 1000", "end 2 1 1001", "end 3 1 5000", "end 4 1 999"];
    assert_eq!(kept(&mut session, &mut running, &lines)?, [] as [u64; 0]);
    assert_eq!(session.kernel.boost_state(1)?.anomalies, 2);
    assert_eq!(kept(&mut session, &mut running, &["end 5 1 1001", "end 6 1 3"])?, [5, 6], "at the very hit");
    session.kernel.set_slow_limit(0, 0)?;
    assert_eq!(kept(&mut session, &mut running, &["end 7 1 9999999"])?, [7]);
    assert_eq!(session.kernel.boost_state(1)?.anomalies, 3, "no limit, no anomaly");
    session.kernel.set_slow_limit(0, 1000)?;
    session.kernel.set_spec(0, &Spec::default())?;
    assert_eq!(session.kernel.slow_limit(0), 0, "another spec has no limit yet");
    running.finish()?;
    Ok(())
}

pub(crate) fn markers() -> Result<()> {
    let (mut session, program, _link) = start(signal())?;
    let mut running = program.start(&[])?;
    let lines = [
        "hit 1 null",
        "hit 2 text:second",
        "hit 3 text:first",
        "hit 4 text:nobody",
        "hit 5 cold:second",
        "hit 6 null",
    ];
    assert_eq!(kept(&mut session, &mut running, &lines)?, [5, 6]);
    let anomalies = |signal| -> Result<u64> { Ok(session.kernel.boost_state(signal)?.anomalies) };
    assert_eq!((anomalies(0)?, anomalies(1)?, anomalies(2)?), (0, 1, 4));
    running.finish()?;
    Ok(())
}

pub(crate) fn own_reports() -> Result<()> {
    let (mut session, program, _link) = start(signal())?;
    let mut running = program.start(&[])?;
    let begun = [1, 1, 1, 1].map(|signal| session.kernel.report_anomaly(signal));
    let begun: Vec<bool> = begun.into_iter().collect::<Result<_, _>>()?;
    assert_eq!(begun, [false, false, true, false]);
    assert_eq!(kept(&mut session, &mut running, &["end 1 1 5", "hit 2 null"])?, [1]);
    session.kernel.clear_anomalies(1)?;
    assert_eq!(kept(&mut session, &mut running, &["end 3 1 5"])?, [] as [u64; 0]);
    assert!(!session.kernel.report_anomaly(1)?, "one of three");
    // An index that no signal has is refused, not followed.
    assert!(!session.kernel.report_anomaly(200)?);
    running.finish()?;
    Ok(())
}

pub(crate) fn ends_by_itself() -> Result<()> {
    let short = SignalState { boost_duration_ns: SECOND / 5, boosts_per_hour: 1, ..signal() };
    let (mut session, program, _link) = start(short)?;
    let mut running = program.start(&[])?;
    for _ in 0..3 {
        session.kernel.report_anomaly(1)?;
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    // Hits are kept at first, and at some time no more.
    while !kept(&mut session, &mut running, &["end 1 1 5"])?.is_empty() {
        assert!(std::time::Instant::now() < deadline, "it never ends");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // The hour's one is used up: a hostile test can't hold it.
    for _ in 0..100 {
        assert!(!session.kernel.report_anomaly(1)?);
    }
    let state = session.kernel.boost_state(1)?;
    assert_eq!((state.boosts, state.refused, state.until_ns), (1, 100, 0));
    assert!(kept(&mut session, &mut running, &["end 2 1 5"])?.is_empty());
    running.finish()?;
    Ok(())
}

pub(crate) fn on_request() -> Result<()> {
    let (mut session, program, _link) = start(signal())?;
    let mut running = program.start(&[])?;
    let past = SignalState { forced: RATE_ONE, forced_until_ns: 1, ..signal() };
    session.kernel.set_signal(1, &past)?;
    assert!(kept(&mut session, &mut running, &["end 1 1 5"])?.is_empty());
    session.kernel.set_signal(1, &SignalState { forced_until_ns: u64::MAX, ..past })?;
    assert_eq!(kept(&mut session, &mut running, &["end 2 1 5"])?, [2]);
    running.finish()?;
    Ok(())
}

pub(crate) fn payloads() -> Result<()> {
    let mut session = Session::load(&options())?;
    let args = [spec::integer(0), spec::string(1), spec::bytes(2, 3), spec::integer(3)];
    let program = Program::copy("target_script")?;
    let _link = session.attach(&program, &[("hit", Spec { payload_args: 0b0100, ..spec::spec(&args) })])?;
    let mut running = program.start(&[])?;
    for (on, payload) in
        [(false, Arg::Bytes(vec![b'x'; 9])), (true, Arg::Dropped), (false, Arg::Bytes(vec![b'x'; 9]))]
    {
        session.kernel.set_drop_payloads(on)?;
        running.run(&["hit 1 text:id long:9 9"])?;
        let records = session.records()?;
        assert_eq!(records[0].args, [Arg::Integer(1), Arg::text("id"), payload, Arg::Integer(9)]);
    }
    running.finish()?;
    Ok(())
}
