//! The list of tests.

use anyhow::Result;

use crate::counting;

/// A test's body.
type Test = fn() -> Result<()>;

/// Beside which others a test may run.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// Any.
    Shared(Test),
    /// None: it looks at all processes that this one starts.
    Alone(Test),
}

/// A test.
#[derive(Clone, Copy)]
pub(crate) struct Case {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) run: Run,
}

const fn shared(name: &'static str, test: Test) -> Case {
    Case { name, run: Run::Shared(test) }
}

const fn alone(name: &'static str, test: Test) -> Case {
    Case { name, run: Run::Alone(test) }
}

/// Every test.
pub(crate) fn all() -> Vec<Case> {
    vec![
        shared("every_record_is_whole_and_none_is_missing", counting::whole),
        shared("four_million_hits_at_rate_1", counting::rate_one),
        shared("four_million_hits_at_rate_0_1", counting::rate_tenth),
        shared("four_million_hits_at_rate_0", counting::rate_zero),
        shared("four_million_hits_disabled", counting::disabled),
        shared("four_million_hits_and_a_ring_that_nobody_reads", counting::unread_ring),
        shared("four_million_hits_and_a_slow_reader", counting::slow_reader),
    ]
}
