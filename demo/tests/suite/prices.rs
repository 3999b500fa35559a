//! Prices as people write them.

use sidecar_demo::{Price, PriceError};
use sidecar_markers::test;

#[test]
fn reads_whole_and_decimal_numbers() {
    let _test = test!();
    for (text, cents) in [("0", 0), ("12", 1_200), ("12.5", 1_250), ("12.05", 1_205), (" 7 ", 700)] {
        assert_eq!(text.parse(), Ok(Price::cents(cents)), "{text}");
    }
}

#[test]
fn reads_currency_signs_on_either_side() {
    let _test = test!();
    for text in ["€12.50", "12.50 €", "$12.50", "£ 12.50", "¥12.50"] {
        assert_eq!(text.parse(), Ok(Price::cents(1_250)), "{text}");
    }
}

#[test]
fn reads_thousands_separators() {
    let _test = test!();
    assert_eq!("1,234,567.89".parse(), Ok(Price::cents(123_456_789)));
    assert_eq!("12,34".parse::<Price>(), Err(PriceError::Unexpected(',', 2)));
}

#[test]
fn refuses_what_is_not_a_price() {
    let _test = test!();
    assert_eq!("".parse::<Price>(), Err(PriceError::Empty));
    assert_eq!("ten".parse::<Price>(), Err(PriceError::Unexpected('t', 0)));
    assert_eq!("-1".parse::<Price>(), Err(PriceError::Unexpected('-', 0)));
    assert_eq!("1.234".parse::<Price>(), Err(PriceError::Decimals));
    assert_eq!("99999999999999999999".parse::<Price>(), Err(PriceError::TooLarge));
}

#[test]
fn writes_two_decimals() {
    let _test = test!();
    assert_eq!(Price::cents(5).to_string(), "0.05");
    assert_eq!(Price::cents(123_450).to_string(), "1234.50");
}

/// Fails with a returned error: decimal commas are not read.
#[test]
fn reads_a_decimal_comma() -> Result<(), PriceError> {
    test!().run(|_| {
        let price: Price = "12,50 €".parse()?;
        assert_eq!(price, Price::cents(1_250));
        Ok(())
    })
}
