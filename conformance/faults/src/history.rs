//! What the callers did and were told, written to disk as it happens.
//!
//! Each operation has two moments: when it was asked and when it ended. One operation came before another only
//! if it had ended before the other was asked; all else ran side by side, in any order. An operation whose
//! connection broke has an unknown outcome: it may have taken effect, or not, and on PostgreSQL
//! even after its end, when the database goes on with what a node sent that is gone.
use loadgen::{clock, wire::Refusal};
use serde::{Deserialize, Serialize};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    sync::{
        Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread::JoinHandle,
};

/// A place in the one order of everything a history saw, and the caller's clock then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Moment {
    pub(crate) seq: u64,
    pub(crate) ms: u64,
}

/// What was asked. `step` of a verify is the one the code is right for; a wrong code has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Act {
    Enroll,
    Find { factor: String },
    Open { factor: String },
    Verify { factor: String, challenge: String, step: Option<u64> },
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// The connection broke after the request was sent.
    Unknown,
    Enrolled(String),
    Found,
    Opened(String),
    Verdict(bool),
    Refused(Refusal),
}

/// One operation. `ended` is absent only where a history breaks off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Op {
    pub(crate) act: Act,
    pub(crate) asked: Moment,
    pub(crate) ended: Option<Moment>,
    pub(crate) outcome: Outcome,
}

impl Op {
    /// The factor it is about: for an enrollment the one it made, if that was told.
    pub(crate) fn factor(&self) -> Option<&str> {
        match (&self.act, &self.outcome) {
            (Act::Find { factor } | Act::Open { factor } | Act::Verify { factor, .. }, _) => Some(factor),
            (Act::Enroll, Outcome::Enrolled(factor)) => Some(factor),
            (Act::Enroll, _) => None,
        }
    }

    /// Whether it had ended before `other` was asked.
    pub(crate) fn before(&self, other: &Op) -> bool {
        self.ended.is_some_and(|end| end.seq < other.asked.seq)
    }

    /// Whether it was asked before `other` ended, so that it can be a reason for how `other` ended.
    pub(crate) fn may_explain(&self, other: &Op) -> bool {
        other.ended.is_none_or(|end| self.asked.seq < end.seq) && self.asked.seq != other.asked.seq
    }
}

#[derive(Serialize, Deserialize)]
enum Line {
    Asked { op: usize, act: Act, at: Moment },
    Ended { op: usize, outcome: Outcome, at: Moment },
}

enum ToDisk {
    Line(String),
    Flush(Sender<()>),
}

/// A history that is being made.
pub(crate) struct Journal {
    state: Mutex<State>,
    disk: Option<Sender<ToDisk>>,
    writer: Option<JoinHandle<io::Result<()>>>,
}

#[derive(Default)]
struct State {
    ops: Vec<Op>,
    seq: u64,
    /// Operations taken out so far, so that numbers in the file never repeat.
    taken: usize,
}

impl State {
    fn moment(&mut self) -> Moment {
        self.seq += 1;
        Moment { seq: self.seq, ms: clock::unix_millis() }
    }
}

impl Journal {
    /// Begins a history in the file `path`. A thread of its own writes it and syncs it, many lines at a time.
    ///
    /// # Errors
    /// Those of the file.
    pub(crate) fn create(path: &Path) -> io::Result<Journal> {
        let file = File::create(path)?;
        let (disk, lines) = channel();
        let writer = std::thread::spawn(move || write_lines(file, &lines));
        Ok(Journal { state: Mutex::default(), disk: Some(disk), writer: Some(writer) })
    }

    /// Notes that `act` is about to be asked. Call it before the first byte is sent.
    pub(crate) fn ask(&self, act: Act) -> usize {
        let mut state = self.state();
        let at = state.moment();
        let op = state.taken + state.ops.len();
        self.write(&Line::Asked { op, act: act.clone(), at });
        state.ops.push(Op { act, asked: at, ended: None, outcome: Outcome::Unknown });
        op
    }

    /// Notes how operation `op` ended. Call it after the last byte of its answer.
    pub(crate) fn end(&self, op: usize, outcome: Outcome) {
        let mut state = self.state();
        let at = state.moment();
        self.write(&Line::Ended { op, outcome: outcome.clone(), at });
        let index = op.wrapping_sub(state.taken);
        if let Some(op) = state.ops.get_mut(index) {
            op.ended = Some(at);
            op.outcome = outcome;
        }
    }

    /// The operations so far, which the journal then forgets; the file keeps them.
    pub(crate) fn take(&self) -> Vec<Op> {
        let mut state = self.state();
        let ops = std::mem::take(&mut state.ops);
        state.taken += ops.len();
        ops
    }

    /// Returns once everything noted so far is on disk.
    ///
    /// # Errors
    /// One sentence if the writer has failed.
    pub(crate) fn flush(&self) -> Result<(), String> {
        let (done, wait) = channel();
        let sent = self.disk.as_ref().is_some_and(|d| d.send(ToDisk::Flush(done)).is_ok());
        if sent && wait.recv().is_ok() { Ok(()) } else { Err("the history cannot be written".into()) }
    }

    /// Reads a history back.
    ///
    /// # Errors
    /// One sentence that names the file and the line.
    pub(crate) fn read(path: &Path) -> Result<Vec<Op>, String> {
        let file = File::open(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut ops: Vec<Op> = Vec::new();
        for (n, line) in BufReader::new(file).lines().enumerate() {
            let bad = |why: String| format!("{}:{}: {why}", path.display(), n + 1);
            match serde_json::from_str(&line.map_err(|e| bad(e.to_string()))?)
                .map_err(|e| bad(e.to_string()))?
            {
                Line::Asked { act, at, .. } => {
                    ops.push(Op { act, asked: at, ended: None, outcome: Outcome::Unknown });
                }
                Line::Ended { op, outcome, at } => {
                    let op = ops.get_mut(op).ok_or_else(|| bad("ends what was never asked".into()))?;
                    (op.ended, op.outcome) = (Some(at), outcome);
                }
            }
        }
        Ok(ops)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, line: &Line) {
        // A failure of the writer shows at the next flush, which every check comes after.
        if let (Some(disk), Ok(text)) = (&self.disk, serde_json::to_string(line)) {
            let _ = disk.send(ToDisk::Line(text));
        }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        drop(self.disk.take());
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

/// Writes what has arrived, syncs once, and only then tells those who wait.
fn write_lines(mut file: File, lines: &Receiver<ToDisk>) -> io::Result<()> {
    let (mut text, mut waiting) = (String::new(), Vec::new());
    while let Ok(first) = lines.recv() {
        for next in std::iter::once(first).chain(lines.try_iter()) {
            match next {
                ToDisk::Line(line) => text.extend([line.as_str(), "\n"]),
                ToDisk::Flush(done) => waiting.push(done),
            }
        }
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        text.clear();
        for done in waiting.drain(..) {
            let _ = done.send(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Act, Journal, Outcome};

    #[test]
    fn what_was_noted_is_read_back_and_numbers_go_on_after_a_take() {
        let path = std::env::temp_dir().join(format!("faults-history-{}", std::process::id()));
        let journal = Journal::create(&path).unwrap();
        let enroll = journal.ask(Act::Enroll);
        let find = journal.ask(Act::Find { factor: "f".into() });
        journal.end(enroll, Outcome::Enrolled("f".into()));
        let mut noted = journal.take();
        let open = journal.ask(Act::Open { factor: "f".into() });
        assert_eq!((enroll, find, open), (0, 1, 2));
        journal.end(open, Outcome::Opened("c".into()));
        noted.extend(journal.take());
        journal.flush().unwrap();
        let read = Journal::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(read, noted);
        assert!(read[0].before(&read[2]) && !read[0].before(&read[1]) && read[1].ended.is_none());
    }
}
