//! The nodes of a run: one on the embedded store, two on a PostgreSQL of the run's own.
use crate::{
    caller::{Caller, Guess, this_step},
    front::Front,
    history::{Journal, Outcome},
    postgres::{self, Postgres},
    run::{Run, Store},
    server::{Plan, Server},
};
use std::{sync::Arc, time::Duration};

/// Nodes, each with how it is started.
pub(crate) struct Nodes {
    pub(crate) plans: Vec<Plan>,
    pub(crate) servers: Vec<Server>,
    _postgres: Option<Postgres>,
}

impl Nodes {
    /// Starts what `--store` says and waits until it is ready.
    ///
    /// # Errors
    /// One sentence if something does not start.
    pub(crate) async fn start(run: &Run) -> Result<Nodes, String> {
        if run.store == Store::Sqlite {
            let plan = Plan::new(&run.binary, &run.folder)?;
            let (server, _) = plan.start_ready().await?;
            return Ok(Nodes { plans: vec![plan], servers: vec![server], _postgres: None });
        }
        let postgres = Postgres::start(&run.folder.join("postgres"), &[]).await?;
        postgres.database("faults").await?;
        let url = postgres::url(&[postgres.port], "faults", "");
        let nodes = Nodes::on(run, "", [url.clone(), url]).await?;
        Ok(Nodes { _postgres: Some(postgres), ..nodes })
    }

    /// Starts two nodes, each with the database's URL as it is to see it. `name` begins the names of their folders.
    ///
    /// # Errors
    /// One sentence if something does not start.
    pub(crate) async fn on(run: &Run, name: &str, [a, b]: [String; 2]) -> Result<Nodes, String> {
        let first = Plan::new(&run.binary, &run.folder.join(format!("{name}node-a")))?.with_database(a);
        let (one, _) = first.start_ready().await?;
        let second = Plan::new(&run.binary, &run.folder.join(format!("{name}node-b")))?.with_database(b);
        second.share_master_key(&first)?;
        let (two, _) = second.start_ready().await?;
        Ok(Nodes { plans: vec![first, second], servers: vec![one, two], _postgres: None })
    }

    /// All of them, by turns.
    ///
    /// # Errors
    /// As [`Plan::api`].
    pub(crate) fn front(&self) -> Result<Arc<Front>, String> {
        let mut apis = self.plans.iter().map(Plan::api).collect::<Result<Vec<_>, String>>()?.into_iter();
        let first = apis.next().ok_or("there is no node")?;
        Ok(Front::new(first, apis.collect()))
    }

    /// # Errors
    /// One sentence if a node has ended by itself.
    pub(crate) fn still_there(&mut self) -> Result<(), String> {
        match self.servers.iter_mut().find_map(Server::exited) {
            Some(status) => Err(format!("a node ended by itself: {status}")),
            None => Ok(()),
        }
    }

    /// Waits until every node is ready and lets somebody log in, and returns how long that took.
    ///
    /// # Errors
    /// One sentence if one ends, or does not do so within `limit`.
    pub(crate) async fn work_again(
        &mut self,
        journal: &Arc<Journal>,
        limit: Duration,
    ) -> Result<Duration, String> {
        let begun = std::time::Instant::now();
        self.still_there()?;
        for plan in &self.plans {
            while !crate::server::is_ready(plan.addr).await {
                if begun.elapsed() > limit {
                    return Err(format!("a node was not ready again within {} s", limit.as_secs()));
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let mut caller = Caller::new(&plan.front()?, journal, limit);
            while log_in(&mut caller).await != Some(Outcome::Verdict(true)) {
                if begun.elapsed() > limit {
                    return Err(format!("nobody could log in at a node within {} s", limit.as_secs()));
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
        Ok(begun.elapsed())
    }
}

async fn log_in(caller: &mut Caller) -> Option<Outcome> {
    let factor = caller.enroll().await??;
    let challenge = caller.open(&factor).await??;
    caller.verify(&factor, &challenge, Guess::Right(this_step())).await
}
