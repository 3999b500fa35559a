//! Outcomes that a test tells by itself: skipped, expected failures, set-up errors, time limits.

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use sidecar_demo::{Cart, Coupon, Price};
use sidecar_markers::{Status, test};

/// Skipped where no exchange rates are configured.
#[test]
fn converts_to_another_currency() {
    let test = test!();
    let Ok(rate) = std::env::var("DEMO_EXCHANGE_RATE") else {
        return test.skip("DEMO_EXCHANGE_RATE is not set");
    };
    let rate: u64 = rate.parse().unwrap();
    assert_eq!(Price::cents(100).times(rate), Some(Price::cents(100 * rate)));
}

/// Never runs by itself, so nothing is heard of it.
#[test]
#[ignore = "takes a minute; run it with --ignored"]
fn a_million_lines_fit_into_a_cart() {
    let _test = test!();
    let mut cart = Cart::default();
    for number in 0..1_000_000 {
        cart.add(&number.to_string(), Price::cents(1), 1).unwrap();
    }
    assert_eq!(cart.total(), Ok(Price::cents(1_000_000)));
}

fn total_after_two_coupons_of_half() -> Price {
    let mut cart = Cart::default();
    cart.add("bread", Price::cents(400), 1).unwrap();
    cart.redeem(Coupon::Percent(50));
    cart.redeem(Coupon::Percent(50));
    cart.total().unwrap()
}

/// Fails as expected: coupons do not compound.
#[test]
fn coupons_compound() {
    let test = test!();
    test.xfail();
    let total = total_after_two_coupons_of_half();
    if total != Price::cents(100) {
        test.fail(&format!("half of half of 4.00 is 1.00, not {total}"));
    }
}

/// Was expected to fail, and passes.
#[test]
fn coupons_never_make_a_total_negative() {
    let test = test!();
    test.xfail();
    assert_eq!(total_after_two_coupons_of_half(), Price::cents(0));
}

/// Can't run: its price list is missing.
#[test]
fn reads_the_price_list_of_the_season() -> Result<(), std::io::Error> {
    let test = test!();
    let list = Path::new(env!("CARGO_MANIFEST_DIR")).join("season.csv");
    let text = std::fs::read_to_string(list).inspect_err(|_| test.finish(Status::Error))?;
    assert!(text.lines().all(|price| price.parse::<Price>().is_ok()));
    Ok(())
}

/// Runs past its time limit: nobody confirms the order.
#[test]
fn an_order_is_confirmed_within_a_tenth_of_a_second() {
    let test = test!();
    let (_shop, confirmations) = mpsc::channel::<u64>();
    if confirmations.recv_timeout(Duration::from_millis(100)).is_err() {
        test.finish(Status::Timeout);
        panic!("no confirmation after 100 ms");
    }
}
