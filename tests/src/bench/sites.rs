//! The 10,000 sites of `target_sites`, as the memory of a process shows them: with a probe, or with their own instruction.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use anyhow::{Context, Result};

use crate::kernel::program::{Program, Running};

/// How many there are.
pub const SITES: usize = 10_000;
/// Bytes from site to site.
const STEP: usize = 16;
/// The instruction at each site.
const NOP: u8 = 0x90;

/// The sites and the semaphore in a process's memory.
pub struct Sites {
    memory: File,
    first: u64,
    semaphore: u64,
}

impl Sites {
    /// Those of a running copy of `target_sites`.
    ///
    /// # Errors
    /// When it has ended, or is another program.
    pub fn of(running: &Running, program: &Program) -> Result<Self> {
        let site = program.notes().site("sites", "site", 0)?;
        Ok(Self {
            memory: File::open(format!("/proc/{}/mem", running.pid()))?,
            first: address(running, program, program.notes().symbol("first_site")?)?,
            semaphore: address(running, program, site.semaphore)?,
        })
    }

    /// How many sites hold another instruction than the program's own, and the semaphore.
    ///
    /// # Errors
    /// When the process has ended.
    pub fn probed(&self) -> Result<(usize, u16)> {
        let mut text = vec![0; SITES * STEP];
        self.memory.read_exact_at(&mut text, self.first)?;
        let mut semaphore = [0; 2];
        self.memory.read_exact_at(&mut semaphore, self.semaphore)?;
        let probed = text.iter().step_by(STEP).filter(|byte| **byte != NOP).count();
        Ok((probed, u16::from_ne_bytes(semaphore)))
    }
}

/// Where a process has mapped an offset of a program's file.
fn address(running: &Running, program: &Program, offset: u64) -> Result<u64> {
    let path = program.path().to_string_lossy().into_owned();
    for line in fs::read_to_string(format!("/proc/{}/maps", running.pid()))?.lines().rev() {
        let mut words = line.split_whitespace();
        let (Some((start, end)), _, Some(from)) =
            (words.next().and_then(|range| range.split_once('-')), words.next(), words.next())
        else {
            continue;
        };
        let number = |text| u64::from_str_radix(text, 16);
        let (start, end, from) = (number(start)?, number(end)?, number(from)?);
        if line.ends_with(&path) && (from..from + (end - start)).contains(&offset) {
            return Ok(start + offset - from);
        }
    }
    None.with_context(|| format!("{path} is not mapped at {offset:#x}"))
}
