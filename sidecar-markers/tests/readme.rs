//! The README's example in Rust, compiled and run as it stands there.

// from here
#[test]
fn an_empty_cart_costs_nothing() {
    let _test = sidecar_markers::test!(); // passed when dropped, failed by a panic
    assert_eq!([0_u32; 0].iter().sum::<u32>(), 0);
}

#[test]
fn a_refund_is_a_negative_price() -> Result<(), std::num::ParseIntError> {
    // Also reports the panic's or the error's text.
    sidecar_markers::test!().run(|test| {
        sidecar_markers::event!("parsing", test = test, data = r#"{"price": "-1"}"#);
        assert_eq!("-1".parse::<i32>()?, -1);
        Ok(())
    })
}
// to here

#[test]
fn the_readme_shows_this_file() {
    let own = include_str!("readme.rs");
    let example =
        own.split("// from here\n").nth(1).and_then(|rest| rest.split("// to here").next()).unwrap();
    assert!(include_str!("../README.md").contains(&format!("```rust\n{example}```")), "{example}");
}
