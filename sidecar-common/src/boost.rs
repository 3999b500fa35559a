//! When anomalies raise a signal's rate, and for how long: integers only, no heap, so that the state fits a map's
//! value and kernel programs and agent decide alike. Times are nanoseconds of CLOCK_MONOTONIC.
//!
//! Each word of the state means something by itself, and the steps ([`slot_after`], [`Boost::anomalies`],
//! [`BoostRules::grant`]) are functions of words. So a kernel program can replace each word by compare and
//! exchange, and two processors at once can neither tear the state nor grant the same second twice.

/// Parts into which the anomaly window is cut.
pub const BOOST_SLOTS: usize = 8;

/// An hour.
pub const HOUR_NS: u64 = 3_600_000_000_000;

/// How anomalies raise a rate. 48 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoostRules {
    /// Anomalies within the window that raise the rate; 0: none do.
    pub threshold: u64,
    /// Length of a slot: a seventh of the window, rounded up. 0 counts as 1.
    pub slot_ns: u64,
    /// How long after the last such anomaly the rate stays raised.
    pub duration_ns: u64,
    /// Boosted time that can be had at once after an hour without any.
    pub burst_ns: u64,
    /// Time in which one unit of boosted time is earned back. 0 counts as 1.
    pub ratio: u64,
    /// Zero.
    pub reserved: u64,
}

impl BoostRules {
    /// `threshold` anomalies within `window_ns` raise the rate for `duration_ns`, at most `cap_ns` in any hour.
    ///
    /// Anomalies that fit into the window are always seen together; some that fit only into 8/7 of it are too.
    /// Half of the cap can be had at once, and half is earned back in an hour: so that no hour, whenever it
    /// begins, has more than the whole. A cap of an hour or more is none.
    #[must_use]
    pub const fn new(threshold: u64, window_ns: u64, duration_ns: u64, cap_ns: u64) -> Self {
        let (burst_ns, ratio) = match cap_ns / 2 {
            _ if cap_ns >= HOUR_NS => (HOUR_NS, 1),
            0 => (0, 1),
            half => (half, HOUR_NS.div_ceil(half)),
        };
        let slot_ns = window_ns.div_ceil(BOOST_SLOTS as u64 - 1);
        Self { threshold, slot_ns: at_least_one(slot_ns), duration_ns, burst_ns, ratio, reserved: 0 }
    }

    /// Number of the slot that `now_ns` is in, counted from the clock's zero.
    #[inline(always)]
    #[must_use]
    pub const fn epoch(&self, now_ns: u64) -> u32 {
        (now_ns / at_least_one(self.slot_ns)) as u32
    }

    /// What a boost at `now_ns` comes to, given [`Boost::boosted_until`] and [`Boost::repaid_at`]: their new
    /// values, or `None` if there is nothing to gain or no time left to give. A boost does not begin for less than
    /// half of its time, so that a signal at its cap does not flicker.
    #[inline(always)]
    #[must_use]
    pub const fn grant(&self, now_ns: u64, boosted_until: u64, repaid_at: u64) -> Option<(u64, u64)> {
        let from = if boosted_until > now_ns { boosted_until } else { now_ns };
        let wanted = now_ns.saturating_add(self.duration_ns).saturating_sub(from);
        let repaid = if repaid_at > now_ns { repaid_at } else { now_ns };
        let left = self.left_ns(now_ns, repaid_at);
        let given = if wanted < left { wanted } else { left };
        let whole = if wanted < self.burst_ns { wanted } else { self.burst_ns };
        if given == 0 || (from == now_ns && given < whole / 2) {
            return None;
        }
        Some((from.wrapping_add(given), repaid.wrapping_add(given.wrapping_mul(at_least_one(self.ratio)))))
    }

    /// Boosted time that can still be given at `now_ns`.
    #[inline(always)]
    #[must_use]
    pub const fn left_ns(&self, now_ns: u64, repaid_at: u64) -> u64 {
        let ratio = at_least_one(self.ratio);
        self.burst_ns.wrapping_mul(ratio).saturating_sub(repaid_at.saturating_sub(now_ns)) / ratio
    }
}

const fn at_least_one(value: u64) -> u64 {
    if value == 0 { 1 } else { value }
}

/// Anomalies and boost of one signal. All zero is the state before the first anomaly. 96 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Boost {
    /// Anomalies by slot: the slot's epoch in the upper half, the count in the lower.
    pub slots: [u64; BOOST_SLOTS],
    /// The rate is raised until then.
    pub boosted_until: u64,
    /// When all boosted time will have been earned back.
    pub repaid_at: u64,
    /// Anomalies ever.
    pub total: u64,
    /// Zero.
    pub reserved: u64,
}

/// A slot's word after one more anomaly in `epoch`.
#[inline(always)]
#[must_use]
pub const fn slot_after(word: u64, epoch: u32) -> u64 {
    let (old, count) = ((word >> 32) as u32, word as u32);
    // A processor whose clock is a little behind may find a newer epoch: then the anomaly counts there.
    let newer = old == epoch || (old.wrapping_sub(epoch) as i32) > 0;
    if newer && count > 0 {
        let count = if count == u32::MAX { count } else { count + 1 };
        (old as u64) << 32 | count as u64
    } else {
        (epoch as u64) << 32 | 1
    }
}

/// The index of an epoch's slot.
#[inline(always)]
#[must_use]
pub const fn slot_of(epoch: u32) -> usize {
    epoch as usize % BOOST_SLOTS
}

impl Boost {
    /// Takes an anomaly in. True if it raised the rate, or prolonged that.
    #[inline(always)]
    pub const fn on_anomaly(&mut self, rules: &BoostRules, now_ns: u64) -> bool {
        let epoch = rules.epoch(now_ns);
        let slot = slot_of(epoch);
        self.slots[slot] = slot_after(self.slots[slot], epoch);
        self.total = self.total.wrapping_add(1);
        if rules.threshold == 0 || self.anomalies(epoch) < rules.threshold {
            return false;
        }
        match rules.grant(now_ns, self.boosted_until, self.repaid_at) {
            Some((until, repaid_at)) => {
                self.boosted_until = until;
                self.repaid_at = repaid_at;
                true
            }
            None => false,
        }
    }

    /// Anomalies within the window that ends with `epoch`.
    #[inline(always)]
    #[must_use]
    pub const fn anomalies(&self, epoch: u32) -> u64 {
        let mut sum = 0;
        let mut i = 0;
        while i < BOOST_SLOTS {
            let age = epoch.wrapping_sub((self.slots[i] >> 32) as u32) as i32;
            if age < BOOST_SLOTS as i32 {
                sum += self.slots[i] & 0xffff_ffff;
            }
            i += 1;
        }
        sum
    }

    /// Whether the rate is raised.
    #[inline(always)]
    #[must_use]
    pub const fn is_boosted(&self, now_ns: u64) -> bool {
        now_ns < self.boosted_until
    }

    /// Forgets the anomalies. A boost that they raised goes on to its end.
    pub const fn clear_anomalies(&mut self) {
        self.slots = [0; BOOST_SLOTS];
    }

    /// Ends a boost now, and gives back what was left of it.
    pub const fn end(&mut self, rules: &BoostRules, now_ns: u64) {
        let unused = self.boosted_until.saturating_sub(now_ns);
        self.repaid_at = self.repaid_at.saturating_sub(unused.wrapping_mul(at_least_one(rules.ratio)));
        self.boosted_until = 0;
    }
}

const _: () = assert!(size_of::<BoostRules>() == 48);
const _: () = assert!(size_of::<Boost>() == 96);

#[cfg(feature = "user")]
mod pod {
    // SAFETY: repr(C), u64 only, so there is no padding and every bit pattern is a value.
    unsafe impl aya::Pod for super::BoostRules {}
    // SAFETY: as above.
    unsafe impl aya::Pod for super::Boost {}
}

#[cfg(test)]
#[path = "boost_tests.rs"]
mod tests;
