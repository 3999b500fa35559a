//! What the progress line does to a screen, seen through a small terminal of the test's own.

use super::*;

const FREE: Screen = Screen { columns: 20, free: true };
const TAKEN: Screen = Screen { columns: 20, free: false };

/// A terminal that knows just what the progress line uses.
struct Terminal {
    rows: Vec<Vec<char>>,
    at: (usize, usize),
    saved: (usize, usize),
}

impl Terminal {
    fn new(rows: usize) -> Self {
        Self { rows: vec![Vec::new(); rows], at: (0, 0), saved: (0, 0) }
    }

    fn down(&mut self) {
        if self.at.0 + 1 == self.rows.len() {
            self.rows.remove(0);
            self.rows.push(Vec::new());
        } else {
            self.at.0 += 1;
        }
    }

    fn feed(&mut self, text: &str) {
        let mut chars = text.chars();
        while let Some(char) = chars.next() {
            match char {
                '\n' => {
                    self.down();
                    self.at.1 = 0;
                }
                '\r' => self.at.1 = 0,
                '\x1b' => match chars.next().unwrap() {
                    'D' => self.down(),
                    'M' => self.at.0 -= 1,
                    '7' => self.saved = self.at,
                    '8' => self.at = self.saved,
                    '[' => self.sequence(&chars.by_ref().take_while_inclusive().collect::<String>()),
                    other => panic!("ESC {other}"),
                },
                char => {
                    let row = &mut self.rows[self.at.0];
                    row.resize(row.len().max(self.at.1 + 1), ' ');
                    row[self.at.1] = char;
                    self.at.1 += 1;
                }
            }
        }
    }

    fn sequence(&mut self, sequence: &str) {
        match sequence {
            "J" => {
                self.rows[self.at.0].truncate(self.at.1);
                self.rows[self.at.0 + 1..].iter_mut().for_each(Vec::clear);
            }
            "B" => self.at.0 = (self.at.0 + 1).min(self.rows.len() - 1),
            "m" | "2m" => {}
            other => panic!("ESC [ {other}"),
        }
    }

    fn text(&self) -> Vec<String> {
        self.rows.iter().map(|row| row.iter().collect::<String>().trim_end().to_owned()).collect()
    }
}

/// The characters of a sequence up to its final letter.
trait TakeSequence {
    fn take_while_inclusive(self) -> impl Iterator<Item = char>;
}

impl<I: Iterator<Item = char>> TakeSequence for I {
    fn take_while_inclusive(mut self) -> impl Iterator<Item = char> {
        let mut done = false;
        std::iter::from_fn(move || {
            let char = if done { None } else { self.next() }?;
            done = char.is_ascii_alphabetic();
            Some(char)
        })
    }
}

fn progress() -> Progress<Vec<u8>> {
    Progress::new(Vec::new(), Style::Redrawn { colour: true })
}

/// What was written since the last call.
fn written(progress: &mut Progress<Vec<u8>>) -> String {
    String::from_utf8(std::mem::take(&mut progress.out)).unwrap()
}

#[test]
fn the_line_is_below_the_commands_output_and_goes_away() {
    for rows in [2, 5] {
        let (mut terminal, mut progress) = (Terminal::new(rows), progress());
        terminal.feed("first\nunfinished ");
        progress.show(Instant::now(), FREE, "3 passed").unwrap();
        terminal.feed(&written(&mut progress));
        let below = terminal.at.0 + 1;
        assert_eq!(terminal.text()[below], "3 passed");
        terminal.feed("line");
        assert_eq!(terminal.text()[terminal.at.0], "unfinished line", "with {rows} rows");
        progress.erase(FREE).unwrap();
        terminal.feed(&written(&mut progress));
        assert_eq!(terminal.text()[below], "");
        assert_eq!(terminal.text()[terminal.at.0], "unfinished line");
    }
}

#[test]
fn redrawing_leaves_one_line_and_no_rest_of_a_longer_one() {
    let (mut terminal, mut progress) = (Terminal::new(6), progress());
    for text in ["10 passed, 2 failed", "12 passed", "13"] {
        progress.show(Instant::now(), FREE, text).unwrap();
        terminal.feed(&written(&mut progress));
    }
    assert_eq!(terminal.text(), ["", "13", "", "", "", ""]);
    terminal.feed("a\nb");
    progress.erase(FREE).unwrap();
    terminal.feed(&written(&mut progress));
    assert_eq!(terminal.text(), ["a", "b", "", "", "", ""], "the rest behind the cursor is gone too");
}

#[test]
fn nothing_is_written_while_the_command_owns_the_screen() {
    let mut progress = progress();
    progress.show(Instant::now(), TAKEN, "text").unwrap();
    assert_eq!(written(&mut progress), "");
    progress.erase(FREE).unwrap();
    assert_eq!(written(&mut progress), "", "nothing was drawn");
    progress.show(Instant::now(), FREE, "text").unwrap();
    written(&mut progress);
    progress.erase(TAKEN).unwrap();
    assert_eq!(written(&mut progress), "");
}

#[test]
fn it_is_redrawn_at_most_four_times_a_second() {
    let start = Instant::now();
    let mut progress = progress();
    let mut drawn = 0;
    for step in 0..1_000 {
        let now = start + Duration::from_millis(step);
        if progress.is_due(now) {
            progress.show(now, FREE, "text").unwrap();
            drawn += 1;
        }
    }
    assert_eq!(drawn, 4);
}

#[test]
fn texts_are_cut_to_the_width_and_carry_no_control() {
    assert_eq!(fit("12345", 6), "12345");
    assert_eq!(fit("123456", 6), "12345");
    assert_eq!(fit("日本語", 6), "日本");
    assert_eq!(fit("a\x1b[2Jb\n\u{9b}c", 80), "a?[2Jb??c");
    assert_eq!(fit("x", 0), "");
}

#[test]
fn where_it_is_shown() {
    let plain = Surroundings::default();
    let terminal = Surroundings { terminal: true, term: Some("xterm".into()), no_color: None };
    let dumb = Surroundings { term: Some("dumb".into()), ..terminal.clone() };
    let unset = Surroundings { term: None, ..terminal.clone() };
    let no_color = Surroundings { no_color: Some("1".into()), ..terminal.clone() };
    let empty_no_color = Surroundings { no_color: Some("".into()), ..terminal.clone() };
    let coloured = Some(Style::Redrawn { colour: true });
    for (surroundings, auto, always) in [
        (&terminal, coloured, coloured),
        (&empty_no_color, coloured, coloured),
        (&no_color, Some(Style::Redrawn { colour: false }), Some(Style::Redrawn { colour: false })),
        (&plain, None, Some(Style::Lines)),
        (&dumb, None, Some(Style::Lines)),
        (&unset, None, Some(Style::Lines)),
    ] {
        assert_eq!(Style::choose(When::Auto, surroundings), auto, "{surroundings:?}");
        assert_eq!(Style::choose(When::Always, surroundings), always, "{surroundings:?}");
        assert_eq!(Style::choose(When::Never, surroundings), None);
    }
}

#[test]
fn without_a_terminal_there_is_a_plain_line_now_and_then() {
    let start = Instant::now();
    let mut progress = Progress::new(Vec::new(), Style::Lines);
    progress.show(start, TAKEN, "3 passed").unwrap();
    assert!(!progress.is_due(start + Duration::from_secs(9)));
    assert!(progress.is_due(start + Duration::from_secs(10)));
    progress.erase(TAKEN).unwrap();
    assert_eq!(written(&mut progress), "3 passed\n");
}

#[test]
fn a_file_is_no_screen_of_ours() {
    let screen = Screen::of(tempfile::tempfile().unwrap());
    assert_eq!(screen, Screen { columns: DEFAULT_COLUMNS, free: false });
}
