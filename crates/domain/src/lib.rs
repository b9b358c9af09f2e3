//! The rules of Countersign: what a code means, when a challenge is closed, when a factor locks.
//!
//! Plain functions over values, with time and randomness handed in. No I/O, no clock, no async, and no serialization:
//! edges translate.

pub mod budget;
pub mod challenge;
pub mod delivery;
pub mod dispatch;
pub mod environment;
pub mod event;
pub mod factor;
pub mod guard;
pub mod id;
pub mod label;
pub mod open_challenges;
pub mod page;
pub mod phone;
pub mod receipt;
pub mod refusal;
pub mod segments;
pub mod settings;
pub mod sms_template;
pub mod text;
pub mod time;
pub mod timeline;
pub mod user_budget;
pub mod user_id;
pub mod wrong_attempts;
