//! What only reads.

mod challenges;
mod directory;
mod factors;
mod latest_time;
mod outbox;
mod traffic;

pub use challenges::FindChallenge;
pub(crate) use directory::data_key_record;
pub use directory::{Directory, DirectoryRow, ReadDataKeys, ReadDirectory};
pub use factors::{FindFactor, ListFactors};
pub use latest_time::LatestTime;
pub use outbox::OldestUnsettledDelivery;
pub use traffic::{Counted, ListTraffic, Sent, SpentInDay};
