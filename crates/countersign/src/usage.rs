//! Wrong usage or configuration: something that only the person who typed it can put right.

/// One or more lines that name the key, its place and the fix. The process ends with 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Wrong(pub(crate) String);

/// Fails with a [`Wrong`].
pub(crate) fn wrong<T>(what: impl Into<String>) -> anyhow::Result<T> {
    Err(Wrong(what.into()).into())
}
