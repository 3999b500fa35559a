//! The page of the end summary: lines, headings, hints, and colour where it is wanted.

use super::retries::Detail;
use super::text::{counted, safe};

/// How text is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Whether escape sequences for colours are written.
    pub color: bool,
    /// Columns of the terminal; at least 40 are used.
    pub width: usize,
}

/// Most lines of a failure's message that are shown.
const MESSAGE_LINES: usize = 3;

pub(super) const BOLD: &str = "1";
pub(super) const RED: &str = "31";
pub(super) const GREEN: &str = "32";
pub(super) const YELLOW: &str = "33";
const DIM: &str = "2";

/// The text in the making.
pub(super) struct Page {
    pub(super) out: String,
    pub(super) style: Style,
}

impl Page {
    pub(super) fn line(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    pub(super) fn heading(&mut self, text: &str) {
        let text = self.paint(BOLD, text);
        self.line("");
        self.line(&text);
    }

    pub(super) fn hint(&mut self, text: &str) {
        let text = self.paint(DIM, text);
        self.line(&format!("          {text}"));
    }

    pub(super) fn more(&mut self, more: u64, what: &str) {
        if more > 0 {
            let text =
                self.paint(DIM, &format!("and {} more (--report FILE writes them all)", counted(more, what)));
            self.line(&format!("  {text}"));
        }
    }

    /// The first lines of a message, each cut to the width.
    pub(super) fn message(&mut self, test: &Detail, indent: usize) {
        let Some(message) = &test.message else { return };
        let lines: Vec<&str> = message.lines().filter(|line| !line.trim().is_empty()).collect();
        let room = self.style.width.saturating_sub(indent);
        for line in lines.iter().take(MESSAGE_LINES) {
            let line = safe(line);
            let line = match line.char_indices().nth(room) {
                Some(_) => line.chars().take(room.saturating_sub(3)).collect::<String>() + "...",
                None => line,
            };
            let line = self.paint(DIM, &line);
            self.line(&format!("{:indent$}{line}", ""));
        }
        if let Some(more) = lines.len().checked_sub(MESSAGE_LINES).filter(|more| *more > 0) {
            let line = self.paint(DIM, &format!("({} more)", counted(more as u64, "line")));
            self.line(&format!("{:indent$}{line}", ""));
        }
    }

    pub(super) fn paint(&self, code: &str, text: &str) -> String {
        if self.style.color { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}
