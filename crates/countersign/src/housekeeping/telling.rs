//! Jobs that fail again and again say so once.

use std::{collections::BTreeMap, fmt::Display};

/// Which jobs fail, and why, as far as it was told.
#[derive(Default)]
pub(super) struct Telling(BTreeMap<&'static str, String>);

/// What is worth a line.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    /// It fails, or fails for another reason than before.
    Fails(String),
    /// It no longer fails.
    GoesOn,
}

impl Telling {
    /// Logs how a job ended, if that is not what it was the last time.
    pub(super) fn tell(&mut self, job: &'static str, ended: Result<(), impl Display>) {
        match self.change(job, ended) {
            Some(Change::Fails(error)) => {
                tracing::warn!(job, error, "housekeeping fails; it is tried again and again");
            }
            Some(Change::GoesOn) => tracing::info!(job, "housekeeping goes on"),
            None => {}
        }
    }

    fn change(&mut self, job: &'static str, ended: Result<(), impl Display>) -> Option<Change> {
        let why = ended.err().map(|e| e.to_string());
        let before = match &why {
            Some(why) => self.0.insert(job, why.clone()),
            None => self.0.remove(job),
        };
        if why == before { None } else { Some(why.map_or(Change::GoesOn, Change::Fails)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_fails_on_and_on_is_told_once_and_its_end_too() {
        let mut telling = Telling::default();
        let mut after = |ended: Result<(), &str>| telling.change("the purge", ended);
        let fails = |why: &str| Some(Change::Fails(why.to_owned()));
        assert_eq!(after(Ok(())), None);
        assert_eq!(after(Err("apart")), fails("apart"));
        assert_eq!(after(Err("apart")), None);
        assert_eq!(after(Err("gone")), fails("gone"));
        assert_eq!(after(Ok(())), Some(Change::GoesOn));
        assert_eq!(after(Ok(())), None);
        assert_eq!(telling.change("the clock", Err("apart")), fails("apart"), "each job has its own");
    }
}
