//! Looks at configured files and libraries, at programs that run already and at those that are executed; and lets go
//! of images that are gone. On a thread of its own, because looking takes time.

use std::{
    collections::{HashMap, HashSet},
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

use tokio::sync::oneshot;

use super::{
    appeared::Appeared, folders::Folders, globs::Globs, mapped::consider_mapped, pace::Pace,
    process::Process, remote::Remote, say::shown, scan, schedule::Schedule, shared::Shared, tallies::Tallies,
};
use crate::{
    attach::{Outcome, Reason, WantedFunctions},
    config::Config,
    elf::{ImageId, Limits, SearchPath, identify, libraries, open},
    mapping::LIBRARY,
};

/// How often images are checked for being gone.
const SWEEP: Duration = Duration::from_secs(10);
/// How long the thread sleeps at most.
const PATIENCE: Duration = Duration::from_secs(5);
/// Executed programs that are looked at between two others.
const MOST_EXECS: usize = 256;
/// How long the libraries of a program stay those that were found.
const FRESH: Duration = Duration::from_secs(1);
/// How long it rests at a time.
const LONGEST_REST: Duration = Duration::from_millis(50);
/// Processes that are looked at again for libraries that they map later.
const MOST_PROCESSES: usize = 4096;
/// Files without a known marker that the log names at one look.
const MOST_SAID: usize = 10;
/// What is sent in place of a process's id to wake the thread: no process has it.
pub(super) const NOBODY: u32 = 0;

/// The running thread.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    /// Wakes the thread.
    executed: SyncSender<u32>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts the thread. What is there already is looked at there if the whole node is watched, and here if it is
    /// a command that waits for it. `looked` is told when that is done.
    pub(super) fn start(
        shared: Arc<Shared>,
        (executed, execs): (SyncSender<u32>, Receiver<u32>),
        config: &Config,
        looked: oneshot::Sender<()>,
    ) -> io::Result<Self> {
        let own = std::iter::once(LIBRARY.to_owned());
        let (files, libraries) = WantedFunctions::places(config);
        let files: Vec<String> = config.discovery.files.iter().cloned().chain(files).collect();
        let libraries: Vec<String> = config.discovery.libraries.iter().cloned().chain(libraries).collect();
        *shared.libraries.lock().unwrap_or_else(std::sync::PoisonError::into_inner) =
            libraries.iter().cloned().chain(own).collect();
        // There is one watch.
        let _ = shared.waker.set(executed.clone());
        let stop = Arc::new(AtomicBool::new(false));
        let mut watcher = Watcher {
            stop: Arc::clone(&stop),
            files: Globs::new(&files),
            libraries,
            exec: config.discovery.exec && shared.is_node(),
            missed: 0,
            resolved: HashMap::new(),
            schedule: Schedule::new(MOST_PROCESSES, Instant::now()),
            shared,
        };
        let is_node = watcher.shared.is_node();
        if !is_node {
            watcher.look(&watcher.files.files(&Remote::now()), None);
        }
        let body = move || {
            let appeared = is_node.then(|| {
                // Watched before they are read, so that no file goes unseen.
                let mut folders = Folders::new(watcher.files.clone(), Arc::clone(&watcher.shared.tallies));
                let files = folders.scan(&Remote::now());
                watcher.look(&files, Some(&execs));
                Appeared::start(folders, &watcher.shared)
            });
            // An error means that nobody waits for it.
            let _ = looked.send(());
            watcher.serve(&execs);
            drop(appeared);
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

struct Watcher {
    shared: Arc<Shared>,
    stop: Arc<AtomicBool>,
    files: Globs,
    libraries: Vec<String>,
    /// Running programs are looked at.
    exec: bool,
    /// Execs that were known to be missed when running programs were looked at last.
    missed: u64,
    /// When the libraries of programs were looked at.
    resolved: HashMap<ImageId, Instant>,
    /// Processes that may map more libraries.
    schedule: Schedule,
}

impl Watcher {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Looks at what the config names, of which these are the files, and at what runs. With `execs` it takes its time,
    /// and programs that are executed meanwhile come first.
    fn look(&mut self, files: &[PathBuf], execs: Option<&Receiver<u32>>) {
        let mut pace = execs.map(|execs| (Pace::new(), execs));
        for glob in self.files.without(files) {
            tracing::info!(
                "discovery.files: nothing matches {glob} yet; it is looked at as it appears, and programs as they start"
            );
        }
        let (remote, mut said) = (Remote::now(), 0);
        for path in files {
            if self.is_stopped() {
                return;
            }
            self.breathe(&mut pace);
            match remote.resolve(path) {
                Ok(real) => said += usize::from(consider_path(&self.shared, path, &real, said < MOST_SAID)),
                Err(error) => cannot_open(path, &error),
            }
        }
        if said > MOST_SAID {
            tracing::info!("discovery.files: {said} files have no marker that is known");
        }
        let search = SearchPath::system(None);
        for name in &self.libraries {
            let path = Path::new(name);
            if path.is_absolute() {
                consider_path(&self.shared, path, path, true);
            } else if let Some(found) = search.find(name, scan::own_arch(), &Limits::default()) {
                consider_path(&self.shared, &found, &found, true);
            } else {
                tracing::info!(
                    "the library {name} is in none of the loader's folders; programs may still bring it"
                );
            }
        }
        if let Some(found) = search.find(LIBRARY, scan::own_arch(), &Limits::default()) {
            consider_path(&self.shared, &found, &found, true);
        }
        if self.exec {
            self.look_at_processes(pace);
        }
    }

    /// Looks at what was executed meanwhile, and rests as long as the pace asks for.
    fn breathe(&mut self, pace: &mut Option<(Pace, &Receiver<u32>)>) {
        let Some((pace, execs)) = pace else { return };
        // Those that come faster than they are looked at don't keep the rest waiting for ever.
        let mut left = MOST_EXECS;
        while !self.is_stopped() && left > 0 {
            left -= 1;
            // What rests can be told to end.
            match execs.recv_timeout(pace.rest().min(LONGEST_REST)) {
                Ok(NOBODY) => {}
                Ok(pid) => self.executed(pid),
                Err(_) if pace.rest().is_zero() => return,
                Err(_) => {}
            }
        }
    }

    fn look_at_processes(&mut self, mut pace: Option<(Pace, &Receiver<u32>)>) {
        self.missed = self.execs_missed();
        for pid in scan::processes() {
            if self.is_stopped() {
                return;
            }
            self.breathe(&mut pace);
            let Ok(process) = Process::open(pid) else { continue };
            consider_executable(&self.shared, &process);
            // What it has mapped is there already; what it maps later is seen later.
            if consider_mapped(&self.shared, &process, &self.wanted()).is_ok() {
                self.schedule.found(pid, Instant::now());
            }
        }
    }

    fn wanted(&self) -> Vec<String> {
        self.shared.libraries.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// A process has executed a program: looks at that, and at the libraries that it will map.
    fn executed(&mut self, pid: u32) {
        // It may have ended already.
        let Ok(process) = Process::open(pid) else { return };
        if let Some((outcome, file, path)) = consider_executable(&self.shared, &process)
            && !matches!(outcome, Outcome::AlreadyAttached)
            // Its libraries are then found by their mappings.
            && !process.is_elsewhere()
            && self.libraries_are_due(&file)
        {
            consider_libraries(&self.shared, &file, &path);
        }
        self.schedule.executed(pid, Instant::now());
    }

    /// Whether the libraries of a program were not looked at just now: some programs start hundreds of times a second.
    fn libraries_are_due(&mut self, file: &File) -> bool {
        let (Ok(id), now) = (identify(file), Instant::now()) else { return true };
        if self.resolved.len() >= MOST_PROCESSES {
            self.resolved.clear();
        }
        let before = self.resolved.insert(id, now);
        if before.is_some_and(|at| now - at < FRESH) {
            // That is counted from the look, not from the last question.
            self.resolved.extend(before.map(|at| (id, at)));
            return false;
        }
        true
    }

    /// Looks at the libraries that processes have mapped since they were looked at last, as far as there is time.
    fn look_again_at_processes(&mut self) {
        let wanted = self.wanted();
        let mut now = Instant::now();
        while let Some(pid) = self.schedule.next(now) {
            let looked =
                Process::open(pid).and_then(|process| consider_mapped(&self.shared, &process, &wanted));
            let after = Instant::now();
            self.schedule.spent(pid, after - now, looked.is_ok(), after);
            now = after;
        }
    }

    /// Execs of which no word came: the ring or the way to this thread was full.
    fn execs_missed(&self) -> u64 {
        let lost = self.shared.kernel().process_lost().unwrap_or_default();
        lost + Tallies::read(&self.shared.tallies.execs_missed)
    }

    fn serve(&mut self, execs: &Receiver<u32>) {
        let mut swept = Instant::now();
        let mut gone = HashSet::new();
        while !self.is_stopped() {
            let rest = self.schedule.rest(Instant::now()).unwrap_or(PATIENCE);
            match execs.recv_timeout(rest.min(PATIENCE)) {
                Ok(NOBODY) => {}
                Ok(pid) => self.executed(pid),
                Err(RecvTimeoutError::Timeout) => {
                    if self.exec && self.execs_missed() > self.missed {
                        tracing::debug!("some execs were missed; every running program is looked at");
                        self.look_at_processes(Some((Pace::new(), execs)));
                    }
                }
                // The observer holds a sender for as long as this thread lives.
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.shared.look_again.swap(false, Ordering::AcqRel) {
                self.look(&self.files.files(&Remote::now()), Some(execs));
            }
            self.look_again_at_processes();
            self.shared.reclaim();
            if self.shared.is_node() && swept.elapsed() >= SWEEP {
                gone = self.sweep(&gone);
                swept = Instant::now();
            }
        }
    }

    /// Looks again at images whose file was changed or replaced. Lets go of those whose file was gone at the last
    /// sweep already, and that no process has mapped now. Returns those that are gone now.
    fn sweep(&self, gone_before: &HashSet<ImageId>) -> HashSet<ImageId> {
        let images: Vec<_> = self.shared.manager().images().map(Arc::clone).collect();
        let mut gone = HashSet::new();
        let remote = Remote::now();
        for image in &images {
            if self.is_stopped() {
                return gone;
            }
            let found = remote.resolve(&image.path).and_then(|real| open(&real));
            let found = found.and_then(|file| Ok((identify(&file)?, file)));
            match found {
                Ok((id, _)) if id == image.id => continue,
                Ok((_, file)) => {
                    self.shared.consider(&file, &image.path);
                }
                Err(_) => {}
            }
            gone.insert(image.id);
        }
        // Those that only have another name or other times are known by another identity now.
        gone.retain(|id| self.shared.manager().images().any(|image| image.id == *id));
        if gone.is_empty() {
            return gone;
        }
        let in_use = scan::mapped_files();
        gone.retain(|id| !in_use.has(id));
        for image in images.iter().filter(|image| gone.contains(&image.id) && gone_before.contains(&image.id))
        {
            self.shared.forget(&image.id);
            tracing::info!("let go of {}: the file is gone and nothing runs it", shown(&image.path));
        }
        gone
    }
}

/// Looks at the program that a process executes, through /proc, so that another mount namespace does not matter. None:
/// it has ended.
fn consider_executable(shared: &Shared, process: &Process) -> Option<(Outcome, File, PathBuf)> {
    let (file, path) = process.executable().ok()?;
    Some((shared.consider_with(&file, &path, &process.debug_files(&path)), file, path))
}

/// Looks at a file that the config names: then it is worth a line that there is nothing in it to watch, if `say` is
/// true. `real` is where it is. Whether it has nothing.
fn consider_path(shared: &Shared, path: &Path, real: &Path, say: bool) -> bool {
    let file = match open(real) {
        Ok(file) => file,
        Err(error) => {
            cannot_open(path, &error);
            return false;
        }
    };
    let outcome = shared.consider(&file, path);
    consider_libraries(shared, &file, path);
    match outcome {
        Outcome::Refused { reason: reason @ (Reason::Unusable | Reason::Foreign), message, .. } => {
            tracing::warn!("discovery names {}, but ({}) {message}", shown(path), reason.name());
            false
        }
        Outcome::NothingWanted => {
            if say {
                tracing::info!(
                    "discovery names {}, but it has no marker that is known, and no function that is wanted",
                    shown(path)
                );
            }
            true
        }
        // Told already, if it is worth it.
        Outcome::Refused { .. } | Outcome::Attached { .. } | Outcome::AlreadyAttached => false,
    }
}

fn cannot_open(path: &Path, error: &io::Error) {
    tracing::warn!("discovery names {}, but it can't be opened: {error}", shown(path));
}

/// Attaches to those libraries that a program needs and that are wanted: by the config, or in any case.
pub(super) fn consider_libraries(shared: &Shared, file: &File, path: &Path) {
    let wanted = shared.libraries.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    // A command inherits this process's environment. What the node's other programs were given is not known here.
    let folders = if shared.is_node() { None } else { std::env::var("LD_LIBRARY_PATH").ok() };
    let search = SearchPath::system(folders.as_deref());
    let Ok(needed) = libraries(file, path, &search, &Limits::default()) else { return };
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
