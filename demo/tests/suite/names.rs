//! Tests with names that are long, or not ASCII.

use sidecar_demo::{Cart, Price};
use sidecar_markers::test;

#[test]
fn größe_und_preis_überleben_umlaute() {
    let _test = test!();
    let mut cart = Cart::default();
    cart.add("Brötchen, groß", Price::cents(95), 4).unwrap();
    assert_eq!(cart.line(0).article, "Brötchen, groß");
    assert_eq!(cart.total(), Ok(Price::cents(380)));
}

#[test]
fn article_names_in_any_script() {
    for article in ["パン", "хлеб", "خبز", "🥖"] {
        let _test = test!(id = format!("suite::names::article_names_in_any_script[{article}]"));
        let mut cart = Cart::default();
        cart.add(article, Price::cents(250), 1).unwrap();
        assert!(cart.remove(article));
    }
}

/// A parametrised id of more than 200 characters, as data-driven tests have them.
#[test]
fn every_price_below_one_euro_is_read_as_it_is_written() {
    let prices: Vec<String> = (0..100).step_by(3).map(|cents| Price::cents(cents).to_string()).collect();
    let _test = test!(
        id = format!(
            "suite::names::every_price_below_one_euro_is_read_as_it_is_written[{}]",
            prices.join("-")
        )
    );
    for price in &prices {
        assert_eq!(price.parse::<Price>().map(|read| read.to_string()).as_ref(), Ok(price));
    }
}

#[test]
fn a_name_of_more_than_two_hundred_characters_is_fine_for_rust_and_for_the_test_runner_and_for_whoever_reads_the_report_because_a_test_id_is_often_a_whole_sentence_that_says_what_is_expected_of_the_program_under_which_circumstances()
 {
    let _test = test!();
    let mut cart = Cart::default();
    let article = "a very long name ".repeat(100);
    cart.add(&article, Price::cents(1), 1).unwrap();
    assert_eq!(cart.line(0).article, article);
}
