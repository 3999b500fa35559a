//! How the thread that reads the ring sleeps: until the kernel wakes it, it is told to stop, or time is over.
//!
//! Edges count, not levels: a ring that holds records, or a reservation that is not committed yet, is readable, and
//! the reader means to sleep all the same until the kernel says that it is time.

use std::{
    io,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use nix::{
    errno::Errno,
    sys::{
        epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout},
        eventfd::{EfdFlags, EventFd},
    },
};

use crate::bpf::RingReader;

/// Stops the reader.
#[derive(Debug)]
pub(super) struct Stop {
    stopping: AtomicBool,
    event: EventFd,
}

impl Stop {
    pub(super) fn new() -> io::Result<Self> {
        // A command that is started later must not have it.
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC)?;
        Ok(Self { stopping: AtomicBool::new(false), event })
    }

    /// Asks the reader to stop, and wakes it.
    pub(super) fn request(&self) -> io::Result<()> {
        self.stopping.store(true, Ordering::Release);
        self.event.write(1)?;
        Ok(())
    }

    pub(super) fn requested(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// What the reader sleeps on. It must not outlive the reader's ring.
pub(super) struct Sleeper(Epoll);

impl Sleeper {
    pub(super) fn new(reader: &RingReader, stop: &Stop) -> io::Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let edge = || EpollEvent::new(EpollFlags::EPOLLIN | EpollFlags::EPOLLET, 0);
        epoll.add(reader, edge())?;
        epoll.add(&stop.event, edge())?;
        Ok(Self(epoll))
    }

    /// Sleeps at most this long, in whole milliseconds.
    pub(super) fn sleep(&self, most: Duration) -> io::Result<()> {
        let most = EpollTimeout::try_from(most).unwrap_or(EpollTimeout::MAX);
        match self.0.wait(&mut [EpollEvent::empty(); 2], most) {
            Ok(_) | Err(Errno::EINTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}
