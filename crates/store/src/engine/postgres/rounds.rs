//! Steps that share a transaction, run in rounds: in each, all say what they need next, and it is run for all at once.
//!
//! Nobody meets anybody's half-done work: a step that wants what another of them has locked is put back to its
//! beginning until the other is done. And everybody takes their locks in the same order, here as in other transactions:
//! a round serves only those who need the lowest kind of lock, and those who need none come last.

use super::{
    broken::Broken,
    calls::{Go, run},
    connection::Connection,
    desk::{Ask, Desk, PgRow, Reply, Slot, Value},
    job::{Job, Run},
};
use crate::{
    Failure,
    columns::Columns as _,
    engine::fnv::Fnv,
    statement::{By, Lock, Subject},
};
use domain::event::Event;
use std::{
    collections::{HashMap, hash_map::Entry},
    panic::{AssertUnwindSafe, catch_unwind},
    task::{Context, Poll, Waker},
};

/// After so many rounds nobody begins any more: who has not begun waits for the next transaction.
const ROUNDS_MAX: usize = 48;

/// What a lock is on. Two that differ may have one key: that costs a wait, and nothing else.
type Key = (Subject, u64);

fn key_of_params(subject: Subject, ask: &Ask, params: usize) -> Key {
    let mut key = Fnv::default();
    ask.params.iter().take(params).for_each(|p| p.feed(&mut key));
    (subject, key.sum())
}

/// The number that all nodes, of whatever version, agree on for a name: a lock of the server's has no other.
fn name_of((subject, key): Key) -> i64 {
    let mut name = Fnv::default();
    name.feed(&[subject as u8]);
    name.feed(&key.to_be_bytes());
    i64::from_be_bytes(name.sum().to_be_bytes())
}

struct Running<'j> {
    run: Run<'j>,
    slot: Slot,
    ask: Option<Ask>,
    keys: Vec<Key>,
    wrote: bool,
}

/// What is left when all that began are done.
pub(super) struct Done {
    /// What is owed to the trail, in order.
    pub(super) recorded: Vec<Event>,
    /// Who has not begun.
    pub(super) put_off: Vec<usize>,
    /// Whether other nodes have to learn of it.
    pub(super) announced: bool,
}

pub(super) struct Rounds<'j> {
    jobs: &'j [Box<dyn Job>],
    /// Whether anything may be locked and written.
    writes: bool,
    /// By job; those that are done, or have not begun, have none.
    running: Vec<Option<Running<'j>>>,
    /// Who waits for which key.
    blocked: Vec<(usize, Key)>,
    held: HashMap<Key, usize>,
    recorded: Vec<Event>,
    announced: bool,
}

impl<'j> Rounds<'j> {
    pub(super) fn new(jobs: &'j [Box<dyn Job>], writes: bool) -> Self {
        let mut rounds = Self {
            jobs,
            writes,
            running: jobs.iter().map(|_| None).collect(),
            blocked: Vec::new(),
            held: HashMap::new(),
            recorded: Vec::new(),
            announced: false,
        };
        (0..jobs.len()).for_each(|job| rounds.begin(job));
        rounds
    }

    fn at(&mut self, job: usize) -> Option<&mut Running<'j>> {
        self.running.get_mut(job).and_then(Option::as_mut)
    }

    fn begin(&mut self, job: usize) {
        let (Some(of), Some(place)) = (self.jobs.get(job), self.running.get_mut(job)) else { return };
        let slot = Slot::default();
        let run = of.run(Desk::new(slot.clone()));
        *place = Some(Running { run, slot, ask: None, keys: Vec::new(), wrote: false });
    }

    /// Runs all of them in the transaction that `begin` starts.
    pub(super) async fn run(
        mut self,
        connection: &mut Connection,
        begin: &'static str,
    ) -> Result<Done, Broken> {
        let mut begin = Some(begin);
        for round in 0.. {
            self.advance(round < ROUNDS_MAX).map_err(Broken::Failed)?;
            if self.running.iter().all(Option::is_none) {
                break;
            }
            let (chosen, names) = self.choose()?;
            if chosen.is_empty() {
                continue;
            }
            let asks = chosen.iter().filter_map(|job| self.running.get(*job)?.as_ref()?.ask.as_ref());
            let asks: Vec<&Ask> = asks.collect();
            let go = Go { begin: begin.take(), names, locking: self.writes, asks };
            let replies = run(connection, go).await?;
            self.hand_out(&chosen, replies)?;
        }
        if let Some(text) = begin {
            // Nobody asked for anything. There is still a transaction to commit.
            run(connection, Go { begin: Some(text), names: vec![], locking: false, asks: vec![] }).await?;
        }
        let put_off = self.blocked.into_iter().map(|(job, _)| job).collect();
        Ok(Done { recorded: self.recorded, put_off, announced: self.announced })
    }

    /// Lets everybody go on to their next statement, and whoever waited for one that is done begin.
    fn advance(&mut self, may_begin: bool) -> Result<(), Failure> {
        // A job that begins anew when another is done may stand before that one: go round until nothing moves.
        let mut moved = true;
        while std::mem::take(&mut moved) {
            for job in 0..self.running.len() {
                moved |= self.advance_one(job, may_begin)?;
            }
        }
        Ok(())
    }

    /// Whether the job came to its end.
    fn advance_one(&mut self, job: usize, may_begin: bool) -> Result<bool, Failure> {
        let Some(place) = self.running.get_mut(job) else { return Ok(false) };
        let Some(running) = place.as_mut().filter(|r| r.ask.is_none()) else { return Ok(false) };
        let mut context = Context::from_waker(Waker::noop());
        // A panic is a fault of one step; its neighbours run again without it.
        match catch_unwind(AssertUnwindSafe(|| running.run.as_mut().poll(&mut context))) {
            Err(_) => Err(Failure::internal("a step panicked")),
            Ok(Poll::Ready(Err(e))) => Err(e),
            Ok(Poll::Pending) => {
                running.ask = running.slot.take();
                match running.ask {
                    Some(_) => Ok(false),
                    None => Err(Failure::internal("a step awaited something other than its transaction")),
                }
            }
            Ok(Poll::Ready(Ok(events))) => {
                let keys = place.take().map(|done| done.keys).unwrap_or_default();
                self.recorded.extend(events);
                self.release(keys, may_begin);
                Ok(true)
            }
        }
    }

    fn release(&mut self, keys: Vec<Key>, may_begin: bool) {
        for key in keys {
            self.held.remove(&key);
            if may_begin && let Some(next) = self.blocked.iter().position(|(_, waits_for)| *waits_for == key)
            {
                let (job, _) = self.blocked.swap_remove(next);
                self.begin(job);
            }
        }
    }

    /// Who is served in this round, and which names are locked for it.
    fn choose(&mut self) -> Result<(Vec<usize>, Vec<i64>), Broken> {
        let rank = |r: &Running<'_>| {
            let lock = r.ask.as_ref().and_then(|ask| ask.statement.sharing.lock);
            let lock = if self.writes { lock } else { None };
            lock.map_or((1, None), |lock| (0, Some(lock.subject)))
        };
        let Some(lowest) = self.running.iter().flatten().map(rank).min() else {
            return Ok(Default::default());
        };
        let due = self.running.iter().enumerate();
        let due: Vec<usize> =
            due.filter(|(_, r)| r.as_ref().map(rank) == Some(lowest)).map(|(job, _)| job).collect();
        let (mut chosen, mut names) = (Vec::with_capacity(due.len()), Vec::new());
        for job in due {
            let Some(running) = self.at(job) else { continue };
            let Some(ask) = &running.ask else { continue };
            let announced = ask.statement.sharing.announced;
            let key = match ask.statement.sharing.lock {
                Some(Lock { subject, by: By::Params(params), rows }) => {
                    Some((key_of_params(subject, ask, params), rows.is_none()))
                }
                _ => None,
            };
            running.wrote |= !ask.rows;
            if let Some((key, by_name)) = key.filter(|_| self.writes) {
                if !self.claim(job, key)? {
                    continue;
                }
                if by_name {
                    names.push(name_of(key));
                }
            }
            self.announced |= announced;
            chosen.push(job);
        }
        names.sort_unstable();
        names.dedup();
        Ok((chosen, names))
    }

    /// Takes a key for a job. If another has it, the job is put back to its beginning until that one is done.
    fn claim(&mut self, job: usize, key: Key) -> Result<bool, Broken> {
        match self.held.entry(key) {
            Entry::Occupied(held) => {
                if *held.get() == job {
                    return Ok(true);
                }
            }
            Entry::Vacant(free) => {
                free.insert(job);
                if let Some(running) = self.at(job) {
                    running.keys.push(key);
                }
                return Ok(true);
            }
        }
        let Some(back) = self.running.get_mut(job).and_then(Option::take) else { return Ok(false) };
        if back.wrote {
            let what = "a step that has written wants what another of its transaction has";
            return Err(Broken::Failed(Failure::internal(what)));
        }
        self.blocked.push((job, key));
        self.release(back.keys, false);
        // Whoever waited for what it gives up waits for the same now.
        for (_, waits_for) in &mut self.blocked {
            if !self.held.contains_key(waits_for) {
                *waits_for = key;
            }
        }
        Ok(false)
    }

    fn hand_out(&mut self, chosen: &[usize], replies: Vec<Reply>) -> Result<(), Broken> {
        for (job, reply) in chosen.iter().copied().zip(replies) {
            let Some(running) = self.at(job) else { continue };
            let Some(ask) = running.ask.take() else { continue };
            let slot = running.slot.clone();
            let lock = ask.statement.sharing.lock.filter(|_| self.writes);
            if let Some(lock) = lock
                && lock.by == By::Found
                && let Reply::Rows(rows) = &reply
                && let Some(found) = rows.first()
            {
                let key = key_found(lock.subject, found).map_err(Broken::Failed)?;
                if !self.claim(job, key)? {
                    continue;
                }
            }
            slot.reply(reply);
        }
        Ok(())
    }
}

/// The same key that `key_of_params` makes of these bytes.
fn key_found(subject: Subject, row: &PgRow) -> Result<Key, Failure> {
    let mut key = Fnv::default();
    Value::Bytes(row.bytes(0)?.map(<[u8]>::to_vec)).feed(&mut key);
    Ok((subject, key.sum()))
}
