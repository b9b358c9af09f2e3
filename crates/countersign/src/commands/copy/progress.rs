//! How far a copy is: one line that is rewritten in a terminal, and a line now and then elsewhere.

use std::{
    io::{self, IsTerminal as _, Write},
    time::{Duration, Instant},
};
use store::copy::{Stage, Step};

/// How often a terminal's line is rewritten.
const IN_TERMINAL: Duration = Duration::from_millis(100);
/// How often a line is written elsewhere, within one table.
const ELSEWHERE: Duration = Duration::from_secs(10);

/// The line.
pub(super) struct Line<W> {
    out: W,
    in_terminal: bool,
    last: Option<(Step, Instant)>,
}

impl Line<io::Stderr> {
    /// On the error output, so that the report can be piped.
    pub(super) fn on_stderr() -> Self {
        Self { in_terminal: io::stderr().is_terminal(), out: io::stderr(), last: None }
    }
}

impl<W: Write> Line<W> {
    /// Shows a step, unless the last one was shown just now.
    pub(super) fn show(&mut self, step: Step) {
        let pause = if self.in_terminal { IN_TERMINAL } else { ELSEWHERE };
        if let Some((last, at)) = &self.last
            && (last.stage, last.table) == (step.stage, step.table)
            && at.elapsed() < pause
            // The end of a table is shown where it costs no line.
            && !(self.in_terminal && step.done == step.of)
        {
            return;
        }
        self.last = Some((step, Instant::now()));
        let verb = match step.stage {
            Stage::Copying => "copying",
            Stage::Checking => "checking",
        };
        let percent = (step.done * 100).checked_div(step.of).unwrap_or(100);
        let text = format!("{verb} {}: {} of {} rows ({percent} %)", step.table, step.done, step.of);
        // Nobody who reads it has to be there.
        drop(match self.in_terminal {
            true => write!(self.out, "\r\x1b[2K{text}").and_then(|()| self.out.flush()),
            false => writeln!(self.out, "{text}"),
        });
    }

    /// Leaves the line, so that what follows begins a new one.
    pub(super) fn end(&mut self) {
        if self.in_terminal && self.last.is_some() {
            drop(write!(self.out, "\r\x1b[2K").and_then(|()| self.out.flush()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(in_terminal: bool) -> String {
        let mut line = Line { out: Vec::new(), in_terminal, last: None };
        let step = |stage, table, done| Step { stage, table, done, of: 2_000 };
        line.show(step(Stage::Copying, "factor", 0));
        line.show(step(Stage::Copying, "factor", 1_000));
        line.show(step(Stage::Copying, "factor", 2_000));
        line.show(step(Stage::Checking, "factor", 0));
        line.end();
        String::from_utf8(line.out).unwrap()
    }

    #[test]
    fn a_terminal_has_one_line_and_a_log_has_a_line_for_each_table() {
        let first = "copying factor: 0 of 2000 rows (0 %)";
        let full = "copying factor: 2000 of 2000 rows (100 %)";
        let check = "checking factor: 0 of 2000 rows (0 %)";
        let clear = "\r\x1b[2K";
        assert_eq!(shown(true), format!("{clear}{first}{clear}{full}{clear}{check}{clear}"));
        assert_eq!(shown(false), format!("{first}\n{check}\n"));
    }

    #[test]
    fn an_empty_table_is_done() {
        let mut line = Line { out: Vec::new(), in_terminal: false, last: None };
        line.show(Step { stage: Stage::Copying, table: "delivery", done: 0, of: 0 });
        assert_eq!(String::from_utf8(line.out).unwrap(), "copying delivery: 0 of 0 rows (100 %)\n");
    }
}
