//! Tests of the guard: what a tracer sees of each way in which a test can end.

use super::*;
use crate::witness::{Hit, hits};

/// The statuses and messages of the ends that `body` fired.
fn ends(body: impl FnOnce()) -> Vec<(Status, Option<String>)> {
    let end = |hit| match hit {
        Hit::End { status, message, .. } => Some((Status::from_number(status.into()), message)),
        Hit::Start { .. } | Hit::Event { .. } | Hit::Anomaly { .. } => None,
    };
    hits(body).into_iter().filter_map(end).collect()
}

fn message(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// Runs a body that panics, without the panic.
fn panics(body: impl FnOnce()) {
    assert!(catch_unwind(AssertUnwindSafe(body)).is_err());
}

#[test]
fn start_and_end_carry_the_same_names_key_and_attempt() {
    let seen = hits(|| drop(crate::test!(run = "r1", attempt = 3)));
    let [
        Hit::Start { key, test_id, run_id, suite, attempt: 3 },
        Hit::End { key: end_key, test_id: end_id, status: 1, message: None, attempt: 3, .. },
    ] = &seen[..]
    else {
        panic!("{seen:?}");
    };
    let id = "sidecar_markers::guard::tests::start_and_end_carry_the_same_names_key_and_attempt";
    assert_eq!((test_id.as_deref(), end_id.as_deref()), (Some(id), Some(id)));
    assert_eq!((run_id.as_deref(), suite.as_deref()), (Some("r1"), Some("sidecar_markers")));
    assert_eq!((*key, *end_key), (crate::key("r1", id), crate::key("r1", id)));
}

#[test]
fn what_is_not_given_is_derived_and_what_is_given_counts() {
    let seen = hits(|| drop(crate::test!(id = String::from("mine"), suite = "s")));
    let Hit::Start { key, test_id, run_id, suite, attempt } = &seen[0] else { panic!("{seen:?}") };
    assert_eq!(test_id.as_deref(), Some("mine"));
    assert_eq!(suite.as_deref(), Some("s"));
    assert_eq!(run_id.as_deref(), Some(crate::run_id()));
    assert_eq!((*key, *attempt), (crate::key(crate::run_id(), "mine"), identity::attempt()));
}

#[test]
fn a_dropped_guard_has_passed_and_a_panic_has_failed() {
    assert_eq!(ends(|| drop(crate::test!())), [(Status::Passed, None)]);
    let panicked = ends(|| {
        panics(|| {
            let _test = crate::test!();
            panic!("boom");
        })
    });
    assert_eq!(panicked, [(Status::Failed, message("panicked"))]);
}

#[test]
fn a_guard_made_while_its_thread_unwinds_is_not_failed_by_that_panic() {
    struct Cleanup;
    impl Drop for Cleanup {
        fn drop(&mut self) {
            drop(crate::test!());
        }
    }
    let seen = ends(|| {
        panics(|| {
            let _cleanup = Cleanup;
            panic!("boom");
        })
    });
    assert_eq!(seen, [(Status::Passed, None)]);
}

#[test]
fn run_reports_the_text_of_a_panic_and_lets_the_panic_go_on() {
    let seen = ends(|| {
        let payload = catch_unwind(|| crate::test!().run(|_| assert_eq!(1 + 1, 3, "sums"))).unwrap_err();
        assert!(payload.downcast_ref::<String>().unwrap().contains("sums"));
        panics(|| crate::test!().run(|_| panic!("a literal")));
        panics(|| crate::test!().run(|_| std::panic::panic_any(7)));
    });
    assert_eq!(seen.len(), 3);
    assert!(seen[0].1.as_deref().unwrap().starts_with("assertion `left == right` failed: sums"), "{seen:?}");
    assert_eq!(seen[1], (Status::Failed, message("a literal")));
    assert_eq!(seen[2], (Status::Failed, message("panicked with a value that is not text")));
}

#[test]
fn run_reports_a_returned_error_and_returns_it() {
    let seen = ends(|| {
        assert_eq!(crate::test!().run(|_| Err::<(), _>("no such cart")), Err("no such cart"));
        assert_eq!(crate::test!().run(|_| Ok::<_, String>(5)), Ok(5));
        crate::test!().run(|_| ());
    });
    assert_eq!(
        seen,
        [(Status::Failed, message("\"no such cart\"")), (Status::Passed, None), (Status::Passed, None)]
    );
}

#[test]
fn an_error_whose_debug_panics_is_still_a_failure() {
    struct Nasty;
    impl Debug for Nasty {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("in Debug")
        }
    }
    let seen = ends(|| assert!(crate::test!().run(|_| Err::<(), _>(Nasty)).is_err()));
    assert_eq!(seen, [(Status::Failed, message("an error whose Debug panics"))]);
}

#[test]
fn the_first_end_counts_and_there_is_only_one() {
    let seen = ends(|| {
        let test = crate::test!();
        test.skip("no network");
        test.fail("too late");
        test.finish(Status::Passed);
    });
    assert_eq!(seen, [(Status::Skipped, message("no network"))]);
    assert_eq!(ends(|| crate::test!().finish(Status::Timeout)), [(Status::Timeout, None)]);
    assert_eq!(ends(|| crate::test!().fail("wrong sum")), [(Status::Failed, message("wrong sum"))]);
    assert_eq!(ends(|| crate::test!().run(|test| test.skip("later"))), [(Status::Skipped, message("later"))]);
}

#[test]
fn expectations_turn_the_verdict() {
    use Ending::{Failed, Panicked, Returned};
    for (ending, xfail, should_panic, status) in [
        (Returned, false, false, Status::Passed),
        (Failed, false, false, Status::Failed),
        (Panicked, false, false, Status::Failed),
        (Returned, true, false, Status::Xpass),
        (Failed, true, false, Status::Xfail),
        (Panicked, true, false, Status::Xfail),
        (Returned, false, true, Status::Failed),
        (Failed, false, true, Status::Failed),
        (Panicked, false, true, Status::Passed),
        (Returned, true, true, Status::Xfail),
        (Failed, true, true, Status::Xfail),
        (Panicked, true, true, Status::Xpass),
    ] {
        assert_eq!(verdict(ending, xfail, should_panic), status, "{ending:?} {xfail} {should_panic}");
    }
}

#[test]
fn an_expected_failure_is_xfail_an_unexpected_success_xpass_and_an_expected_panic_passed() {
    assert_eq!(ends(|| crate::test!().run(|test| test.xfail())), [(Status::Xpass, None)]);
    let xfailed = ends(|| {
        let test = crate::test!();
        test.xfail();
        test.fail("known bug 7");
    });
    assert_eq!(xfailed, [(Status::Xfail, message("known bug 7"))]);
    let expected = ends(|| {
        panics(|| {
            crate::test!().run(|test| {
                test.should_panic();
                panic!("as it should")
            })
        })
    });
    assert_eq!(expected, [(Status::Passed, message("as it should"))]);
}

#[test]
fn tests_may_nest_and_run_in_parallel() {
    let nested = hits(|| {
        let outer = crate::test!(id = "outer");
        let inner = crate::test!(id = "inner");
        inner.finish(Status::Failed);
        crate::event!("between", test = &outer);
    });
    let ids: Vec<_> = nested
        .iter()
        .map(|hit| match hit {
            Hit::Start { test_id, .. } | Hit::End { test_id, .. } | Hit::Event { test_id, .. } => {
                test_id.as_deref().unwrap_or_default()
            }
            Hit::Anomaly { .. } => "",
        })
        .collect();
    assert_eq!(ids, ["outer", "inner", "inner", "outer", "outer"]);

    let shared = crate::test!(id = "shared");
    let total: usize = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| ends(|| shared.finish(Status::Passed)).len())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(total, 1);
}

#[test]
fn the_duration_is_the_time_that_the_body_took() {
    let pause = std::time::Duration::from_millis(20);
    let seen = hits(|| crate::test!().run(|_| std::thread::sleep(pause)));
    let Some(Hit::End { duration_ns, .. }) = seen.last() else { panic!("{seen:?}") };
    assert!(u128::from(*duration_ns) >= pause.as_nanos(), "{duration_ns}");
}
