//! Prices in cents, as people write them.

use std::fmt;
use std::str::FromStr;

/// A price in cents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Price {
    /// The whole price in cents.
    pub cents: u64,
}

/// Why a text is not a price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriceError {
    /// There is no digit in it.
    Empty,
    /// A character that no price has, and where it stands.
    Unexpected(char, usize),
    /// More than two digits behind the point, or a point without digits.
    Decimals,
    /// More than fits.
    TooLarge,
}

impl Price {
    /// A price of so many cents.
    #[must_use]
    pub const fn cents(cents: u64) -> Self {
        Self { cents }
    }

    /// The price of `count` pieces, unless it is too large.
    #[must_use]
    pub fn times(self, count: u64) -> Option<Self> {
        self.cents.checked_mul(count).map(Self::cents)
    }

    /// This and another price together, unless they are too large.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        self.cents.checked_add(other.cents).map(Self::cents)
    }
}

impl FromStr for Price {
    type Err = PriceError;

    /// Reads `12`, `12.5`, `12.50`, `1,234.50`, with a currency sign (`€`, `$`, `£`, `¥`) before or behind.
    fn from_str(text: &str) -> Result<Self, PriceError> {
        let number = text.trim().trim_matches(['€', '$', '£', '¥']).trim();
        let (whole, decimals) = number.split_once('.').map_or((number, None), |(a, b)| (a, Some(b)));
        if whole.is_empty() {
            return Err(PriceError::Empty);
        }
        let mut cents: u64 = 0;
        let mut groups = whole.split(',');
        let first = groups.next().map_or(0, str::len);
        for (at, character) in whole.char_indices() {
            match character.to_digit(10) {
                Some(digit) => cents = push(cents, digit)?,
                None if character == ',' && first <= 3 => {}
                None => return Err(PriceError::Unexpected(character, at)),
            }
        }
        if groups.any(|group| group.len() != 3) {
            return Err(PriceError::Unexpected(',', first));
        }
        let decimals = match decimals {
            None => "00".to_owned(),
            Some(digits) if (1..=2).contains(&digits.len()) => format!("{digits:0<2}"),
            Some(_) => return Err(PriceError::Decimals),
        };
        for character in decimals.chars() {
            let digit = character.to_digit(10).ok_or(PriceError::Unexpected(character, whole.len() + 1))?;
            cents = push(cents, digit)?;
        }
        Ok(Self { cents })
    }
}

/// One more decimal digit at the end of a number.
fn push(number: u64, digit: u32) -> Result<u64, PriceError> {
    number.checked_mul(10).and_then(|number| number.checked_add(u64::from(digit))).ok_or(PriceError::TooLarge)
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.cents / 100, self.cents % 100)
    }
}
