//! Looks at programs that were executed, at those that run already, and at configured files and libraries; and lets
//! go of images that are gone. On a thread of its own, because looking takes time.

use std::{
    collections::HashSet,
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{scan, shared::Shared};
use crate::{
    attach::Outcome,
    config::Config,
    elf::{ImageId, Limits, SearchPath, identify, libraries, open},
};

/// How often images are checked for being gone.
const SWEEP: Duration = Duration::from_secs(30);
/// How long the thread sleeps at most.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is sent in place of a process's id to wake the thread: no process has it.
const NOBODY: u32 = 0;

/// The running thread.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    /// Wakes the thread.
    executed: SyncSender<u32>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Attaches to what the config names, and starts the thread.
    pub(super) fn start(
        shared: Arc<Shared>,
        (executed, execs): (SyncSender<u32>, Receiver<u32>),
        config: &Config,
    ) -> io::Result<Self> {
        for path in scan::files(&config.discovery.files) {
            consider_path(&shared, &path);
        }
        let search = SearchPath::system(None);
        for name in &config.discovery.libraries {
            let path = Path::new(name);
            if path.is_absolute() {
                consider_path(&shared, path);
            } else if let Some(found) = search.find(name, scan::own_arch(), &Limits::default()) {
                consider_path(&shared, &found);
            } else {
                tracing::info!(
                    "the library {name} is in none of the loader's folders; programs may still bring it"
                );
            }
        }
        let wanted: Vec<String> = config.discovery.libraries.clone();
        *shared.libraries.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = wanted;
        let stop = Arc::new(AtomicBool::new(false));
        let body = {
            let stop = Arc::clone(&stop);
            let existing = config.discovery.exec && shared.is_node();
            move || {
                if existing {
                    for pid in scan::processes() {
                        consider_process(&shared, pid);
                    }
                }
                serve(&shared, &execs, &stop);
            }
        };
        let thread = thread::Builder::new().name("sidecar-attach".to_owned()).spawn(body)?;
        Ok(Self { stop, executed, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // If there is no room, the thread is awake.
        let _ = self.executed.try_send(NOBODY);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that looks at programs panicked");
        }
    }
}

fn serve(shared: &Shared, execs: &Receiver<u32>, stop: &AtomicBool) {
    let mut swept = Instant::now();
    let mut gone = HashSet::new();
    while !stop.load(Ordering::Acquire) {
        match execs.recv_timeout(PATIENCE) {
            Ok(NOBODY) | Err(RecvTimeoutError::Timeout) => {}
            Ok(pid) => consider_process(shared, pid),
            // The observer holds a sender for as long as this thread lives.
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if shared.is_node() && swept.elapsed() >= SWEEP {
            swept = Instant::now();
            gone = sweep(shared, &gone);
        }
    }
}

/// Lets go of images whose file was gone or another at the last sweep already, and that no process executes now.
/// Returns those that are gone now.
fn sweep(shared: &Shared, gone_before: &HashSet<ImageId>) -> HashSet<ImageId> {
    let images: Vec<_> = shared.manager().images().map(Arc::clone).collect();
    let mut gone: HashSet<ImageId> = images
        .iter()
        .filter(|image| open(&image.path).and_then(|file| identify(&file)).ok() != Some(image.id))
        .map(|image| image.id)
        .collect();
    if gone.is_empty() {
        return gone;
    }
    let in_use = scan::mapped_files();
    gone.retain(|id| !in_use.contains(&(id.dev, id.ino)));
    for image in images.iter().filter(|image| gone.contains(&image.id) && gone_before.contains(&image.id)) {
        shared.forget(&image.id);
        tracing::info!("let go of {}: the file is gone", image.path.display());
    }
    gone
}

/// Looks at the program that a process executes, through /proc, so that another mount namespace does not matter.
fn consider_process(shared: &Shared, pid: u32) {
    let link = PathBuf::from(format!("/proc/{pid}/exe"));
    // The process may have ended already.
    let Ok(file) = File::open(&link) else { return };
    let path = std::fs::read_link(&link).unwrap_or(link);
    let outcome = shared.consider(&file, &path);
    if !matches!(outcome, Outcome::AlreadyAttached) {
        consider_libraries(shared, &file, &path);
    }
}

fn consider_path(shared: &Shared, path: &Path) {
    match open(path) {
        Ok(file) => {
            shared.consider(&file, path);
            consider_libraries(shared, &file, path);
        }
        Err(error) => tracing::warn!("{}: {error}", path.display()),
    }
}

/// Attaches to those libraries that a program needs and the config wants.
pub(super) fn consider_libraries(shared: &Shared, file: &File, path: &Path) {
    let wanted = shared.libraries.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    if wanted.is_empty() {
        return;
    }
    let Ok(needed) = libraries(file, path, &SearchPath::system(None), &Limits::default()) else { return };
    for library in needed.found {
        let is_wanted = wanted.iter().any(|name| {
            Path::new(name) == library
                || library.file_name().is_some_and(|file| file.to_string_lossy() == *name)
        });
        if is_wanted && let Ok(file) = open(&library) {
            shared.consider(&file, &library);
        }
    }
}
