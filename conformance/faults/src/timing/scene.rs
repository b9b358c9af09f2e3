//! The requests of each pair, against a server whose clock only this program moves.
use crate::{
    dice::Dice,
    server::{KEY, Plan},
};
use loadgen::{
    http::{Conn, Request, Response},
    totp,
    wire::{Api, Factor, Refusal},
};
use serde_json::Value;
use std::{process::Command, sync::Arc, time::Instant};

/// The pairs: a name, and what is compared.
pub(crate) const PAIRS: [(&str, &str); 9] = [
    ("replay", "a wrong code and a used one"),
    ("near", "a wrong code and one with five right digits"),
    ("earlier", "a right code of this step and of the one before"),
    ("later", "a right code of this step and of the next"),
    ("locked", "a wrong code and a right one, factor locked"),
    ("used", "a wrong code and a right one, challenge used"),
    ("find", "an absent factor and a foreign one, read"),
    ("open", "an absent factor and a foreign one, challenged"),
    ("verify", "an absent challenge and a foreign one"),
];

/// 2031-01-01T00:00:15Z, the middle of a step, in seconds.
const BEGIN: u64 = 1_924_992_015;
/// What the clock moves on by in each round: no step of a round fits the next.
const ROUND_SECONDS: u64 = 120;
/// The longest lock (W9).
const LOCK_SECONDS: u64 = 3_600;

/// One factor a pair, so that no pair charges another's budget.
pub(crate) struct Scene {
    api: Arc<Api>,
    conn: Conn,
    /// Since [`BEGIN`].
    seconds: u64,
    /// Of `replay`, `near` and `used`.
    guessed: [Factor; 3],
    /// Of this step, the one before and the next.
    steps: [Factor; 4],
    locked: (Factor, String),
    /// Until when it is locked, in seconds since [`BEGIN`].
    locked_until: u64,
    foreign: (Factor, String),
    absent: (String, String),
}

/// One command of the binary, beside the running server.
fn command(plan: &Plan, args: &[&str]) -> Result<Value, String> {
    let out = Command::new(&plan.binary).args(args).arg("--json").arg("--data").arg(&plan.data).output();
    let out = out.map_err(|e| format!("{args:?}: {e}"))?;
    if !out.status.success() {
        return Err(format!("{args:?}: {}", String::from_utf8_lossy(&out.stderr)));
    }
    serde_json::from_slice(&out.stdout).map_err(|e| format!("{args:?}: {e}"))
}

/// Why a round does not come to its end.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// The server had no time: this round says nothing, and the next may.
    Busy,
    /// An answer that this is not about, or none.
    Other(String),
}

impl From<String> for Trouble {
    fn from(why: String) -> Trouble {
        Trouble::Other(why)
    }
}

impl From<&str> for Trouble {
    fn from(why: &str) -> Trouble {
        Trouble::Other(why.to_owned())
    }
}

fn told<T>(reply: std::io::Result<Result<T, Refusal>>) -> Result<T, Trouble> {
    reply.map_err(|e| e.to_string())?.map_err(|refusal| match refusal {
        Refusal::Busy => Trouble::Busy,
        other => Trouble::Other(format!("{other:?}")),
    })
}

impl Scene {
    /// Enrolls everything.
    ///
    /// # Errors
    /// One sentence if the server refuses anything.
    pub(crate) async fn set(plan: &Plan) -> Result<Scene, Trouble> {
        command(plan, &["environment", "create", "foreign"])?;
        let made = command(plan, &["api-key", "create", "--environment", "foreign"])?;
        let key = made["key"].as_str().ok_or("no key was made")?;
        let (api, theirs) = (plan.api()?, Api::new(plan.addr, key, None)?);
        let mut conn = api.conn();
        let clock = r#"{"set":"2031-01-01T00:00:15.000Z","frozen":true}"#;
        let set = post(&mut conn, "/countersign/dev/clock", clock).await?;
        if set.status != 200 {
            return Err(format!("the clock is not set: {}", set.status).into());
        }
        let foreign = told(theirs.enroll(&mut conn, None).await)?;
        let foreign_challenge = told(theirs.challenge(&mut conn, &foreign.id).await)?;
        let mut factors = Vec::new();
        for _ in 0..8 {
            factors.push(told(api.enroll(&mut conn, None).await)?);
        }
        let enrolled: Result<[Factor; 8], _> = factors.try_into();
        let [a, b, c, d, e, f, g, locked] = enrolled.map_err(|_| "eight factors were enrolled")?;
        // Of the same age and form as the foreign ones, and never made here.
        let absent = (absent(&foreign.id), absent(&foreign_challenge));
        let mut scene = Scene {
            api,
            conn,
            seconds: 0,
            guessed: [a, b, c],
            steps: [d, e, f, g],
            locked: (locked, String::new()),
            locked_until: 0,
            foreign: (foreign, foreign_challenge),
            absent,
        };
        scene.lock_for_an_hour().await?;
        Ok(scene)
    }

    /// Wrong attempts with the clock moved past each lock, until a lock lasts an hour. One more follows whenever that
    /// is over, so the hundredth is not reached in two thousand rounds.
    async fn lock_for_an_hour(&mut self) -> Result<(), Trouble> {
        for wrong in 0..20 {
            self.lock_once(wrong).await?;
            self.advance(LOCK_SECONDS).await?;
        }
        self.lock_once(20).await
    }

    async fn lock_once(&mut self, nth: u32) -> Result<(), Trouble> {
        let factor = self.locked.0.clone();
        self.locked.1 = self.challenge(&factor).await?;
        let code = totp::wrong_code(&factor.secret, self.step(), nth).ok_or("no wrong code")?;
        // Not known yet, should the server not say.
        self.locked_until = 0;
        let left = match self.verify(&self.locked.1.clone(), &code).await?.0 {
            201 => LOCK_SECONDS,
            // It did so a round or two ago, and could not say.
            429 => LOCK_SECONDS - 3 * ROUND_SECONDS,
            status => return Err(format!("the attempt that locks says {status}").into()),
        };
        self.locked_until = self.seconds + left;
        Ok(())
    }

    fn step(&self) -> u64 {
        (BEGIN + self.seconds) / 30
    }

    async fn advance(&mut self, seconds: u64) -> Result<(), Trouble> {
        self.seconds += seconds;
        told(self.api.advance_clock(&mut self.conn, seconds).await)
    }

    async fn challenge(&mut self, factor: &Factor) -> Result<String, Trouble> {
        told(self.api.challenge(&mut self.conn, &factor.id).await)
    }

    async fn verify(&mut self, challenge: &str, code: &str) -> Result<(u16, u64), Trouble> {
        let (path, body) = Api::verify_parts(challenge, code);
        self.timed("POST", &path, &body).await
    }

    /// The status, and the nanoseconds from before the first byte to after the last.
    async fn timed(&mut self, method: &str, path: &str, body: &str) -> Result<(u16, u64), Trouble> {
        let request = Request { method, path, key: KEY, idempotency_key: None, body };
        let start = Instant::now();
        let response = self.conn.call(request).await.map_err(|e| e.to_string())?;
        if response.status == 503 {
            return Err(Trouble::Busy);
        }
        Ok((response.status, u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Asks the two of a pair, in an order that is thrown.
    async fn both(
        &mut self,
        dice: &mut Dice,
        name: &'static str,
        asked: [(&str, &str, &str); 2],
        wanted: u16,
        tell: &mut impl FnMut(&'static str, bool, u64),
    ) -> Result<(), Trouble> {
        let first = dice.below(2) == 0;
        for is_a in [first, !first] {
            let [a, b] = asked;
            let (method, path, body) = if is_a { a } else { b };
            let (status, took) = self.timed(method, path, body).await?;
            if status != wanted {
                return Err(format!("{name}: {path} says {status}, not {wanted}").into());
            }
            tell(name, is_a, took);
        }
        Ok(())
    }

    /// Two codes for the challenges of a pair.
    async fn codes(
        &mut self,
        dice: &mut Dice,
        name: &'static str,
        challenges: [&str; 2],
        codes: [&str; 2],
        wanted: u16,
        tell: &mut impl FnMut(&'static str, bool, u64),
    ) -> Result<(), Trouble> {
        let [(a, a_body), (b, b_body)] =
            [0, 1].map(|n: usize| Api::verify_parts(challenges[n.min(1)], codes[n.min(1)]));
        self.both(dice, name, [("POST", &a, &a_body), ("POST", &b, &b_body)], wanted, tell).await
    }

    /// Every pair once. `tell` gets the name, whether it was the first of the two, and the nanoseconds.
    ///
    /// # Errors
    /// One sentence if an answer is not the one that this is about.
    pub(crate) async fn round(
        &mut self,
        dice: &mut Dice,
        mut tell: impl FnMut(&'static str, bool, u64),
    ) -> Result<(), Trouble> {
        self.advance(ROUND_SECONDS).await?;
        let step = self.step();
        let nth = u32::try_from(dice.below(400_000)).unwrap_or(0);
        let code = |factor: &Factor, step| totp::code(&factor.secret, step).ok_or("no code");
        let wrong = |factor: &Factor| totp::wrong_code(&factor.secret, step, nth).ok_or("no wrong code");

        // A right code first, so that wrong attempts never add up, then wrong ones on a challenge of their own.
        for (n, name) in ["replay", "near", "used"].into_iter().enumerate() {
            let factor = self.guessed.get(n).cloned().ok_or("no factor")?;
            let right = code(&factor, step)?;
            let used = self.challenge(&factor).await?;
            if self.verify(&used, &right).await?.0 != 201 {
                return Err("a right code is refused".into());
            }
            let open = self.challenge(&factor).await?;
            let wrong = wrong(&factor)?;
            let (on, other, wanted) = match name {
                "replay" => (&open, right, 201),
                "near" => (&open, near(&factor, &code(&factor, step + 1)?, step)?, 201),
                _ => (&used, code(&factor, step + 1)?, 422),
            };
            self.codes(dice, name, [on, on], [&wrong, &other], wanted, &mut tell).await?;
        }
        for (name, factors, other) in [("earlier", [0, 1], step - 1), ("later", [2, 3], step + 1)] {
            let [a, b] = factors.map(|n| self.steps.get::<usize>(n).cloned());
            let (a, b) = a.zip(b).ok_or("no factor")?;
            let on = [self.challenge(&a).await?, self.challenge(&b).await?];
            let codes = [code(&a, step)?, code(&b, other)?];
            self.codes(dice, name, [&on[0], &on[1]], [&codes[0], &codes[1]], 201, &mut tell).await?;
        }

        // Lock and challenge are renewed when they end.
        if self.seconds >= self.locked_until {
            self.lock_once(nth).await?;
        } else if self.seconds % 480 < ROUND_SECONDS {
            let factor = self.locked.0.clone();
            self.locked.1 = self.challenge(&factor).await?;
        }
        let (factor, on) = self.locked.clone();
        let codes = [wrong(&factor)?, code(&factor, step)?];
        self.codes(dice, "locked", [&on, &on], [&codes[0], &codes[1]], 429, &mut tell).await?;

        let ((theirs, their_challenge), (none, no_challenge)) = (self.foreign.clone(), self.absent.clone());
        let paths = [&none, &theirs.id].map(|id| format!("/auth/factors/{id}"));
        self.both(dice, "find", [("GET", &paths[0], ""), ("GET", &paths[1], "")], 404, &mut tell).await?;
        let paths = paths.map(|path| format!("{path}/challenge"));
        self.both(dice, "open", [("POST", &paths[0], ""), ("POST", &paths[1], "")], 404, &mut tell).await?;
        let code = code(&theirs, step)?;
        let on = [no_challenge.as_str(), their_challenge.as_str()];
        self.codes(dice, "verify", on, [&code, &code], 404, &mut tell).await
    }
}

async fn post(conn: &mut Conn, path: &str, body: &str) -> Result<Response, String> {
    let request = Request { method: "POST", path, key: KEY, idempotency_key: None, body };
    conn.call(request).await.map_err(|e| e.to_string())
}

/// An id with the time of this one that was never given out.
fn absent(id: &str) -> String {
    let (begin, last) = id.split_at(id.len().saturating_sub(1));
    format!("{begin}{}", if last == "0" { "1" } else { "0" })
}

/// A code that has all digits of `right` but its last, and is right in no step near.
fn near(factor: &Factor, right: &str, step: u64) -> Result<String, String> {
    let around: Vec<String> =
        (step.saturating_sub(2)..=step + 2).filter_map(|s| totp::code(&factor.secret, s)).collect();
    let five = right.get(..5).unwrap_or_default();
    let mut all = (0..10).map(|digit| format!("{five}{digit}"));
    all.find(|code| !around.contains(code)).ok_or_else(|| "no code is near".into())
}
