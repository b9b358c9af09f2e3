//! `--name value` and `--flag`, and nothing else: enough for programs that a script calls.
use std::{collections::HashMap, fmt::Display, str::FromStr};

/// The arguments of one run.
pub struct Args {
    values: HashMap<String, String>,
}

impl Args {
    /// Reads `args`, of which `flags` take no value and `names` take one.
    ///
    /// # Errors
    /// One sentence that names an argument that is not known or lacks its value.
    pub fn read(args: impl Iterator<Item = String>, names: &[&str], flags: &[&str]) -> Result<Args, String> {
        let mut values = HashMap::new();
        let mut args = args;
        while let Some(arg) = args.next() {
            let name =
                arg.strip_prefix("--").ok_or(format!("{arg:?} is not an argument; they begin with --"))?;
            let value = if flags.contains(&name) {
                String::new()
            } else if names.contains(&name) {
                args.next().ok_or(format!("--{name} needs a value"))?
            } else {
                return Err(format!(
                    "--{name} is not known here; known: --{}",
                    [flags, names].concat().join(" --")
                ));
            };
            values.insert(name.to_owned(), value);
        }
        Ok(Args { values })
    }

    /// Whether the flag or the value was given at all.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// The text given for `name`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// The value of `name`, or `default`.
    ///
    /// # Errors
    /// One sentence if the text given does not read as a `T`.
    pub fn get<T: FromStr<Err: Display>>(&self, name: &str, default: T) -> Result<T, String> {
        self.text(name).map_or(Ok(default), |v| v.parse().map_err(|e| format!("--{name} {v}: {e}")))
    }

    /// The comma-separated values of `name`, or those of `default`.
    ///
    /// # Errors
    /// As [`Args::get`].
    pub fn list<T: FromStr<Err: Display>>(&self, name: &str, default: &str) -> Result<Vec<T>, String> {
        let text = self.text(name).unwrap_or(default);
        text.split(',').map(|v| v.parse().map_err(|e| format!("--{name} {v}: {e}"))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Args;

    fn read(line: &str) -> Result<Args, String> {
        Args::read(line.split(' ').map(str::to_owned), &["n", "conc"], &["json"])
    }

    #[test]
    fn flags_take_no_value_and_names_take_one() {
        let args = read("--json --n 7 --conc 1,16").unwrap();
        assert!(args.has("json"));
        assert_eq!(args.get("n", 1), Ok(7));
        assert_eq!(args.list::<usize>("conc", "1"), Ok(vec![1, 16]));
    }

    #[test]
    fn what_is_unknown_unfinished_or_unreadable_is_named() {
        assert!(read("--nn 7").err().unwrap().contains("--nn"));
        assert!(read("--n").err().unwrap().contains("--n needs"));
        assert!(read("--n x").unwrap().get("n", 1).unwrap_err().contains("--n x"));
    }
}
