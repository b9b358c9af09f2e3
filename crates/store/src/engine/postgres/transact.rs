//! One transaction for a job or for many: its steps, their entries in the trail, its commit.

use super::{
    broken::Broken,
    calls::{Go, run},
    changes::ANNOUNCE,
    connection::{Connection, Unconfirmed},
    desk::{Ask, Reply},
    job::Job,
    open_error::reason,
    pool::Pool,
    rounds::{Done, Rounds},
};
use crate::{
    Failure,
    columns::FromRow,
    engine::ClockReading,
    statements::{APPEND_EVENT, LAST_EVENT, SET_TRAIL_END, TRAIL_END},
    trail::{ChainEnd, EndRow, Entry, ToldRow, end_to_append_to},
};
use domain::{event::Event, time::Timestamp};
use secrets::KeyRing;
use std::{
    sync::{Arc, OnceLock, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};
use tokio::time::timeout;

/// The name of the lock on the end of the trail. It is taken last, and by whoever has something to record.
const TRAIL: i64 = 0x4353_676e_0001;
/// How often a job is run again that the server rolled back for the sake of others.
const AGAIN_MAX: u32 = 5;
/// How long it waits before that, more each time.
const AGAIN_AFTER: Duration = Duration::from_millis(30);

/// How long a server may keep silent: on the statements of a transaction, on those of a query, on COMMIT. It ends what
/// it hears of by itself before that; whoever does not answer by then is gone, or what lies between is.
const WRITE_MAX: Duration = Duration::from_secs(10);
const READ_MAX: Duration = Duration::from_secs(25);
const COMMIT_MAX: Duration = Duration::from_secs(5);

/// What transactions need.
pub(super) struct Transactions {
    pub(super) pool: Arc<Pool>,
    pub(super) ring: OnceLock<KeyRing>,
}

impl Transactions {
    /// Runs jobs in one transaction and answers them. Who has not begun is handed back.
    pub(super) async fn serve(&self, jobs: Vec<Box<dyn Job>>) -> Vec<Box<dyn Job>> {
        let figures = self.pool.figures();
        figures.steps.fetch_add(jobs.len() as u64, Relaxed);
        match self.attempt(&jobs, true).await {
            Ok(put_off) => {
                figures.steps.fetch_sub(put_off.len() as u64, Relaxed);
                let mut left = Vec::with_capacity(put_off.len());
                for (i, job) in jobs.into_iter().enumerate() {
                    if put_off.contains(&i) { left.push(job) } else { job.settle(Ok(())) }
                }
                left
            }
            Err(Broken::Failed(_) | Broken::Again(_)) if jobs.len() > 1 => {
                figures.regrouped.fetch_add(1, Relaxed);
                for job in jobs {
                    self.serve_alone(job).await;
                }
                vec![]
            }
            Err(broken @ Broken::Again(_)) => {
                for job in jobs {
                    self.again(job, broken_text(&broken)).await;
                }
                vec![]
            }
            Err(broken) => {
                let failure = broken.into_failure();
                jobs.into_iter().for_each(|job| job.settle(Err(failure.clone())));
                vec![]
            }
        }
    }

    /// Runs a job in a transaction of its own and answers it.
    pub(super) async fn serve_alone(&self, job: Box<dyn Job>) {
        match self.attempt(std::slice::from_ref(&job), true).await {
            Ok(_) => job.settle(Ok(())),
            Err(broken @ Broken::Again(_)) => self.again(job, broken_text(&broken)).await,
            Err(broken) => job.settle(Err(broken.into_failure())),
        }
    }

    async fn again(&self, job: Box<dyn Job>, mut why: String) {
        for n in 1..=AGAIN_MAX {
            // Time for whoever was let through.
            tokio::time::sleep(AGAIN_AFTER * n).await;
            self.pool.figures().repeated.fetch_add(1, Relaxed);
            match self.attempt(std::slice::from_ref(&job), true).await {
                Ok(_) => return job.settle(Ok(())),
                Err(broken @ Broken::Again(_)) => why = broken_text(&broken),
                Err(broken) => return job.settle(Err(broken.into_failure())),
            }
        }
        job.settle(Err(Failure::busy(why)));
    }

    /// Runs a query on one snapshot and answers it.
    pub(super) async fn read(&self, job: Box<dyn Job>) {
        match self.attempt(std::slice::from_ref(&job), false).await {
            Ok(_) => job.settle(Ok(())),
            Err(broken) => job.settle(Err(broken.into_failure())),
        }
    }

    /// What the server's clock says between two readings of another.
    pub(super) async fn read_clock(
        &self,
        clock: &(dyn Fn() -> Timestamp + Send + Sync),
    ) -> Result<ClockReading, Failure> {
        let lease = self.pool.lease().await?;
        let before = clock();
        let told = timeout(COMMIT_MAX, lease.connection.server_time()).await;
        let after = clock();
        match told {
            Ok(Ok(Some(told))) => {
                lease.give_back();
                Ok(ClockReading { before, told: Timestamp::from_millis(told), after })
            }
            told => {
                lease.discard();
                Err(match told {
                    Ok(Err(e)) => Failure::busy(format!("the server's clock: {}", reason(&e))),
                    Ok(_) => Failure::internal("the server's clock says no number"),
                    Err(_) => silent(),
                })
            }
        }
    }

    /// One transaction, committed or rolled back. Answers who has not begun.
    async fn attempt(&self, jobs: &[Box<dyn Job>], writes: bool) -> Result<Vec<usize>, Broken> {
        let mut lease = self.pool.lease().await.map_err(Broken::Lost)?;
        let (begin, limit) = match writes {
            true => ("BEGIN", WRITE_MAX),
            false => ("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", READ_MAX),
        };
        let done = timeout(limit, Rounds::new(jobs, writes).run(&mut lease.connection, begin)).await;
        let done = done.unwrap_or_else(|_| Err(Broken::Lost(silent())));
        let committed = match done {
            Ok(done) => self.commit(&mut lease.connection, done).await,
            Err(broken) => Err(broken),
        };
        match &committed {
            Ok(_) => lease.give_back(),
            Err(Broken::Failed(_) | Broken::Again(_)) => {
                match timeout(COMMIT_MAX, lease.connection.client().batch_execute("ROLLBACK")).await {
                    Ok(Ok(())) => lease.give_back(),
                    _ => lease.discard(),
                }
            }
            Err(Broken::Lost(_) | Broken::Unknown(_)) => lease.discard(),
        }
        committed
    }

    async fn commit(&self, connection: &mut Connection, done: Done) -> Result<Vec<usize>, Broken> {
        let entries = match done.recorded.is_empty() {
            true => vec![],
            false => {
                let linked = timeout(WRITE_MAX, self.linked(connection, &done.recorded)).await;
                linked.unwrap_or_else(|_| Err(Broken::Lost(silent())))?
            }
        };
        let asks: Vec<&Ask> = entries.iter().collect();
        // The entries go first and alone: an error of theirs is known before COMMIT is sent, which would answer it with
        // a rollback that looks like success.
        if !asks.is_empty() {
            let go = Go { begin: None, names: vec![], locking: false, asks };
            let written = timeout(WRITE_MAX, run(connection, go)).await;
            written.unwrap_or_else(|_| Err(Broken::Lost(silent())))?;
        }
        if done.announced {
            let announced = timeout(WRITE_MAX, connection.client().batch_execute(ANNOUNCE)).await;
            let announced = announced.map_err(|_| Broken::Lost(silent()))?;
            announced.map_err(|e| Broken::by_statement(ANNOUNCE, &e))?;
        }
        let figures = self.pool.figures();
        let begun = Instant::now();
        let committed = timeout(COMMIT_MAX, connection.commit()).await;
        figures.committed(begun.elapsed());
        let broken = match committed {
            Ok(Ok(())) => return Ok(done.put_off),
            Err(_) => Broken::Unknown(silent()),
            Ok(Err(Unconfirmed::Warning(text))) => Broken::Unknown(Failure::busy(format!("COMMIT: {text}"))),
            Ok(Err(Unconfirmed::Error(e))) => match Broken::by_statement("COMMIT", &e) {
                again @ Broken::Again(_) => again,
                other => Broken::Unknown(Failure::Busy(match other.into_failure() {
                    Failure::Busy(text) | Failure::Internal(text) => text,
                })),
            },
        };
        figures.failed_commits.fetch_add(1, Relaxed);
        Err(broken)
    }

    /// The entries with their places in the trail, whose end is locked from here to the commit.
    async fn linked(&self, connection: &mut Connection, recorded: &[Event]) -> Result<Vec<Ask>, Broken> {
        // No act without its record: before the key ring is there, nothing that records one can be done.
        let ring = self.ring.get();
        let ring = ring.ok_or_else(|| Broken::Failed(Failure::internal("the trail has no key yet")))?;
        let (last, told) = (Ask::new(&LAST_EVENT, &[], true), Ask::new(&TRAIL_END, &[], true));
        let go = Go { begin: None, names: vec![TRAIL], locking: false, asks: vec![&last, &told] };
        let mut replies = run(connection, go).await?.into_iter();
        let last = first_row::<(i64, i64, [u8; 32])>(replies.next())?;
        let told = first_row::<ToldRow>(replies.next())?;
        let last = last.map_or_else(ChainEnd::default, |(seq, _, mac)| ChainEnd { seq, mac });
        let mut end = end_to_append_to(last, told, ring);
        let mut asks: Vec<Ask> = Vec::with_capacity(recorded.len() + 1);
        for event in recorded {
            let entry = Entry::of(event);
            end = entry.link(ring, &end);
            asks.push(Ask::new(&APPEND_EVENT, &entry.params(&end), false));
        }
        asks.push(Ask::new(&SET_TRAIL_END, &EndRow::of(end, ring).params(), false));
        Ok(asks)
    }
}

fn silent() -> Failure {
    Failure::busy("PostgreSQL keeps silent")
}

/// The only row of a reply, if there is one.
fn first_row<R: FromRow>(reply: Option<Reply>) -> Result<Option<R>, Broken> {
    match reply {
        Some(Reply::Rows(rows)) => rows.first().map(R::from_row).transpose().map_err(Broken::Failed),
        _ => Err(Broken::Failed(Failure::internal("the end of the trail was not read"))),
    }
}

fn broken_text(broken: &Broken) -> String {
    match broken {
        Broken::Again(e) | Broken::Lost(e) | Broken::Failed(e) | Broken::Unknown(e) => e.to_string(),
    }
}
