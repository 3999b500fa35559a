//! Carts and coupons.

use sidecar_demo::{Cart, CartError, Coupon, Price};
use sidecar_markers::{event, test};

/// Two loaves of bread and a jar of honey: 14.97.
fn breakfast() -> Cart {
    let mut cart = Cart::default();
    cart.add("bread", Price::cents(349), 2).unwrap();
    cart.add("honey", Price::cents(799), 1).unwrap();
    cart
}

#[test]
fn an_empty_cart_costs_nothing() {
    let _test = test!();
    assert_eq!(Cart::default().total(), Ok(Price::cents(0)));
}

#[test]
fn pieces_of_one_article_join_their_line() {
    let _test = test!();
    let mut cart = breakfast();
    cart.add("bread", Price::cents(349), 1).unwrap();
    assert_eq!(cart.line(0).count, 3);
    assert_eq!(cart.total(), Ok(Price::cents(1_846)));
}

/// Reports three events of its own.
#[test]
fn every_change_shows_in_the_total() {
    test!().run(|test| {
        let mut cart = breakfast();
        event!("cart_updated", test = test, data = format!(r#"{{"total":"{}"}}"#, cart.total().unwrap()));
        cart.redeem(Coupon::Amount(Price::cents(497)));
        event!("cart_updated", test = test, data = format!(r#"{{"total":"{}"}}"#, cart.total().unwrap()));
        assert!(cart.remove("honey"));
        assert!(!cart.remove("honey"));
        event!("cart_updated", test = test, data = format!(r#"{{"total":"{}"}}"#, cart.total().unwrap()));
        assert_eq!(cart.total(), Ok(Price::cents(201)));
    });
}

#[test]
fn a_total_that_does_not_fit_is_refused_and_changes_nothing() {
    let _test = test!();
    let mut cart = breakfast();
    assert_eq!(cart.add("island", Price::cents(u64::MAX), 2), Err(CartError::TooLarge));
    assert_eq!(cart.add("air", Price::cents(1), 0), Err(CartError::NoPieces("air".into())));
    assert_eq!(cart.total(), Ok(Price::cents(1_497)));
}

/// Fails at an assertion: 10 % of 14.97 is 1.497, and the cart rounds it down.
#[test]
fn a_percentage_is_rounded_half_up() {
    test!().run(|_| {
        let mut cart = breakfast();
        cart.redeem(Coupon::Percent(10));
        assert_eq!(cart.total(), Ok(Price::cents(1_347)), "14.97 less 1.50");
    });
}

/// Panics inside the program: there is no third line.
#[test]
fn reads_a_line_that_is_not_there() {
    test!().run(|_| assert_eq!(breakfast().line(2).article, "milk"));
}

/// Fails under a plain guard, which sees that its thread panics but not why.
#[test]
fn a_coupon_can_be_used_once_only() {
    let _test = test!();
    let mut cart = breakfast();
    cart.redeem(Coupon::Amount(Price::cents(100)));
    cart.redeem(Coupon::Amount(Price::cents(100)));
    assert_eq!(cart.total(), Ok(Price::cents(1_397)));
}

/// Passes because it panics.
#[test]
#[should_panic(expected = "101 %")]
fn a_coupon_of_more_than_all_panics() {
    test!().run(|test| {
        test.should_panic();
        breakfast().redeem(Coupon::Percent(101))
    });
}
