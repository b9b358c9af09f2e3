//! What only reads.

mod directory;
mod factors;
mod latest_time;

pub use directory::{Directory, DirectoryRow, ReadDataKeys, ReadDirectory};
pub use factors::{FindFactor, ListFactors};
pub use latest_time::LatestTime;
