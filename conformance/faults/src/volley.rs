//! Many requests let go in one moment: each is sent but for its last byte, then the last bytes follow at once, so
//! that the server has them all before it has answered any.
use crate::{front::Front, races::Counts};
use loadgen::{
    http::Request,
    wire::{Api, Refusal},
};
use std::time::Duration;
use tokio::{task::JoinSet, time::timeout};

/// One code for one challenge.
#[derive(Debug, Clone)]
pub(crate) struct Shot {
    challenge: String,
    code: String,
}

impl Shot {
    pub(crate) fn new(challenge: &str, code: &str) -> Shot {
        Shot { challenge: challenge.to_owned(), code: code.to_owned() }
    }
}

/// How a volley was answered.
#[derive(Debug, Default)]
pub(crate) struct Tally(Vec<Result<bool, Refusal>>);

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.0.extend(other.0);
    }

    fn count(&self, answer: &Result<bool, Refusal>) -> usize {
        self.0.iter().filter(|a| *a == answer).count()
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::new();
        for answer in &self.0 {
            *counts.entry(format!("{answer:?}")).or_default() += 1;
        }
        counts
    }

    /// Exactly these answers, so many times each, and no others.
    ///
    /// # Errors
    /// The counts there are.
    pub(crate) fn expect(&self, exact: &[(Result<bool, Refusal>, usize)]) -> Result<(), String> {
        self.expect_only(exact, &[], exact.iter().map(|(_, n)| n).sum())
    }

    /// Exactly these answers, and for the rest up to `total` any of `others`.
    ///
    /// # Errors
    /// The counts there are.
    pub(crate) fn expect_only(
        &self,
        exact: &[(Result<bool, Refusal>, usize)],
        others: &[Refusal],
        total: usize,
    ) -> Result<(), String> {
        let exactly = exact.iter().all(|(answer, n)| self.count(answer) == *n);
        let known = |a: &Result<bool, Refusal>| {
            exact.iter().any(|(e, _)| e == a) || a.as_ref().is_err_and(|refusal| others.contains(refusal))
        };
        if exactly && self.0.len() == total && self.0.iter().all(known) {
            return Ok(());
        }
        Err(format!("answers {:?}, expected {exact:?}, the rest of {total} any of {others:?}", self.counts()))
    }
}

/// Lets go of all shots in one moment.
///
/// # Errors
/// One sentence if a request is not answered within 10 s: none of these may be lost.
pub(crate) async fn volley(front: &Front, shots: Vec<Shot>) -> Result<Tally, String> {
    let mut held = JoinSet::new();
    for shot in shots {
        let api = front.api().clone();
        held.spawn(async move {
            let (path, body) = Api::verify_parts(&shot.challenge, &shot.code);
            let mut conn = api.conn();
            let request =
                Request { method: "POST", path: &path, key: &api.key, idempotency_key: None, body: &body };
            conn.hold(request).await.map(|()| conn)
        });
    }
    let conns: Result<Vec<_>, _> = held.join_all().await.into_iter().collect();
    let mut conns = conns.map_err(|e| e.to_string())?;
    // The server reads what has come so far and waits for the rest.
    tokio::time::sleep(Duration::from_millis(20)).await;
    for conn in &mut conns {
        conn.release().await.map_err(|e| e.to_string())?;
    }
    let mut answers = JoinSet::new();
    for mut conn in conns {
        answers.spawn(async move { timeout(Duration::from_secs(10), conn.answer()).await });
    }
    let mut tally = Tally::default();
    for answer in answers.join_all().await {
        let response = answer.map_err(|_| "no answer within 10 s")?.map_err(|e| format!("no answer: {e}"))?;
        let verdict = (200..300).contains(&response.status).then(|| Api::verdict(&response.body)).flatten();
        tally.0.push(verdict.ok_or_else(|| Refusal::read(&response)));
    }
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::{Refusal, Tally};

    #[test]
    fn a_count_that_is_off_by_one_or_an_answer_too_many_is_seen() {
        let tally = Tally(vec![Ok(true), Ok(false), Err(Refusal::Locked)]);
        assert!(tally.expect(&[(Ok(true), 1), (Ok(false), 1), (Err(Refusal::Locked), 1)]).is_ok());
        assert!(tally.expect(&[(Ok(true), 1), (Ok(false), 2)]).is_err());
        assert!(tally.expect_only(&[(Ok(true), 1)], &[Refusal::Locked], 3).is_err());
        assert!(tally.expect_only(&[(Ok(true), 1), (Ok(false), 1)], &[Refusal::Locked], 3).is_ok());
        assert!(tally.expect_only(&[(Ok(true), 1), (Ok(false), 1)], &[Refusal::Locked], 4).is_err());
    }
}
