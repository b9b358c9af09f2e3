//! What the fuzz targets in `fuzz/` read a configuration with. Empty without the feature `fuzzing`, which nothing else
//! switches on; with it, these are the binary's own modules.
#![cfg(feature = "fuzzing")]
#![allow(dead_code, unreachable_pub, unused_imports, reason = "only the reading is of use here")]

mod config;
mod data_folder;
mod logs;
mod masters;
mod output;
mod providers;
mod traces;
mod usage;

/// Reads a configuration with variables over it, and explains it.
///
/// # Errors
/// What is wrong with it.
pub fn read_config(text: &str, variables: &[(String, String)]) -> Result<String, String> {
    let config = config::Config::of(text, "c.toml", variables.iter().cloned());
    config.map(|config| config.explain()).map_err(|e| e.to_string())
}
