//! While nobody listens, the macros evaluate nothing, and guards work all the same.
//!
//! These tests are in a program of their own: no other test raises the semaphores here.

use std::cell::Cell;

use sidecar_markers::{Marker, Status, anomaly, enabled, event, test, test_end, test_start};

#[test]
fn no_argument_is_evaluated() {
    assert!(Marker::ALL.into_iter().all(|marker| !enabled(marker)), "a tracer listens to this program");
    let evaluated = Cell::new(0);
    let text = || {
        evaluated.set(evaluated.get() + 1);
        String::from("text")
    };
    let number = || {
        evaluated.set(evaluated.get() + 1);
        7
    };
    test_start!(id = text(), suite = text(), run = text(), attempt = number(), key = number().into());
    test_end!(id = text(), status = Status::from_number(number().into()), message = text());
    event!(text(), id = text(), data = text());
    anomaly!(text(), text());
    assert_eq!(evaluated.get(), 0);
}

#[test]
fn a_guard_passes_on_what_its_body_does() {
    assert_eq!(test!().run(|_| Ok::<_, String>(3)), Ok(3));
    assert_eq!(test!().run(|_| Err::<(), _>("no")), Err("no"));
    let payload = std::panic::catch_unwind(|| test!().run::<()>(|_| panic!("on its way"))).unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"on its way"));
    let guard = test!(id = "x");
    guard.skip("nobody hears it");
    guard.finish(Status::Passed);
}

#[test]
fn an_error_is_not_formatted_for_nobody() {
    struct Unprintable;
    impl std::fmt::Debug for Unprintable {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            panic!("formatted")
        }
    }
    assert!(test!().run(|_| Err::<(), _>(Unprintable)).is_err());
}
