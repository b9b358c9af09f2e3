//! One SQL text per statement, for every engine.

use std::sync::OnceLock;

/// A statement of the catalogue. Parameters are written `$1`, `$2`, …, in the subset of SQL that all engines speak.
#[derive(Debug)]
pub struct Statement {
    /// Its name in the catalogue, for errors and metrics.
    pub name: &'static str,
    /// Its text.
    pub sql: &'static str,
    /// The same with `?1`, `?2`, …: SQLite takes `$1` for a name, numbered by its first use.
    pub(crate) numbered: OnceLock<String>,
}

impl Statement {
    /// The text for SQLite, rewritten once.
    pub(crate) fn numbered(&self) -> &str {
        self.numbered.get_or_init(|| self.sql.replace('$', "?"))
    }
}

/// Declares statements, and the list of all of them that a test prepares on every engine.
macro_rules! catalogue {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)+) => {
        $($(#[$doc])* #[doc = concat!("`", stringify!($name), "`: ", $sql)] pub static $name: $crate::statement::Statement =
            $crate::statement::Statement {
                name: stringify!($name),
                sql: $sql,
                numbered: ::std::sync::OnceLock::new(),
            };)+

        /// Every statement there is.
        pub static ALL: &[&$crate::statement::Statement] = &[$(&$name),+];
    };
}
pub(crate) use catalogue;
