//! Events that wait for a server: bounded in number and in bytes; the oldest makes room for the newest.

use std::collections::VecDeque;

use bytes::Bytes;

/// Lines that wait.
pub(super) struct Spool {
    lines: VecDeque<Bytes>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
}

impl Spool {
    /// At most so many lines (at least 1) and bytes.
    pub(super) fn new(most: usize, most_bytes: usize) -> Self {
        Self { lines: VecDeque::new(), bytes: 0, most: most.max(1), most_bytes }
    }

    /// Takes a line; says how many lines (it may be this one) had to go.
    pub(super) fn push(&mut self, line: Bytes) -> u64 {
        if line.len() > self.most_bytes {
            return 1;
        }
        let mut gone = 0;
        while self.lines.len() >= self.most || self.bytes + line.len() > self.most_bytes {
            if self.pop().is_none() {
                break;
            }
            gone += 1;
        }
        self.bytes += line.len();
        self.lines.push_back(line);
        gone
    }

    /// The oldest line.
    pub(super) fn pop(&mut self) -> Option<Bytes> {
        let line = self.lines.pop_front()?;
        self.bytes -= line.len();
        Some(line)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_makes_room_by_number_and_by_bytes() {
        let mut spool = Spool::new(3, 10);
        assert_eq!(["a", "b", "c", "d"].map(|line| spool.push(Bytes::from(line))), [0, 0, 0, 1]);
        assert_eq!(spool.push(Bytes::from("12345678")), 1);
        assert_eq!((spool.len(), spool.bytes), (3, 10));
        assert_eq!(spool.push(Bytes::from("1234567890")), 3);
        assert_eq!(spool.push(Bytes::from("12345678901")), 1, "longer than everything together");
        assert_eq!(spool.pop().unwrap(), "1234567890");
        assert_eq!((spool.pop(), spool.len(), spool.bytes), (None, 0, 0));
    }
}
