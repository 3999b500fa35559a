//! A reader of the ring that sleeps by the protocol of `sidecar_agent::bpf::RingReader`, and counts how often it wakes.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use sidecar_agent::bpf::RingReader;

/// Milliseconds for which a reader lingers.
const LINGER: u16 = 20;

/// Wake-ups by the kernel, and nothing else: edges, not levels.
pub struct Wakeups(Epoll);

impl Wakeups {
    /// Watches a reader, from which no wake-up is pending then. It must not outlive the reader.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn of(reader: &RingReader) -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(reader, EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0))?;
        let wakeups = Self(epoll);
        wakeups.sleep(0)?;
        Ok(wakeups)
    }

    /// Sleeps until woken or for at most this many milliseconds; whether it was woken.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn sleep(&self, milliseconds: u16) -> Result<bool> {
        let mut events = [EpollEvent::empty()];
        Ok(self.0.wait(&mut events, EpollTimeout::from(milliseconds))? > 0)
    }
}

/// What a reader did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Read {
    /// Records.
    pub records: u64,
    /// Times that the kernel woke it.
    pub woken: u64,
    /// Times that its timer woke it.
    pub timer: u64,
}

/// Reads until `done` is set and the ring is empty. `take` gets each record.
///
/// # Errors
/// When the kernel refuses.
pub fn read(reader: &mut RingReader, done: &AtomicBool, mut take: impl FnMut(&[u8])) -> Result<Read> {
    let wakeups = Wakeups::of(reader)?;
    let mut did = Read::default();
    loop {
        // Asked before the ring is drained, so that what came last is read too.
        let last = done.load(Ordering::Acquire);
        reader.awake()?;
        did.records += reader.drain(usize::MAX, &mut take) as u64;
        if last {
            return Ok(did);
        }
        reader.linger()?;
        did.records += reader.drain(usize::MAX, &mut take) as u64;
        if wakeups.sleep(LINGER)? {
            did.woken += 1;
        } else {
            did.timer += 1;
        }
    }
}
