//! A shopping cart.

use crate::price::Price;

/// Some pieces of one article.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The article's name.
    pub article: String,
    /// The price of one piece.
    pub price: Price,
    /// The number of pieces.
    pub count: u64,
}

/// What lowers a cart's total.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coupon {
    /// So many percent of the sum.
    Percent(u8),
    /// A fixed amount, at most the sum.
    Amount(Price),
}

/// Why a cart refuses something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CartError {
    /// The total is more than fits.
    TooLarge,
    /// A line of no pieces.
    NoPieces(String),
}

/// A shopping cart.
#[derive(Clone, Debug, Default)]
pub struct Cart {
    lines: Vec<Line>,
    coupons: Vec<Coupon>,
}

impl Cart {
    /// Adds pieces of an article; pieces of one that is there already join its line.
    ///
    /// # Errors
    /// No pieces, or a total that is too large; the cart is as before then.
    pub fn add(&mut self, article: &str, price: Price, count: u64) -> Result<(), CartError> {
        if count == 0 {
            return Err(CartError::NoPieces(article.to_owned()));
        }
        let more = price.times(count).ok_or(CartError::TooLarge)?;
        self.sum()?.plus(more).ok_or(CartError::TooLarge)?;
        match self.lines.iter_mut().find(|line| line.article == article && line.price == price) {
            Some(line) => line.count += count,
            None => self.lines.push(Line { article: article.to_owned(), price, count }),
        }
        Ok(())
    }

    /// Takes an article out; whether it was there.
    pub fn remove(&mut self, article: &str) -> bool {
        let before = self.lines.len();
        self.lines.retain(|line| line.article != article);
        self.lines.len() < before
    }

    /// Uses a coupon.
    ///
    /// # Panics
    /// On more than 100 percent.
    pub fn redeem(&mut self, coupon: Coupon) {
        if let Coupon::Percent(percent) = coupon {
            assert!(percent <= 100, "a coupon of {percent} % would pay the customer");
        }
        self.coupons.push(coupon);
    }

    /// The line at a place.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn line(&self, index: usize) -> &Line {
        &self.lines[index]
    }

    /// The sum without coupons.
    ///
    /// # Errors
    /// It is too large.
    pub fn sum(&self) -> Result<Price, CartError> {
        self.lines
            .iter()
            .try_fold(Price::default(), |sum, line| sum.plus(line.price.times(line.count)?))
            .ok_or(CartError::TooLarge)
    }

    /// The sum less the coupons, each taken of the whole sum.
    ///
    /// # Errors
    /// The sum is too large.
    pub fn total(&self) -> Result<Price, CartError> {
        let sum = self.sum()?.cents;
        let off = self.coupons.iter().fold(0u64, |off, coupon| {
            off.saturating_add(match coupon {
                Coupon::Percent(percent) => (u128::from(sum) * u128::from(*percent) / 100) as u64,
                Coupon::Amount(amount) => amount.cents,
            })
        });
        Ok(Price::cents(sum.saturating_sub(off)))
    }
}
