//! Which version may work on which schema: one rule for both engines (`docs/decisions/0012-rolling-upgrades.md`).

use super::fnv::Fnv;

/// A migration: a text that is never changed once released.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number, one more than that of the one before.
    pub version: i64,
    /// Its name.
    pub name: &'static str,
    /// Its statements.
    pub text: &'static str,
    /// The oldest migration that a version must know to go on working beside this one, at most `version`. 1 for what every
    /// version can be blind to; `version` itself if none of before can go on.
    pub works_with: i64,
}

/// All migrations of an engine. Both engines have the same ones, but for their texts.
pub(crate) const fn foundation(text: &'static str) -> Migration {
    Migration { version: 1, name: "foundation", text, works_with: 1 }
}

/// The number of the newest migration that this version knows.
pub(crate) const NEWEST: i64 = 1;

impl Migration {
    /// The sum by which an altered text is noticed. What it says of older versions is part of it.
    pub(crate) fn checksum(&self) -> i64 {
        Fnv::of(&format!("{}\n{}", self.works_with, self.text))
    }
}

/// What is logged when a version goes on beside a newer one.
pub(crate) const BEYOND_US: &str = "a newer version has migrated the database; this one goes on serving, and neither copies, restores nor re-seals it";

/// A row of the table of migrations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Applied {
    pub(crate) version: i64,
    pub(crate) checksum: i64,
    pub(crate) works_with: i64,
}

/// Why a version must leave a schema alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misfit {
    /// It has this migration, which is not known and cannot be worked beside.
    TooNew(i64),
    /// This migration was applied with another text, or is missing among those that were.
    Altered(i64),
}

/// A schema that a version may work on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fit<'k> {
    /// The newest migration that was applied, 0 if none was.
    pub(crate) newest: i64,
    /// The oldest migration that whoever works on it has to know, 0 if none was applied.
    pub(crate) works_with: i64,
    /// What is still to be applied.
    pub(crate) pending: &'k [Migration],
    /// Whether a migration was applied that is not known.
    pub(crate) is_newer: bool,
}

impl Fit<'_> {
    /// What whoever works on it will have to know, once the pending migrations are applied.
    pub(crate) fn will_work_with(&self) -> i64 {
        self.pending.iter().map(|m| m.works_with).fold(self.works_with, i64::max)
    }

    /// The first pending migration beside which not everybody can go on who can work on the schema as it is.
    pub(crate) fn first_to_break(&self) -> Option<i64> {
        self.pending.iter().find(|m| m.works_with > self.works_with).map(|m| m.version)
    }
}

/// The number of the newest of some migrations.
pub(crate) fn newest(known: &[Migration]) -> i64 {
    known.iter().map(|m| m.version).max().unwrap_or(0)
}

/// Whether a version that knows these migrations may work on a schema to which those were applied.
pub(crate) fn fit<'k>(known: &'k [Migration], applied: &[Applied]) -> Result<Fit<'k>, Misfit> {
    let ours = newest(known);
    for row in applied {
        match known.iter().find(|m| m.version == row.version) {
            Some(migration) if migration.checksum() == row.checksum => {}
            Some(_) => return Err(Misfit::Altered(row.version)),
            None if row.version > ours && row.works_with <= ours => {}
            None => return Err(Misfit::TooNew(row.version)),
        }
    }
    let newest = applied.iter().map(|row| row.version).max().unwrap_or(0);
    let is_applied = |m: &&Migration| applied.iter().any(|row| row.version == m.version);
    if let Some(missing) = known.iter().filter(|m| m.version <= newest).find(|m| !is_applied(m)) {
        return Err(Misfit::Altered(missing.version));
    }
    Ok(Fit {
        newest,
        works_with: applied.iter().map(|row| row.works_with).max().unwrap_or(0),
        pending: known.get(known.partition_point(|m| m.version <= newest)..).unwrap_or_default(),
        is_newer: newest > ours,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn migration(version: i64, works_with: i64) -> Migration {
        Migration { version, name: "", text: "", works_with }
    }

    fn row(m: &Migration) -> Applied {
        Applied { version: m.version, checksum: m.checksum(), works_with: m.works_with }
    }

    /// Adds, adds, takes away what those who know the second one no longer read.
    const ALL: [Migration; 3] = [migration(1, 1), migration(2, 1), migration(3, 2)];

    #[test]
    fn fault_21_a_newer_schema_is_worked_on_only_by_who_knows_what_it_works_with() {
        let applied = ALL.each_ref().map(row);
        assert_eq!(fit(&ALL[..1], &applied).unwrap_err(), Misfit::TooNew(3));
        let beside = fit(&ALL[..2], &applied).unwrap();
        assert!(beside.is_newer && beside.pending.is_empty() && beside.newest == 3 && beside.works_with == 2);
        assert!(!fit(&ALL, &applied).unwrap().is_newer);
        // The one before the one that breaks is no obstacle.
        assert!(fit(&ALL[..1], &applied[..2]).unwrap().is_newer);
    }

    #[test]
    fn both_engines_have_the_same_migrations_in_their_order() {
        let all = |known: &[Migration]| -> Vec<_> {
            known.iter().map(|m| (m.version, m.name, m.works_with)).collect()
        };
        let sqlite = all(crate::engine::sqlite::MIGRATIONS);
        assert_eq!(sqlite, all(crate::engine::postgres::MIGRATIONS));
        assert_eq!(sqlite.last().unwrap().0, NEWEST);
        for (n, (version, _, works_with)) in (1..).zip(sqlite) {
            assert!(version == n && (1..=n).contains(&works_with), "{version}");
        }
    }

    #[test]
    fn what_is_pending_says_whether_it_needs_the_others_to_stop() {
        let fresh = fit(&ALL, &[]).unwrap();
        assert_eq!((fresh.pending.len(), fresh.works_with, fresh.will_work_with()), (3, 0, 2));
        let adding = fit(&ALL[..2], &[row(&ALL[0])]).unwrap();
        assert_eq!((adding.pending.len(), adding.first_to_break(), adding.will_work_with()), (1, None, 1));
        let breaking = fit(&ALL, &[row(&ALL[0])]).unwrap();
        assert_eq!((breaking.first_to_break(), breaking.will_work_with()), (Some(3), 2));
    }

    #[test]
    fn fault_21_an_altered_and_a_missing_migration_are_noticed() {
        let mut applied = ALL.each_ref().map(row);
        assert_eq!(fit(&ALL, &applied[1..]).unwrap_err(), Misfit::Altered(1));
        assert_eq!(fit(&ALL, &[applied[0], applied[2]]).unwrap_err(), Misfit::Altered(2));
        applied[1].checksum += 1;
        assert_eq!(fit(&ALL, &applied).unwrap_err(), Misfit::Altered(2));
        // Somebody has said something else of it.
        let other = row(&migration(2, 2));
        assert_eq!(fit(&ALL, &[applied[0], other]).unwrap_err(), Misfit::Altered(2));
        // Unknown, and older than what is known.
        assert_eq!(fit(&ALL[1..], &[row(&ALL[0])]).unwrap_err(), Misfit::TooNew(1));
    }
}
