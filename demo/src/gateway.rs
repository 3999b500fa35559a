//! A payment gateway that is down for its first few calls.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use crate::price::Price;

/// Why a payment did not go through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declined {
    /// The gateway is down.
    Unavailable,
    /// There is nothing to pay.
    Nothing,
}

/// A payment gateway.
#[derive(Debug, Default)]
pub struct Gateway {
    failures: AtomicU32,
}

impl Gateway {
    /// A gateway whose first `failures` payments fail.
    #[must_use]
    pub fn flaky(failures: u32) -> Self {
        Self { failures: AtomicU32::new(failures) }
    }

    /// Pays; the receipt.
    ///
    /// # Errors
    /// The gateway is down, or the amount is zero.
    pub fn pay(&self, method: &str, amount: Price) -> Result<String, Declined> {
        if amount.cents == 0 {
            return Err(Declined::Nothing);
        }
        if self.failures.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok() {
            return Err(Declined::Unavailable);
        }
        Ok(format!("{method} {amount}"))
    }
}
