//! Indices of specs, status tables and histograms.
//!
//! A spec's index may be used again once its counters were folded into its probe's totals. Each use has another
//! generation, which records carry, so that one that was read late is told from one of the new use.

use std::collections::HashMap;

use crate::mapping::StatusValue;
use sidecar_common::Status;

/// Free and used indices of one array.
#[derive(Debug)]
pub(super) struct Indices {
    next: u32,
    most: u32,
    free: Vec<u32>,
}

impl Indices {
    pub(super) fn new(most: u32) -> Self {
        Self { next: 0, most, free: Vec::new() }
    }

    /// How many more can be taken.
    pub(super) fn left(&self) -> usize {
        (self.most - self.next) as usize + self.free.len()
    }

    pub(super) fn take(&mut self) -> Option<u32> {
        self.free.pop().or_else(|| {
            let index = self.next;
            (index < self.most).then(|| {
                self.next += 1;
                index
            })
        })
    }

    pub(super) fn give_back(&mut self, index: u32) {
        self.free.push(index);
    }
}

/// Status tables by what they say. They are never given back: there are as many as kinds of mappings.
#[derive(Debug, Default)]
pub(super) struct Tables {
    known: HashMap<Vec<(StatusValue, Status)>, u8>,
}

impl Tables {
    /// The index of a table, and whether it is new. `None` when all 255 are used. Index 0 is the direct table.
    pub(super) fn index(&mut self, rows: &[(StatusValue, Status)]) -> Option<(u8, bool)> {
        if rows.is_empty() {
            return Some((0, false));
        }
        if let Some(&index) = self.known.get(rows) {
            return Some((index, false));
        }
        let index = u8::try_from(self.known.len() + 1).ok()?;
        self.known.insert(rows.to_vec(), index);
        Some((index, true))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_used_again_and_end() {
        let mut indices = Indices::new(2);
        assert_eq!((indices.take(), indices.take(), indices.take()), (Some(0), Some(1), None));
        indices.give_back(0);
        assert_eq!(indices.left(), 1);
        assert_eq!(indices.take(), Some(0));
    }

    #[test]
    fn equal_tables_share_an_index() {
        let mut tables = Tables::default();
        let rows = [(StatusValue::Word("ok".into()), Status::Passed)];
        assert_eq!(tables.index(&[]), Some((0, false)));
        assert_eq!(tables.index(&rows), Some((1, true)));
        assert_eq!(tables.index(&rows), Some((1, false)));
        for number in 0..254 {
            assert!(tables.index(&[(StatusValue::Number(number), Status::Failed)]).is_some());
        }
        assert_eq!(tables.index(&[(StatusValue::Number(1000), Status::Failed)]), None);
    }
}
