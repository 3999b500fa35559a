//! Payments: retried attempts, subtests, an anomaly.

use sidecar_demo::{Declined, Gateway, Price};
use sidecar_markers::{anomaly, event, test};

/// Fails at the first attempt and passes at the second.
#[test]
fn a_payment_goes_through() {
    let gateway = Gateway::flaky(1);
    let id = "suite::payments::a_payment_goes_through";
    for attempt in 1..=3 {
        let test = test!(id = id, attempt = attempt);
        match gateway.pay("visa", Price::cents(1_497)) {
            Ok(receipt) => {
                assert_eq!((attempt, receipt.as_str()), (2, "visa 14.97"));
                return;
            }
            Err(declined) => test.fail(&format!("{declined:?}")),
        }
    }
    panic!("no attempt went through");
}

/// A test with three subtests, each in a thread of its own.
#[test]
fn every_method_pays() {
    test!().run(|_| {
        let gateway = Gateway::default();
        std::thread::scope(|scope| {
            for method in ["visa", "sepa", "paypal"] {
                let gateway = &gateway;
                scope.spawn(move || {
                    let _test = test!(id = format!("suite::payments::every_method_pays[{method}]"));
                    assert_eq!(gateway.pay(method, Price::cents(100)), Ok(format!("{method} 1.00")));
                });
            }
        });
    });
}

/// Reports an anomaly and an event.
#[test]
fn a_gateway_that_is_down_declines() {
    test!().run(|test| {
        let gateway = Gateway::flaky(1);
        let answer = gateway.pay("visa", Price::cents(100));
        if answer.is_err() {
            anomaly!("test_events", "gateway_down");
            event!("gateway_down", test = test, data = format!("{answer:?}"));
        }
        assert_eq!(answer, Err(Declined::Unavailable));
        assert_eq!(gateway.pay("visa", Price::default()), Err(Declined::Nothing));
    });
}
