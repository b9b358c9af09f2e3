//! A request, as it crosses the control socket.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What a command may ask for. An environment is named or identified; without one, it is the only one there is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Request {
    ListEnvironments,
    CreateEnvironment { name: String, live: bool },
    ListApiKeys { environment: Option<String> },
    CreateApiKey(WantedKey),
    RevokeApiKey { id: String },
    ListSettings { environment: Option<String> },
    GetSetting { environment: Option<String>, name: String },
    SetSetting { environment: Option<String>, name: String, value: Option<String> },
    ShowFactor { environment: Option<String>, factor: String },
    ShowChallenge { environment: Option<String>, challenge: String },
    ListFactors { environment: Option<String>, user: String },
    ResetFactor { environment: Option<String>, factor: String, user_too: bool, reason: String },
    DeleteFactor { environment: Option<String>, factor: String, reason: String },
    ListEvents(WantedEvents),
    VerifyEvents,
    RotateKeys,
    RewrapKeys { new_key_file: PathBuf },
    KeysStatus,
    Backup { target: PathBuf },
    SetReplayFloor { reason: String },
    Migrate,
    GuardStatus { environment: Option<String>, rules: Option<String> },
    RehearseGuard { environment: Option<String>, since_seconds: u32, rules: String },
}

/// A new API key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct WantedKey {
    pub(crate) environment: Option<String>,
    pub(crate) name: String,
    /// `all`, or words separated by commas.
    pub(crate) allow: String,
    /// A span such as `90d`, or a time.
    pub(crate) expires: Option<String>,
}

/// Which events to list: those that fit everything given, the newest of them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct WantedEvents {
    pub(crate) environment: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) factor: Option<String>,
    pub(crate) user: Option<String>,
    pub(crate) limit: usize,
}
