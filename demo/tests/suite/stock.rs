//! Stock: slow answers, and many buyers at once. Cargo runs these beside each other.

use std::time::Duration;

use sidecar_demo::Stock;
use sidecar_markers::test;

/// Buyers in threads of their own, each taking one piece until there is none; how many each got.
fn sell_out(stock: &Stock, buyers: usize) -> Vec<u64> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..buyers)
            .map(|_| {
                scope.spawn(|| std::iter::repeat_with(|| stock.reserve(1)).take_while(|&got| got).count())
            })
            .collect();
        threads.into_iter().map(|buyer| buyer.join().unwrap() as u64).collect()
    })
}

/// Takes 0.3 s: two questions to a remote warehouse.
#[test]
fn a_remote_warehouse_answers() {
    let _test = test!();
    let stock = Stock::remote(5, Duration::from_millis(150));
    assert!(stock.reserve(2));
    assert_eq!(stock.free(), 3);
}

#[test]
fn one_buyer_gets_all() {
    let _test = test!();
    assert_eq!(sell_out(&Stock::new(1_000), 1), [1_000]);
}

#[test]
fn two_buyers_share() {
    let _test = test!();
    assert_eq!(sell_out(&Stock::new(1_000), 2).iter().sum::<u64>(), 1_000);
}

#[test]
fn eight_buyers_share() {
    let _test = test!();
    let stock = Stock::new(10_000);
    assert_eq!(sell_out(&stock, 8).iter().sum::<u64>(), 10_000);
    assert_eq!(stock.free(), 0);
}

#[test]
fn an_order_of_too_many_takes_none() {
    let _test = test!();
    let stock = Stock::new(3);
    assert!(!stock.reserve(4));
    assert_eq!(stock.free(), 3);
}
