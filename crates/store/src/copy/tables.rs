//! The tables of the schema, as a copy walks them. A test holds this list against the migrations.

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Int,
    /// Bytes.
    Bytes,
    /// Text.
    Text,
}

use Kind::{Bytes, Int, Text};

/// A table.
#[derive(Debug)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in the order of the schema.
    pub columns: &'static [(&'static str, Kind)],
    /// How many of them, from the first on, are its key.
    pub key: usize,
}

impl Table {
    /// The names of the columns, for a statement.
    pub(crate) fn column_names(&self) -> String {
        names(self.columns.iter())
    }

    /// The names of the key's columns.
    pub(crate) fn key_names(&self) -> String {
        names(self.columns.iter().take(self.key))
    }

    /// A page of rows in the order of the key, from the beginning or after a key. `mark` is what parameters begin with.
    pub(crate) fn page(&self, after: bool, mark: char, limit: usize) -> String {
        let (columns, key) = (self.column_names(), self.key_names());
        let params: Vec<String> = (1..=self.key).map(|n| format!("{mark}{n}")).collect();
        let condition =
            if after { format!("WHERE ({key}) > ({})", params.join(", ")) } else { String::new() };
        format!("SELECT {columns} FROM {} {condition} ORDER BY {key} LIMIT {limit}", self.name)
    }
}

fn names<'t>(columns: impl Iterator<Item = &'t (&'static str, Kind)>) -> String {
    columns.map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// All tables, each after those that its rows refer to.
pub const TABLES: &[Table] = &[
    Table {
        name: "environment",
        columns: &[("id", Bytes), ("name", Text), ("mode", Text), ("client_id", Text)],
        key: 1,
    },
    Table { name: "setting", columns: &[("environment_id", Bytes), ("name", Text), ("value", Text)], key: 2 },
    Table {
        name: "api_key",
        columns: &[
            ("id", Bytes),
            ("environment_id", Bytes),
            ("name", Text),
            ("hint", Text),
            ("digest", Bytes),
            ("permissions", Text),
            ("expires_at", Int),
            ("revoked_at", Int),
            ("last_used_at", Int),
        ],
        key: 1,
    },
    Table {
        name: "data_key",
        columns: &[("id", Int), ("purpose", Text), ("wrapped", Bytes), ("created_at", Int), ("retired", Int)],
        key: 1,
    },
    Table {
        name: "factor",
        columns: &[
            ("id", Bytes),
            ("environment_id", Bytes),
            ("user_id", Text),
            ("kind", Text),
            ("issuer", Text),
            ("label_user", Text),
            ("sealed", Bytes),
        ],
        key: 1,
    },
    Table {
        name: "factor_guard",
        columns: &[
            ("factor_id", Bytes),
            ("environment_id", Bytes),
            ("verified_at", Int),
            ("wrong_in_a_row", Int),
            ("locked_until", Int),
            ("last_step", Int),
            ("open_challenges", Bytes),
        ],
        key: 1,
    },
    Table {
        name: "challenge",
        columns: &[
            ("id", Bytes),
            ("environment_id", Bytes),
            ("factor_id", Bytes),
            ("expires_at", Int),
            ("attempts_used", Int),
            ("verified_at", Int),
            ("code_digest", Bytes),
            ("wrong_attempts", Bytes),
        ],
        key: 1,
    },
    Table {
        name: "user_budget",
        columns: &[("environment_id", Bytes), ("user_id", Text), ("wrong_at", Bytes)],
        key: 2,
    },
    Table {
        name: "delivery",
        columns: &[
            ("id", Bytes),
            ("environment_id", Bytes),
            ("factor_id", Bytes),
            ("challenge_id", Bytes),
            ("channel", Text),
            ("useful_until", Int),
            ("state", Text),
            ("lease_until", Int),
            ("outcome", Text),
            ("settled_at", Int),
            ("provider", Text),
            ("message_id", Text),
            ("dispatches", Text),
            ("receipts", Text),
            ("sealed", Bytes),
        ],
        key: 1,
    },
    Table {
        name: "sms_send",
        columns: &[
            ("environment_id", Bytes),
            ("number_digest", Bytes),
            ("at", Int),
            ("delivery_id", Bytes),
            ("challenge_id", Bytes),
            ("block_digest", Bytes),
            ("area", Text),
            ("country", Text),
            ("user_digest", Bytes),
            ("address_digest", Bytes),
            ("segments", Int),
            ("micros", Int),
            ("verified_at", Int),
        ],
        key: 4,
    },
    Table {
        name: "guard_spend",
        columns: &[("environment_id", Bytes), ("day", Int), ("country", Text), ("micros", Int)],
        key: 3,
    },
    Table {
        name: "remembered_answer",
        columns: &[
            ("seq", Int),
            ("digest", Bytes),
            ("environment_id", Bytes),
            ("created_at", Int),
            ("pending", Int),
            ("sealed", Bytes),
        ],
        key: 1,
    },
    Table {
        name: "event",
        columns: &[
            ("seq", Int),
            ("at", Int),
            ("environment_id", Bytes),
            ("kind", Text),
            ("actor", Text),
            ("factor_id", Bytes),
            ("challenge_id", Bytes),
            ("user_id", Text),
            ("detail", Text),
            ("mac", Bytes),
        ],
        key: 1,
    },
    Table {
        name: "trail_end",
        columns: &[("id", Int), ("seq", Int), ("mac", Bytes), ("proof", Bytes)],
        key: 1,
    },
    Table { name: "heartbeat", columns: &[("id", Int), ("at", Int)], key: 1 },
];

/// The table of that name, which is one of the list.
pub(crate) fn table(name: &str) -> Option<&'static Table> {
    TABLES.iter().find(|table| table.name == name)
}
