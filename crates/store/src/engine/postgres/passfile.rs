//! The password file, in the format of `~/.pgpass`: `host:port:database:user:password`, `*` for any, `\` before `:` and
//! `\`.

use super::open_error::OpenError;
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};
use zeroize::Zeroizing;

/// No password file is larger.
const LARGEST: u64 = 1 << 20;

/// The password of the first line that fits one of the hosts.
///
/// # Errors
/// When the file cannot be read, or others than its owner can read it.
pub(super) fn find(
    file: &Path,
    hosts: &[(String, u16)],
    database: &str,
    user: &str,
) -> Result<Option<Zeroizing<String>>, OpenError> {
    let unusable = |what: &dyn std::fmt::Display| {
        OpenError::File(format!("the password file {} cannot be used: {what}", file.display()))
    };
    let data = fs::metadata(file).map_err(|e| unusable(&e))?;
    if data.permissions().mode() & 0o077 != 0 {
        return Err(unusable(&format!("others may read it; run `chmod 600 {}`", file.display())));
    }
    if data.len() > LARGEST {
        return Err(unusable(&"it is too large"));
    }
    let text = Zeroizing::new(fs::read_to_string(file).map_err(|e| unusable(&e))?);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields = Zeroizing::new(fields(line));
        let [host, port, of_database, of_user, password] = fields.as_slice() else { continue };
        let fits = |field: &str, value: &str| field == "*" || field == value;
        let at = hosts.iter().any(|(h, p)| fits(host, local(h)) && fits(port, &p.to_string()));
        if at && fits(of_database, database) && fits(of_user, user) {
            return Ok(Some(Zeroizing::new(password.clone())));
        }
    }
    Ok(None)
}

/// A socket in the file system goes by this name.
fn local(host: &str) -> &str {
    if host.starts_with('/') { "localhost" } else { host }
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::with_capacity(line.len())];
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            ':' if fields.len() < 5 => fields.push(String::with_capacity(line.len())),
            c => {
                let c = if c == '\\' { characters.next().unwrap_or(c) } else { c };
                if let Some(field) = fields.last_mut() {
                    field.push(c);
                }
            }
        }
    }
    fields
}
