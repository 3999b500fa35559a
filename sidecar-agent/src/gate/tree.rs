//! Whether a process descends from another, by /proc: always available, without BPF.

use super::recent::Recent;
use std::fs;

/// Longest chain of parents that is followed.
const MAX_DEPTH: usize = 64;
/// Half of the number of processes whose place is remembered.
const REMEMBERED: usize = 2_048;

/// The descendants of one process.
///
/// A descendant whose parent has died is a child of init and can't be told by its parents; it counts as a
/// descendant if it was seen before that, and not otherwise.
pub struct Ancestry {
    root: u32,
    known: Recent<u32, Place>,
}

/// A process that was looked up: its start tells it from a later process with its number.
#[derive(Clone, Copy)]
struct Place {
    start: u64,
    inside: bool,
}

/// What /proc/PID/stat says of a process's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kin {
    parent: u32,
    /// In clock ticks since boot.
    start: u64,
}

impl Ancestry {
    /// The descendants of `root`.
    #[must_use]
    pub fn new(root: u32) -> Self {
        Self { root, known: Recent::new(REMEMBERED) }
    }

    /// Whether `pid` is the root or descends from it. A process that is gone is not.
    pub fn contains(&mut self, pid: u32) -> bool {
        let mut chain = Vec::new();
        let mut at = pid;
        let inside = loop {
            if at == self.root {
                break true;
            }
            let Some(kin) = kin(at) else { break false };
            if let Some(place) = self.known.get(&at)
                && place.start == kin.start
            {
                break place.inside;
            }
            if chain.len() == MAX_DEPTH {
                return false;
            }
            chain.push((at, kin.start));
            at = kin.parent;
        };
        for (pid, start) in chain {
            self.known.insert(pid, Place { start, inside });
        }
        inside
    }
}

fn kin(pid: u32) -> Option<Kin> {
    parse_stat(&fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// Reads the 4th and the 22nd field of /proc/PID/stat (proc_pid_stat(5)). The 2nd, the name, is in
/// parentheses and may itself hold spaces and parentheses.
fn parse_stat(stat: &[u8]) -> Option<Kin> {
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let mut fields = std::str::from_utf8(&stat[end + 1..]).ok()?.split_ascii_whitespace();
    let parent = fields.nth(1)?.parse().ok()?;
    let start = fields.nth(17)?.parse().ok()?;
    Some(Kin { parent, start })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};

    #[test]
    fn reads_parent_and_start_whatever_the_name_is() {
        let line = b"77 (a) b) \xff (S 1) R 55 77 77 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 98765 1 2";
        assert_eq!(parse_stat(line), Some(Kin { parent: 55, start: 98_765 }));
    }

    #[test]
    fn nonsense_is_no_process() {
        for stat in [&b""[..], b"77", b"77 (a", b"77 (a)", b"77 (a) R", b"77 (a) R x 1", b"77 (a) R 1 2 3"] {
            assert_eq!(parse_stat(stat), None);
        }
    }

    #[test]
    fn a_grandchild_descends_and_this_process_does_not_descend_from_it() {
        let mut child = Command::new("sh")
            .args(["-c", "sh -c 'echo $$; read line' <&0; exit 0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let grandchild: u32 = line.trim().parse().unwrap();

        let me = std::process::id();
        let mut mine = Ancestry::new(me);
        assert!(mine.contains(grandchild));
        assert!(mine.contains(child.id()));
        assert!(mine.contains(me));
        let mut its = Ancestry::new(child.id());
        assert!(its.contains(grandchild));
        assert!(!its.contains(me));
        assert!(!its.contains(1));

        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        child.wait().unwrap();
        assert!(!Ancestry::new(me).contains(grandchild), "it is gone");
    }
}
