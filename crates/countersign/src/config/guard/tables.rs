//! `[guard]` as it is written.

use domain::guard::Mode;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Word {
    Enforce,
    Record,
    Off,
}

impl From<Word> for Mode {
    fn from(word: Word) -> Self {
        match word {
            Word::Enforce => Self::Enforce,
            Word::Record => Self::Record,
            Word::Off => Self::Off,
        }
    }
}

/// `[guard]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GuardTable {
    pub(super) mode: Option<Word>,
    pub(super) keep_days: Option<u32>,
    #[serde(default)]
    pub(super) prices: BTreeMap<String, String>,
    pub(super) countries: Option<CountriesTable>,
    pub(super) ranges: Option<RangesTable>,
    pub(super) velocity: Option<VelocityTable>,
    pub(super) unverified: Option<UnverifiedTable>,
    pub(super) caps: Option<CapsTable>,
    #[serde(default)]
    pub(super) environments: BTreeMap<String, RulesTable>,
    #[serde(default)]
    pub(super) test_numbers: Vec<TestNumberTable>,
}

/// `[guard.environments.NAME]`: what stands here stands in the place of the same table of `[guard]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RulesTable {
    pub(super) mode: Option<Word>,
    pub(super) countries: Option<CountriesTable>,
    pub(super) ranges: Option<RangesTable>,
    pub(super) velocity: Option<VelocityTable>,
    pub(super) unverified: Option<UnverifiedTable>,
    pub(super) caps: Option<CapsTable>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CountriesTable {
    pub(super) mode: Option<Word>,
    #[serde(default)]
    pub(super) allowed: Vec<String>,
    #[serde(default)]
    pub(super) denied: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RangesTable {
    pub(super) mode: Option<Word>,
    #[serde(default)]
    pub(super) also: Vec<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct VelocityTable {
    pub(super) mode: Option<Word>,
    pub(super) number: Option<String>,
    pub(super) block: Option<String>,
    pub(super) country: Option<String>,
    pub(super) user: Option<String>,
    pub(super) address: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UnverifiedTable {
    pub(super) mode: Option<Word>,
    pub(super) window_minutes: Option<u32>,
    pub(super) texts: Option<u32>,
    pub(super) percent: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CapsTable {
    pub(super) mode: Option<Word>,
    pub(super) environment: Option<String>,
    pub(super) each_country: Option<String>,
    #[serde(default)]
    pub(super) countries: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestNumberTable {
    pub(super) environment: String,
    pub(super) number: String,
    pub(super) code: String,
    pub(super) until: String,
    #[serde(default)]
    pub(super) live: bool,
}
