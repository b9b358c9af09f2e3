//! Lines on their way out, gathered while a thread of their own writes or pauses.
//!
//! Waking a thread for each line would cost a fifth of the CPU of a small request, so a line may wait [`PAUSE`] for
//! others to go with it.

use std::{
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

/// What may wait to be written, in bytes: some 16,000 lines. Lines beyond that are dropped, and counted.
const WAITING_MAX: usize = 4 << 20;
/// What is kept of the memory of a burst, in bytes.
const KEPT: usize = 64 << 10;
/// How long lines gather after some have been written.
const PAUSE: Duration = Duration::from_millis(5);
/// How long the end waits for whoever reads the lines.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where lines wait.
#[derive(Default)]
pub(crate) struct Lines {
    state: Mutex<State>,
    /// Lines have come while the thread slept, or no more will come.
    come: Condvar,
    /// The thread is through.
    through: Condvar,
    dropped: AtomicU64,
}

#[derive(Default)]
struct State {
    waiting: Vec<u8>,
    asleep: bool,
    ended: bool,
    through: bool,
}

impl Lines {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many lines were dropped because their reader was slow, or gone.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    fn push(&self, line: &[u8]) {
        let mut state = self.state();
        if state.ended || state.waiting.len() + line.len() > WAITING_MAX {
            self.dropped.fetch_add(1, Relaxed);
            return;
        }
        state.waiting.extend_from_slice(line);
        if std::mem::take(&mut state.asleep) {
            drop(state);
            self.come.notify_one();
        }
    }

    /// Swaps what waits for `taken`, which is empty. Answers whether more may come.
    fn take(&self, taken: &mut Vec<u8>) -> bool {
        let mut state = self.state();
        while state.waiting.is_empty() && !state.ended {
            state.asleep = true;
            state = self.come.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(&mut state.waiting, taken);
        !state.ended
    }

    /// Lets lines gather, unless no more will come.
    fn pause(&self) {
        drop(self.come.wait_timeout_while(self.state(), PAUSE, |state| !state.ended));
    }

    /// Writes what comes until [`Self::end`].
    fn write_to(&self, mut out: impl Write) {
        let mut taken = Vec::new();
        loop {
            let more = self.take(&mut taken);
            if out.write_all(&taken).and_then(|()| out.flush()).is_err() {
                let lines = taken.iter().filter(|byte| **byte == b'\n').count();
                self.dropped.fetch_add(lines as u64, Relaxed);
            }
            taken.clear();
            taken.shrink_to(KEPT);
            if !more {
                break;
            }
            self.pause();
        }
        self.state().through = true;
        self.through.notify_all();
    }

    /// No more will come; waits until what waits is written, for a second at most.
    fn end(&self) {
        self.state().ended = true;
        self.come.notify_all();
        drop(self.through.wait_timeout_while(self.state(), PATIENCE, |state| !state.through));
    }
}

impl Write for &Lines {
    /// Takes a line: the subscriber writes each with one call.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Has lines written until dropped; then what waits is written.
pub(crate) struct Writing(Arc<Lines>);

impl Writing {
    /// Starts the thread.
    ///
    /// # Errors
    /// When there is no thread to be had.
    pub(crate) fn start(lines: Arc<Lines>, out: impl Write + Send + 'static) -> io::Result<Self> {
        let written = Arc::clone(&lines);
        std::thread::Builder::new().name("logs".into()).spawn(move || written.write_to(out))?;
        Ok(Self(lines))
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Passes on what is written to it, each write by itself.
    struct Out(mpsc::Sender<Vec<u8>>);

    impl Write for Out {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_of_many_threads_come_out_whole_and_none_is_lost_at_the_end() {
        let lines = Arc::new(Lines::default());
        let (out, written) = mpsc::channel();
        let writing = Writing::start(Arc::clone(&lines), Out(out)).unwrap();
        let callers: Vec<_> = (0..8)
            .map(|caller| {
                let lines = Arc::clone(&lines);
                std::thread::spawn(move || {
                    (0..500).for_each(|n| (&*lines).write_all(format!("{caller} {n}\n").as_bytes()).unwrap());
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().unwrap());
        drop(writing);
        let all = String::from_utf8(written.try_iter().flatten().collect()).unwrap();
        for caller in 0..8 {
            let prefix = format!("{caller} ");
            let of_it: Vec<_> = all.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
            assert_eq!(of_it, (0..500).map(|n: u32| n.to_string()).collect::<Vec<_>>(), "caller {caller}");
        }
        assert_eq!((all.lines().count(), lines.dropped()), (4_000, 0));
    }

    #[test]
    fn a_line_that_comes_alone_is_written_without_another_behind_it() {
        let lines = Arc::new(Lines::default());
        let (out, written) = mpsc::channel();
        let _writing = Writing::start(Arc::clone(&lines), Out(out)).unwrap();
        for line in ["first\n", "second\n"] {
            lines.push(line.as_bytes());
            assert_eq!(written.recv().unwrap(), line.as_bytes());
        }
    }

    #[test]
    fn lines_that_nobody_reads_are_bounded_and_counted_and_hold_up_nobody() {
        let lines = Lines::default();
        let line = vec![b'x'; 1 << 20];
        for _ in 0..6 {
            lines.push(&line);
        }
        assert_eq!((lines.state().waiting.len(), lines.dropped()), (WAITING_MAX, 2));
    }

    #[test]
    fn lines_whose_reader_is_gone_are_counted() {
        let lines = Arc::new(Lines::default());
        let (out, written) = mpsc::channel();
        drop(written);
        let writing = Writing::start(Arc::clone(&lines), Out(out)).unwrap();
        lines.push(b"one\n");
        drop(writing);
        lines.push(b"after the end\n");
        assert_eq!(lines.dropped(), 2);
    }
}
