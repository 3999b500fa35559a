//! The progress line on standard error.
//!
//! The line is drawn below the cursor, and the cursor goes back to where the command left it, so the command's
//! own output, finished lines or not, stays as it is. While the command owns the screen (it has set the
//! terminal to raw mode, or another process group is in the foreground) nothing is drawn.

use crate::cli::When;
use rustix::termios::{LocalModes, isatty, tcgetattr, tcgetpgrp, tcgetwinsize};
use std::env;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Stderr, Write};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// The line is redrawn at most this often.
const REDRAW_EVERY: Duration = Duration::from_millis(250);
/// Where it can't be redrawn (not a terminal), a new line is written at most this often.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// The width that is assumed where none is known.
const DEFAULT_COLUMNS: u16 = 80;

/// What standard error is and what the user wants of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// Standard error is a terminal.
    pub terminal: bool,
    /// The environment's `TERM`.
    pub term: Option<OsString>,
    /// The environment's `NO_COLOR`.
    pub no_color: Option<OsString>,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_stderr() -> Self {
        Self { terminal: isatty(io::stderr()), term: env::var_os("TERM"), no_color: env::var_os("NO_COLOR") }
    }

    /// Whether lines can be redrawn.
    #[must_use]
    pub fn can_redraw(&self) -> bool {
        self.terminal && self.term.as_ref().is_some_and(|term| !term.is_empty() && term != "dumb")
    }

    /// Columns of the terminal, or what is assumed where there is none.
    #[must_use]
    pub fn width(&self) -> usize {
        let columns = if self.terminal { Screen::of(io::stderr()).columns } else { 0 };
        usize::from(if columns == 0 { DEFAULT_COLUMNS } else { columns })
    }

    /// Whether colours are welcome (<https://no-color.org>).
    #[must_use]
    pub fn colour(&self) -> bool {
        self.can_redraw() && self.no_color.as_ref().is_none_or(|value| value.is_empty())
    }
}

/// The state of the screen at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Screen {
    columns: u16,
    /// Nobody has taken the screen over.
    free: bool,
}

impl Screen {
    fn of(terminal: impl AsFd) -> Self {
        let size = tcgetwinsize(&terminal).ok();
        let columns = size.map(|size| size.ws_col).filter(|&columns| columns > 0).unwrap_or(DEFAULT_COLUMNS);
        let line_mode =
            tcgetattr(&terminal).is_ok_and(|modes| modes.local_modes.contains(LocalModes::ICANON));
        let foreground = tcgetpgrp(&terminal).is_ok_and(|group| group == rustix::process::getpgrp());
        let rows = size.map_or(0, |size| size.ws_row);
        Self { columns, free: line_mode && foreground && rows != 1 }
    }
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    /// One line, redrawn.
    Redrawn { colour: bool },
    /// A new line now and then.
    Lines,
}

impl Style {
    fn choose(when: When, surroundings: &Surroundings) -> Option<Self> {
        let redrawn = Self::Redrawn { colour: surroundings.colour() };
        match when {
            When::Never => None,
            When::Auto => surroundings.can_redraw().then_some(redrawn),
            When::Always if surroundings.can_redraw() => Some(redrawn),
            When::Always => Some(Self::Lines),
        }
    }
}

/// The progress line.
#[derive(Debug)]
pub struct Progress<W> {
    out: W,
    style: Style,
    last: Option<Instant>,
    drawn: bool,
}

impl Progress<Stderr> {
    /// A progress line on standard error, if one is wanted there.
    #[must_use]
    pub fn on_stderr(when: When, surroundings: &Surroundings) -> Option<Self> {
        Style::choose(when, surroundings).map(|style| Self::new(io::stderr(), style))
    }

    /// Shows `text`, which holds no line break, if it is time and the screen is free.
    ///
    /// # Errors
    /// Writing failed.
    pub fn update(&mut self, now: Instant, text: &str) -> io::Result<()> {
        if !self.is_due(now) {
            return Ok(());
        }
        self.show(now, Screen::of(&self.out), text)
    }

    /// Takes the line away, for what is written next.
    ///
    /// # Errors
    /// Writing failed.
    pub fn clear(&mut self) -> io::Result<()> {
        self.erase(Screen::of(&self.out))
    }
}

impl<W: Write> Progress<W> {
    fn new(out: W, style: Style) -> Self {
        Self { out, style, last: None, drawn: false }
    }

    fn is_due(&self, now: Instant) -> bool {
        let every = match self.style {
            Style::Redrawn { .. } => REDRAW_EVERY,
            Style::Lines => LINE_EVERY,
        };
        self.last.is_none_or(|last| now.saturating_duration_since(last) >= every)
    }

    fn show(&mut self, now: Instant, screen: Screen, text: &str) -> io::Result<()> {
        let shown = match self.style {
            Style::Lines => format!("{}\n", fit(text, u16::MAX)),
            Style::Redrawn { .. } if !screen.free => return Ok(()),
            Style::Redrawn { colour } => {
                let (dim, plain) = if colour { ("\x1b[2m", "\x1b[m") } else { ("", "") };
                let text = fit(text, screen.columns);
                // Erase below; make sure that there is a line below (down, up: keeps the column, scrolls at
                // the bottom); then go there, write, and come back.
                let mut shown = String::from("\x1b[J\x1bD\x1bM\x1b7\x1b[B\r");
                let _ = write!(shown, "{dim}{text}{plain}\x1b8");
                shown
            }
        };
        self.last = Some(now);
        self.drawn = true;
        self.write(&shown)
    }

    fn erase(&mut self, screen: Screen) -> io::Result<()> {
        let drawn = std::mem::replace(&mut self.drawn, false);
        match self.style {
            Style::Redrawn { .. } if drawn && screen.free => self.write("\x1b[J"),
            Style::Redrawn { .. } | Style::Lines => Ok(()),
        }
    }

    /// In one piece, so that it does not mix with what the command writes.
    fn write(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

/// Cuts a text so that it leaves the last column free. Control characters become `?`; what is not ASCII is
/// taken to be two columns wide, which is never too little.
fn fit(text: &str, columns: u16) -> String {
    let mut left = usize::from(columns.saturating_sub(1));
    let mut fitted = String::new();
    for char in text.chars().map(|char| if char.is_control() { '?' } else { char }) {
        let Some(rest) = left.checked_sub(if char.is_ascii() { 1 } else { 2 }) else { break };
        left = rest;
        fitted.push(char);
    }
    fitted
}

#[cfg(test)]
mod tests;
