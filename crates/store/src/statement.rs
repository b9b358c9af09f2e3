//! One SQL text per statement, for every engine.

use std::sync::OnceLock;

/// A statement of the catalogue. Parameters are written `$1`, `$2`, …, in the subset of SQL that all engines speak.
#[derive(Debug)]
pub struct Statement {
    /// Its name in the catalogue, for errors and metrics.
    pub name: &'static str,
    /// Its text.
    pub sql: &'static str,
    /// What it needs where several writers run at once.
    pub sharing: Sharing,
    /// The same with `?1`, `?2`, …: SQLite takes `$1` for a name, numbered by its first use.
    pub(crate) numbered: OnceLock<String>,
}

impl Statement {
    /// The text for SQLite, rewritten once.
    pub(crate) fn numbered(&self) -> &str {
        self.numbered.get_or_init(|| self.sql.replace('$', "?"))
    }
}

/// What a lock is on. The order is the one in which every step takes its locks, so that no two wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The key ring as a whole.
    KeyRing,
    /// A remembered answer, also one that is still to be written.
    Answer,
    /// A message that is owed.
    Delivery,
    /// A factor, with the challenge that is answered.
    Factor,
    /// A user's budget.
    User,
    /// A user's number of factors.
    FactorCount,
    /// The messages to a number.
    Number,
    /// The messages of an environment.
    Quota,
}

/// What tells two locks on one subject apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The first so many parameters.
    Params(usize),
    /// What the statement finds in its first column.
    Found,
}

/// A lock that a statement takes before it reads, until the end of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lock {
    /// On what.
    pub subject: Subject,
    /// On which.
    pub by: By,
    /// The clause that locks the rows it reads, in the order of their ids. Without one the name is locked that `by`
    /// makes: what is not there yet has no row.
    pub rows: Option<&'static str>,
}

/// What a statement needs on an engine with several writers. SQLite has one, and does not look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sharing {
    /// Its lock, if what it reads decides about a write.
    pub lock: Option<Lock>,
    /// Whether it may be run once for many: one condition, or one row of values, and at most one row found for each.
    pub for_many: bool,
    /// Whether it changes what nodes hold in memory, and is announced to them by the commit.
    pub announced: bool,
}

impl Sharing {
    /// Nothing.
    pub const NONE: Self = Self { lock: None, for_many: false, announced: false };
    /// May be run once for many.
    pub const MANY: Self = Self { for_many: true, ..Self::NONE };
    /// Changes what nodes hold in memory.
    pub const ANNOUNCED: Self = Self { announced: true, ..Self::NONE };

    /// Locks the rows it reads.
    #[must_use]
    pub const fn rows(subject: Subject, by: By, clause: &'static str) -> Self {
        Self { lock: Some(Lock { subject, by, rows: Some(clause) }), ..Self::NONE }
    }

    /// Locks the name made of the subject and the first `params` parameters.
    #[must_use]
    pub const fn name(subject: Subject, params: usize) -> Self {
        Self { lock: Some(Lock { subject, by: By::Params(params), rows: None }), ..Self::NONE }
    }

    /// The same, and it may be run once for many.
    #[must_use]
    pub const fn for_many(self) -> Self {
        Self { for_many: true, ..self }
    }
}

/// Declares statements, and the list of all of them that a test prepares on every engine.
macro_rules! catalogue {
    (@sharing) => { $crate::statement::Sharing::NONE };
    (@sharing $sharing:expr) => { $sharing };
    ($($(#[$doc:meta])* $name:ident = $sql:literal $(, $sharing:expr)?;)+) => {
        $($(#[$doc])* #[doc = concat!("`", stringify!($name), "`: ", $sql)] pub static $name: $crate::statement::Statement =
            $crate::statement::Statement {
                name: stringify!($name),
                sql: $sql,
                sharing: $crate::statement::catalogue!(@sharing $($sharing)?),
                numbered: ::std::sync::OnceLock::new(),
            };)+

        /// Every statement there is.
        pub static ALL: &[&$crate::statement::Statement] = &[$(&$name),+];
    };
}
pub(crate) use catalogue;
