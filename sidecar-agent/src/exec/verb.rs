//! `sidecar exec`: from the command line to the summary. Whatever fails here, the command runs and its end is
//! passed on.

use std::{
    io::{self, Write as _},
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    time::{Duration, Instant},
};

use sidecar_common::Status;

use super::{
    Outcome,
    command::{self, Child, CommandError},
    report::{Report, SharedSummary},
    signals::Signals,
    terminal::{Progress, Surroundings},
};
use crate::{
    aggregate::{Cost, Style},
    bpf::Scope,
    cli::{ExecArgs, When},
    config::{self, Config, ConfigError},
    gate::{self, GateStats},
    observe::{Holding, Observer, OnFull, Options, PATIENCE, QUEUE_BYTES, Totals, own_cost},
    sinks::{JsonlSink, SinkProbe, Target},
};

/// Exit code for what sidecar itself can't do before the command starts, as `env` and `timeout` have it.
const CANNOT: i32 = 125;
/// How often the progress line is looked at.
const TICK: Duration = Duration::from_millis(250);
/// How long the kernel programs are measured at first, and then in each period.
const MEASURED_FIRST: Duration = Duration::from_secs(2);
/// Ticks of which one is measured after that.
const MEASURED_EVERY: u32 = 40;

/// Why the command was not started.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error("{0}")]
    Report(String),
    #[error("starting the runtime: {0}")]
    Runtime(#[source] io::Error),
}

/// Runs the verb and ends the process as the command ended.
pub fn run(args: &ExecArgs, object: Option<PathBuf>, signals: &Signals) -> ! {
    match prepare(args, object) {
        Ok(session) => session.run(args, signals),
        Err(refusal) => {
            say(&format!("{refusal}; the command was not started"));
            std::process::exit(CANNOT)
        }
    }
}

/// A line of sidecar's own on standard error.
fn say(text: &str) {
    // If nobody can read it, there is nobody to tell.
    let _ = writeln!(io::stderr(), "sidecar: {text}");
}

/// `1 event`, `2 events`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// Reads the configuration of `exec`: the file if one is named, and the environment.
fn configuration(args: &ExecArgs) -> Result<Config, ConfigError> {
    config::read(args.config.as_deref(), &[])
}

/// Everything that exists before the command starts.
struct Session {
    runtime: tokio::runtime::Runtime,
    observer: Option<Observer>,
    summary: SharedSummary,
    report: Option<SinkProbe>,
    /// When sidecar began to work.
    began: Instant,
    /// When everything was there for the command.
    started: Instant,
}

fn prepare(args: &ExecArgs, object: Option<PathBuf>) -> Result<Session, Refusal> {
    let began = Instant::now();
    let config = configuration(args)?;
    let sink = match &args.report {
        Some(path) => Some(
            JsonlSink::open(&Target::Replace(path.clone()))
                .map_err(|error| Refusal::Report(error.to_string()))?,
        ),
        None => None,
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Refusal::Runtime)?;
    let report = sink.as_ref().map(JsonlSink::probe);
    let summary = SharedSummary::default();
    let observer = if config.enabled {
        let options = Options {
            scope: Scope::Tree,
            object,
            rate: Some(args.rate),
            on_full: OnFull::Wait,
            ignore_own: true,
            queue_bytes: QUEUE_BYTES,
        };
        match Observer::start(&config, options, Report::new(summary.clone(), sink)) {
            Ok(observer) => Some(observer),
            Err(error) => {
                say(&format!("not watching: {error}. The command runs all the same"));
                None
            }
        }
    } else {
        say(&format!(
            "not watching: `enabled` is false ({}). The command runs all the same",
            config.source("enabled")
        ));
        None
    };
    Ok(Session { runtime, observer, summary, report, began, started: Instant::now() })
}

impl Session {
    fn run(mut self, args: &ExecArgs, signals: &Signals) -> ! {
        let holding = self.observer.as_ref().and_then(|observer| hold(observer, args));
        let child = match command::spawn(&args.command, signals) {
            Ok(child) => child,
            Err(error) => {
                let code = error.exit_code();
                end_unstarted(holding, &error);
                std::process::exit(code)
            }
        };
        let outcome = self.accompany(child, args, signals);
        // The command has ended; from here on nothing may keep its end from being passed on.
        let told = catch_unwind(AssertUnwindSafe(|| self.sum_up(args, holding)));
        if told.is_err() {
            say("the summary failed; the command's end is passed on all the same");
        }
        outcome.exit_like()
    }

    /// Stays with the command until it ends.
    fn accompany(&self, child: Child, args: &ExecArgs, signals: &Signals) -> Outcome {
        let surroundings = Surroundings::of_stderr();
        let mut progress =
            self.observer.as_ref().and_then(|_| Progress::on_stderr(args.progress, &surroundings));
        let outcome = self.runtime.block_on(async {
            let mut ticks = 0_u32;
            let mut ticker = tokio::time::interval(TICK);
            let ended = child.run(signals);
            tokio::pin!(ended);
            loop {
                tokio::select! {
                    outcome = &mut ended => return outcome,
                    _ = ticker.tick(), if self.observer.is_some() => {
                        if let Some(progress) = &mut progress {
                            // Nothing is drawn before there is a test to tell of: the command may be an editor.
                            let ends = self.ends(args);
                            if let Some(text) = self.summary.with(|summary| summary.progress(ends.as_ref())) {
                                // A terminal that is gone is no reason to stop.
                                let _ = progress.update(Instant::now(), &text);
                            }
                        }
                        self.measure(ticks);
                        ticks = ticks.wrapping_add(1);
                    }
                }
            }
        });
        if let Some(progress) = &mut progress {
            let _ = progress.clear();
        }
        outcome.unwrap_or_else(|error| {
            say(&format!("how the command ended is not known: {error}"));
            Outcome::Exited(CANNOT)
        })
    }

    /// The tests that have ended by outcome, kept or not: asked of the kernel only where not all are kept.
    fn ends(&self, args: &ExecArgs) -> Option<[u64; Status::COUNT]> {
        let observer = self.observer.as_ref().filter(|_| args.rate < 1.0)?;
        Some(observer.totals().counters.statuses)
    }

    /// Opens and closes the windows in which the kernel measures its programs.
    fn measure(&self, ticks: u32) {
        let Some(observer) = &self.observer else { return };
        if ticks == 0 {
            observer.measure_programs(true);
        } else if self.started.elapsed() > MEASURED_FIRST {
            match ticks % MEASURED_EVERY {
                0 => observer.measure_programs(true),
                1 => observer.measure_programs(false),
                _ if ticks < MEASURED_EVERY => observer.measure_programs(false),
                _ => {}
            }
        }
    }

    fn sum_up(&mut self, args: &ExecArgs, holding: Option<Holding>) {
        let Some(mut observer) = self.observer.take() else { return };
        let wall = self.started.elapsed();
        let totals = observer.finish();
        let held = holding.map(Holding::finish);
        tracing::debug!("the gate: {held:?}");
        let wanted = match args.summary {
            When::Always => true,
            When::Never => false,
            When::Auto => totals.counters.hits > 0 || totals.images > 0,
        };
        if wanted {
            let surroundings = Surroundings::of_stderr();
            let style = Style { color: surroundings.colour(), width: surroundings.width() };
            let cost = cost(&totals, wall, self.began.elapsed());
            let text = self.summary.with(|summary| summary.render(&cost, style));
            let _ = write!(io::stderr(), "{text}");
        } else if args.summary == When::Auto {
            say("no program with markers ran, so there is nothing to tell");
        }
        self.warn(&totals, held.as_ref(), args);
    }

    /// What the summary does not tell.
    fn warn(&self, totals: &Totals, held: Option<&GateStats>, args: &ExecArgs) {
        if let Some(held) = held
            && !held.guaranteed()
        {
            say(&format!(
                "{} went on before the probes were on, so that first events may be missing",
                counted(held.expired + held.overload + held.stalled + held.overflows, "program")
            ));
        }
        if totals.undecoded > 0 {
            say(&format!("{} could not be decoded", counted(totals.undecoded, "record")));
        }
        if totals.process_lost > 0 {
            say(&format!("forks, execs or exits that could not be followed: {}", totals.process_lost));
        }
        if let (Some(probe), Some(path)) = (&self.report, &args.report) {
            let stats = probe.stats(totals.queue);
            let missing = totals.queue.received.saturating_sub(stats.written);
            if missing > 0 {
                // What is stuck in a write may still arrive.
                let (most, reason) = match stats.last_error {
                    Some(error) => ("", error),
                    None => ("up to ", format!("it took nothing for {} s", PATIENCE.as_secs())),
                };
                let events = counted(missing, "event");
                say(&format!("{most}{events} could not be written to {}: {reason}", path.display()));
            }
        }
    }
}

/// Starts the gate, or looks at the command's own file where there is none.
fn hold(observer: &Observer, args: &ExecArgs) -> Option<Holding> {
    let images = observer.images();
    if let Some(program) = args.command.first().and_then(|program| command::resolve(program))
        && let Err(error) = images.consider_path(&program)
    {
        tracing::debug!("{}: {error}", program.display());
    }
    if args.no_gate {
        return None;
    }
    let tree = observer.tree().map_err(|error| tracing::debug!("the tree's map: {error}")).ok();
    let options = gate::Options { deadline: args.deadline(), tree, ..gate::Options::default() };
    match Holding::start(options, images) {
        Ok(holding) => Some(holding),
        Err(error) => {
            say(&format!("first events may be missing: {error}"));
            None
        }
    }
}

fn end_unstarted(holding: Option<Holding>, error: &CommandError) {
    if let Some(holding) = holding {
        holding.finish();
    }
    say(&error.to_string());
}

fn cost(totals: &Totals, wall: Duration, life: Duration) -> Cost {
    let own = own_cost();
    let counters = &totals.counters;
    Cost {
        hits: counters.hits,
        kept: counters.kept,
        sampled_out: counters.sampled_out,
        recalled: counters.recalled,
        recall_lost: counters.recall_lost,
        aborted: counters.aborted,
        abort_lost: counters.abort_lost,
        lost: counters.lost,
        dropped: totals.queue.dropped(),
        read_faults: counters.read_faults,
        agent_cpu_seconds: own.cpu_seconds,
        bpf_run_seconds: totals.programs.estimate_seconds(counters.hits).unwrap_or(0.0),
        wall_seconds: wall.as_secs_f64(),
        life_seconds: life.as_secs_f64(),
        ends: counters.statuses,
        rss_bytes: own.rss_bytes,
        images: totals.images,
        sites: totals.sites,
    }
}
