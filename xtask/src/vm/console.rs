//! Reads what the guest says on its serial console.

use std::collections::VecDeque;

use super::guest::{BEGIN, DONE, END, UNKNOWN};
use crate::test::Counts;

/// Lines that are told when the guest has not got to its end.
const LAST_LINES: usize = 40;

/// What was read so far.
#[derive(Default)]
pub(super) struct Console {
    /// Tests by outcome.
    pub(super) counts: Counts,
    /// The guest said that all was run.
    pub(super) done: bool,
    /// The program that runs.
    running: Option<String>,
    /// What failed besides single tests.
    pub(super) faults: Vec<String>,
    last: VecDeque<String>,
}

impl Console {
    /// Takes in a line.
    pub(super) fn see(&mut self, line: &str) {
        if self.last.len() == LAST_LINES {
            self.last.pop_front();
        }
        self.last.push_back(line.to_owned());
        if let Some(name) = line.strip_prefix(BEGIN) {
            self.running = Some(name.to_owned());
        } else if let Some((name, status)) = line.strip_prefix(END).and_then(|end| end.split_once(' ')) {
            self.running = None;
            // 101: tests failed, which are counted.
            if status != "0" && status != "101" {
                self.faults.push(format!("the program {name} ended with {status}{}", meaning(status)));
            }
        } else if let Some(name) = line.strip_prefix(UNKNOWN) {
            self.faults.push(format!("xtask/src/vm/choice.rs names a test that is none: {name}"));
        } else if line == DONE {
            self.done = true;
        } else {
            self.counts.see(line);
            self.counts.ignored += left_out(line);
        }
    }

    /// Closes the account: a guest that has not got to its end is a fault.
    pub(super) fn close(&mut self, how: &str) {
        if self.done {
            return;
        }
        let doing = match &self.running {
            Some(program) => format!("while it ran {program}"),
            None => "before its tests had begun, or between them".to_owned(),
        };
        self.faults.push(format!("the guest {how} {doing}; its last lines:\n{}", self.tail()));
    }

    fn tail(&self) -> String {
        self.last.iter().map(|line| format!("    {line}\n")).collect()
    }
}

/// Tests that a program left out because it was told to.
fn left_out(line: &str) -> u64 {
    let number = || {
        line.strip_prefix("test result: ")?.split("; ").find_map(|part| part.strip_suffix(" filtered out"))
    };
    number().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// What a shell's number says.
fn meaning(status: &str) -> &'static str {
    match status {
        "124" => ": it ran into its deadline",
        "137" => ": it was killed, or did not end at its deadline",
        "139" => ": it died of a memory fault",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Console {
        let mut console = Console::default();
        for line in lines {
            console.see(line);
        }
        console
    }

    #[test]
    fn results_are_summed_to_the_end() {
        let mut console = read(&[
            "VM-BEGIN kernel",
            "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 2 filtered out; finished in 1.00s",
            "VM-END kernel 0",
            "VM-BEGIN kernel_run",
            "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s",
            "VM-END kernel_run 101",
            "VM-DONE",
        ]);
        console.close("ended");
        assert_eq!(console.counts.to_string(), "8 passed, 1 failed, 2 skipped");
        assert!(console.done && console.faults.is_empty(), "{:?}", console.faults);
    }

    #[test]
    fn a_guest_that_stops_in_the_middle_is_a_fault_with_its_last_words() {
        let mut console = read(&["VM-BEGIN kernel", "test a ... ok", "Kernel panic - not syncing"]);
        console.close("said nothing for 60 s");
        let [fault] = &console.faults[..] else { panic!("{:?}", console.faults) };
        assert!(fault.starts_with("the guest said nothing for 60 s while it ran kernel"), "{fault}");
        assert!(fault.contains("    Kernel panic"), "{fault}");

        let mut console = read(&[]);
        console.close("ended");
        assert!(console.faults[0].contains("before its tests had begun"), "{:?}", console.faults);
    }

    #[test]
    fn a_program_that_dies_is_a_fault_of_its_own() {
        let mut console =
            read(&["VM-BEGIN a", "VM-END a 124", "VM-BEGIN b", "VM-END b 139", "VM-UNKNOWN b x", "VM-DONE"]);
        console.close("ended");
        assert!(console.faults[0].ends_with("ended with 124: it ran into its deadline"));
        assert!(console.faults[1].contains("memory fault") && console.faults.len() == 3);
        assert!(console.faults[2].ends_with("a test that is none: b x"), "{:?}", console.faults);
    }

    #[test]
    fn no_more_lines_are_kept_than_are_told() {
        let mut console = Console::default();
        for number in 0..1000 {
            console.see(&format!("line {number}"));
        }
        assert!(console.last.len() == LAST_LINES && console.tail().contains("line 960"));
    }
}
