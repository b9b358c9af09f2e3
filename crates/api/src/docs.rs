//! The page.
use crate::reply::Reply;

pub(crate) fn reply() -> Reply {
    Reply::json(200, "{}")
}
