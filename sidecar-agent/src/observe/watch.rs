//! Looks at configured files and libraries, at programs that run already and at those that are executed; and lets go
//! of images that are gone. On a thread of its own, because looking takes time.

use std::{
    collections::{HashMap, HashSet},
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
    appeared::Appeared,
    folders::Folders,
    globs::Globs,
    intake::Executed,
    look::{Program, cannot_open, consider_executable, consider_libraries, consider_path},
    mapped::consider_mapped,
    pace::Pace,
    process::Process,
    remote::Remote,
    say::shown,
    scan,
    schedule::Schedule,
    shared::Shared,
    tallies::Tallies,
};
use crate::{
    attach::{Outcome, WantedFunctions},
    config::Config,
    elf::{ImageId, Limits, SearchPath, identify, open},
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
/// What the thread is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Nothing: it wakes.
    Wake,
    /// A process has executed a program.
    Executed(Executed),
}

/// The running thread.
pub(super) struct Watch {
    stop: Arc<AtomicBool>,
    /// Wakes the thread.
    executed: SyncSender<Word>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Starts the thread. What is there already is looked at there if the whole node is watched, and here if it is
    /// a command that waits for it. `looked` is told when that is done.
    pub(super) fn start(
        shared: Arc<Shared>,
        (executed, execs): (SyncSender<Word>, Receiver<Word>),
        config: &Config,
        looked: oneshot::Sender<()>,
    ) -> io::Result<Self> {
        let (files, libraries) = WantedFunctions::places(config);
        let files: Vec<String> = config.discovery.files.iter().cloned().chain(files).collect();
        let libraries: Vec<String> = config.discovery.libraries.iter().cloned().chain(libraries).collect();
        *shared.libraries.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = libraries.clone();
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
        let _ = self.executed.try_send(Word::Wake);
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
    /// When the libraries of programs were looked at, and whether some were wanted.
    resolved: HashMap<ImageId, (Instant, bool)>,
    /// Processes that may map more libraries.
    schedule: Schedule,
}

impl Watcher {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Looks at what the config names, of which these are the files, and at what runs. With `execs` it takes its time,
    /// and programs that are executed meanwhile come first.
    fn look(&mut self, files: &[PathBuf], execs: Option<&Receiver<Word>>) {
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
    fn breathe(&mut self, pace: &mut Option<(Pace, &Receiver<Word>)>) {
        let Some((pace, execs)) = pace else { return };
        // Those that come faster than they are looked at don't keep the rest waiting for ever.
        let mut left = MOST_EXECS;
        while !self.is_stopped() && left > 0 {
            left -= 1;
            // What rests can be told to end.
            match execs.recv_timeout(pace.rest().min(LONGEST_REST)) {
                Ok(Word::Wake) => {}
                Ok(Word::Executed(executed)) => self.executed(executed),
                Err(_) if pace.rest().is_zero() => return,
                Err(_) => {}
            }
        }
    }

    fn look_at_processes(&mut self, mut pace: Option<(Pace, &Receiver<Word>)>) {
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

    /// A process has executed a program: looks at that, if it is not known, and at the libraries that it will map.
    fn executed(&mut self, executed: Executed) {
        let (Executed::New(pid) | Executed::Known(pid)) = executed;
        if let Executed::New(pid) = executed {
            // It may have ended already.
            let Ok(process) = Process::open(pid) else { return };
            self.look_at_program(&process);
        }
        self.schedule.executed(pid, Instant::now());
    }

    fn look_at_program(&mut self, process: &Process) {
        let Some(program) = consider_executable(&self.shared, process) else { return };
        let attached = matches!(program.outcome, Outcome::AlreadyAttached);
        // Elsewhere, its libraries are found by their mappings.
        let brings = !attached && !process.is_elsewhere() && self.brings_wanted(&program);
        // What brings a library that is wanted is looked at each time: another file may have taken the library's place.
        if let Some(id) = program.id
            && !brings
            && program.outcome.is_lasting()
        {
            self.shared.know(&id);
        }
    }

    /// Attaches to those libraries of a program that are wanted, if they were not looked at just now: some programs start
    /// hundreds of times a second. Whether there are any.
    fn brings_wanted(&mut self, program: &Program) -> bool {
        let now = Instant::now();
        if let Some(id) = program.id
            && let Some((at, brings)) = self.resolved.get(&id)
            && now - *at < FRESH
        {
            return *brings;
        }
        if self.resolved.len() >= MOST_PROCESSES {
            self.resolved.clear();
        }
        let brings = consider_libraries(&self.shared, &program.file, &program.path);
        self.resolved.extend(program.id.map(|id| (id, (now, brings))));
        brings
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

    fn serve(&mut self, execs: &Receiver<Word>) {
        let mut swept = Instant::now();
        let mut gone = HashSet::new();
        while !self.is_stopped() {
            let rest = self.schedule.rest(Instant::now()).unwrap_or(PATIENCE);
            match execs.recv_timeout(rest.min(PATIENCE)) {
                Ok(Word::Wake) => {}
                Ok(Word::Executed(executed)) => self.executed(executed),
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
                self.shared.forget_known();
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
            // It may come back as it was.
            self.shared.forget_known();
        }
        gone
    }
}
