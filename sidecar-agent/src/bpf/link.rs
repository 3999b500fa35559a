//! Attachments. Dropping a [`Link`] detaches; so does the death of this process.

use std::{
    ffi::CString,
    fs::File,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use nix::sys::resource::{Resource, getrlimit};

use super::{AttachMethod, BpfError, Site, sys};

/// Descriptors that a site takes by way of perf events.
const EACH: usize = 2;

/// Descriptors that this process holds for perf events, those being let go of included.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Where probes sit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// At the instruction of the site.
    Entry,
    /// Where the function that begins at the site returns to.
    Return,
}

/// All probes of one image.
#[derive(Debug)]
pub struct Link {
    /// One descriptor for all sites, or, through perf events, one a site. Closing them takes the program off.
    links: Vec<OwnedFd>,
    /// The perf events, if any. Closing one takes the probe off, for which the kernel waits 20 to 120 ms.
    events: Events,
}

impl Link {
    /// Number of descriptors that this attachment holds.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        self.links.len() + self.events.0.len()
    }

    /// Attaches `program` at all `sites` of `file`, or where the functions there return, or at none.
    pub(super) fn attach(
        program: BorrowedFd<'_>,
        method: AttachMethod,
        file: &File,
        sites: &[Site],
        moment: Moment,
    ) -> Result<Self, BpfError> {
        let failed = |source: io::Error| BpfError::Attach { sites: sites.len(), source };
        // The path leads to the open file itself, whatever has happened to its name meanwhile.
        let path =
            CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(|e| failed(e.into()))?;
        let mut link = Self { links: Vec::new(), events: Events(Vec::new()) };
        let returns = moment == Moment::Return;
        match method {
            AttachMethod::UprobeMulti => {
                let offsets: Vec<u64> = sites.iter().map(|site| site.offset).collect();
                let semaphores: Vec<u64> = sites.iter().map(|site| site.semaphore).collect();
                let cookies: Vec<u64> = sites.iter().map(|site| site.cookie).collect();
                link.links.push(
                    sys::link_uprobe_multi(program, &path, &offsets, &semaphores, &cookies, returns)
                        .map_err(failed)?,
                );
            }
            AttachMethod::PerfEvent { pmu } => {
                make_room(EACH * sites.len()).map_err(failed)?;
                for site in sites {
                    let event = sys::open_uprobe_event(pmu, &path, site.offset, site.semaphore, returns)
                        .map_err(failed)?;
                    let made = sys::link_perf_event(program, event.as_fd(), site.cookie);
                    link.events.add(event);
                    link.links.push(made.map_err(failed)?);
                }
            }
        }
        Ok(link)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The program comes off first, and at once: nothing is counted from here on.
        self.links.clear();
    }
}

/// Perf events. They are let go of in the background: whoever drops them goes on.
#[derive(Debug)]
struct Events(Vec<OwnedFd>);

impl Events {
    fn add(&mut self, event: OwnedFd) {
        HELD.fetch_add(EACH, Ordering::Relaxed);
        self.0.push(event);
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let events = std::mem::take(&mut self.0);
        if events.is_empty() {
            return;
        }
        let close = move || {
            for event in events {
                drop(event);
                HELD.fetch_sub(EACH, Ordering::Relaxed);
            }
        };
        // If there can be no thread the events are closed where the closure is dropped, which takes as long as it takes. Nobody
        // waits for the thread: it only closes, and when this process ends the kernel goes on in its place.
        if let Err(error) = thread::Builder::new().name("sidecar-detach".to_owned()).spawn(close) {
            tracing::debug!("no thread to let go of perf events: {error}");
        }
    }
}

/// Refuses more descriptors for perf events than half of what this process may open: the rest is for everything else.
fn make_room(wanted: usize) -> io::Result<()> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).map_err(io::Error::from)?;
    let most = usize::try_from(limit / 2).unwrap_or(usize::MAX);
    let held = HELD.load(Ordering::Relaxed);
    if held + wanted <= most {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "by perf events that takes {wanted} descriptors, and {held} of {most} are in use; raise the limit of open files \
         (LimitNOFILE), or use a kernel with uprobe_multi (6.6)"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perf_events_leave_half_of_the_descriptors_to_others() {
        assert!(make_room(0).is_ok());
        let error = make_room(usize::MAX / 4).unwrap_err().to_string();
        assert!(error.contains("LimitNOFILE") && error.contains("descriptors"), "{error}");
    }

    #[test]
    fn events_are_closed_in_the_background_and_counted_until_then() {
        let (reader, writer) = io::pipe().unwrap();
        let mut events = Events(Vec::new());
        events.add(writer.into());
        assert!(HELD.load(Ordering::Relaxed) >= EACH);
        drop(events);
        // The pipe ends when its last writer is closed.
        let mut rest = Vec::new();
        io::Read::read_to_end(&mut &reader, &mut rest).unwrap();
        assert!(rest.is_empty());
    }
}
