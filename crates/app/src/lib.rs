//! Use cases: what a caller may ask, and what an operator may do.
//!
//! Each use case reads the clock once, asks the store for one durable step, and only then answers. How an answer looks
//! is the edge's business: it hands in a function that renders outcomes, so that a remembered answer (W7) can be
//! written in the same step as what it reports.

mod clock;
mod delete_factor;
mod directory;
mod enroll_factor;
mod find_challenge;
mod find_factor;
mod guard;
mod housekeeping;
mod list_factors;
mod nodes;
mod open_challenge;
pub mod operator;
mod rate;
mod remember;
mod replay_floor;
mod skew;
mod start;
mod verify_challenge;

pub use clock::{ClockGuard, DevClock, SystemClock};
pub use directory::Caller;
pub use enroll_factor::{EnrollRequest, Enrolled, NewFactor, TotpSecrets};
pub use guard::{GuardWatch, Guards};
pub use nodes::{KEY_SETTLES, RingError};
pub use open_challenge::{ChallengeRequest, Dispatcher, OpenedChallenge};
pub use remember::{Render, Retry};
pub use replay_floor::Floor;
pub use skew::SKEW_MAX_MILLIS;
pub use start::{App, Options, StartError};
pub use store::{
    Failure,
    remembered::{Answer, Memory},
    timing::{StepTimes, timed},
};
pub use verify_challenge::Verified;
