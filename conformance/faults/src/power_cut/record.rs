//! What a server did to the files of its data folder, read from a record that `strace` made of it.
use std::{collections::HashMap, path::Path};

/// The calls that are recorded. What a `mmap` writes is not seen: SQLite maps its `-shm` only, which holds nothing
/// that outlives a crash.
const CALLS: &str = "openat,pwrite64,write,fsync,fdatasync,ftruncate,rename,unlink";
/// More than the largest write of a store: a page of 4 KiB and its head.
const DATA_BYTES: &str = "65536";

/// One thing done to a file, by its name in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Act {
    /// Opened, and made if it was not there.
    Create(String),
    Truncate(String, u64),
    /// At an offset, or after what was written last.
    Write(String, Option<u64>, Vec<u8>),
    Sync(String),
    SyncFolder,
    Rename(String, String),
    Unlink(String),
}

/// When, in microseconds since 1970, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) at: u64,
    pub(crate) act: Act,
}

/// The command under which a server is recorded: whole data, all strings in hex, the time of each call.
pub(crate) fn wrap(trace: &Path) -> Vec<String> {
    let mut command: Vec<String> =
        ["strace", "-D", "-f", "-y", "-qq", "-ttt", "-xx", "-s", DATA_BYTES].map(String::from).into();
    command.extend([
        "-o".into(),
        trace.display().to_string(),
        "-e".into(),
        format!("trace={CALLS}"),
        "--".into(),
    ]);
    command
}

/// Reads a record. A call counts from its return on; those that failed did nothing.
///
/// # Errors
/// One sentence if a line cannot be understood.
pub(crate) fn read(trace: &str, folder: &Path) -> Result<Vec<Event>, String> {
    let mut begun: HashMap<&str, (u64, &str)> = HashMap::new();
    let mut events = Vec::new();
    for line in trace.lines() {
        let bad = || format!("the record cannot be understood: {:.200}", line);
        // Short numbers of threads are padded.
        let Some((thread, rest)) = line.split_once(char::is_whitespace) else { continue };
        let Some((time, rest)) = rest.trim_start().split_once(char::is_whitespace) else { continue };
        let at = time
            .split_once('.')
            .and_then(|(s, us)| Some(s.parse::<u64>().ok()? * 1_000_000 + us.parse::<u64>().ok()?));
        let at = at.ok_or_else(bad)?;
        let rest = rest.trim_start();
        let call = if let Some(call) = rest.strip_suffix("<unfinished ...>") {
            begun.insert(thread, (at, call.trim_end()));
            continue;
        } else if let Some(end) = rest.strip_prefix("<... ") {
            let (_, end) = end.split_once("resumed>").ok_or_else(bad)?;
            let Some((_, begin)) = begun.remove(thread) else { continue };
            format!("{begin}{end}")
        } else {
            rest.to_owned()
        };
        if let Some(act) = Call::read(&call).and_then(|c| c.act(folder).transpose()) {
            events.push(Event { at, act: act.map_err(|why| format!("{why}: {:.200}", call))? });
        }
    }
    Ok(events)
}

/// A call that succeeded: its name, its arguments as written, and what it returned.
struct Call<'l> {
    name: &'l str,
    arguments: Vec<&'l str>,
    returned: &'l str,
}

impl<'l> Call<'l> {
    fn read(line: &'l str) -> Option<Call<'l>> {
        let (name, rest) = line.split_once('(')?;
        let (arguments, returned) = rest.rsplit_once(") = ").or_else(|| {
            // `strace` aligns what is returned.
            let (arguments, returned) = rest.rsplit_once('=')?;
            Some((arguments.trim_end().strip_suffix(')')?, returned.trim_start()))
        })?;
        let returned = returned.trim();
        (!returned.starts_with('-') && !returned.starts_with('?')).then(|| Call {
            name,
            arguments: arguments.trim_end().trim_end_matches(')').split(", ").collect(),
            returned,
        })
    }

    /// What it did in `folder`, if anything.
    fn act(&self, folder: &Path) -> Result<Option<Act>, String> {
        let argument = |n: usize| self.arguments.get(n).copied().unwrap_or_default();
        let fd = |text: &str| annotated(text).and_then(|path| name_in(folder, &path));
        let path = |n: usize| hex(argument(n)).and_then(|path| name_in(folder, &path));
        Ok(match self.name {
            "openat" if argument(2).contains("O_CREAT") => match fd(self.returned) {
                Some(Name::File(name)) if argument(2).contains("O_TRUNC") => Some(Act::Truncate(name, 0)),
                Some(Name::File(name)) => Some(Act::Create(name)),
                _ => None,
            },
            "write" | "pwrite64" => {
                let Some(Name::File(name)) = fd(argument(0)) else { return Ok(None) };
                let mut bytes = hex(argument(1)).ok_or("a write is not whole in the record")?;
                let done: usize = self.returned.parse().map_err(|_| "a write returned no number")?;
                if done > bytes.len() {
                    return Err("a write is not whole in the record".into());
                }
                bytes.truncate(done);
                let offset = match self.name {
                    "write" => None,
                    _ => Some(argument(3).parse().map_err(|_| "a write has no offset")?),
                };
                Some(Act::Write(name, offset, bytes))
            }
            "ftruncate" => match fd(argument(0)) {
                Some(Name::File(name)) => {
                    Some(Act::Truncate(name, argument(1).parse().map_err(|_| "a length is not a number")?))
                }
                _ => None,
            },
            "fsync" | "fdatasync" => fd(argument(0)).map(|name| match name {
                Name::File(name) => Act::Sync(name),
                Name::Folder => Act::SyncFolder,
            }),
            "rename" => match (path(0), path(1)) {
                (Some(Name::File(from)), Some(Name::File(to))) => Some(Act::Rename(from, to)),
                _ => None,
            },
            "unlink" => match path(0) {
                Some(Name::File(name)) => Some(Act::Unlink(name)),
                _ => None,
            },
            _ => None,
        })
    }
}

enum Name {
    Folder,
    File(String),
}

fn name_in(folder: &Path, path: &[u8]) -> Option<Name> {
    let path = std::str::from_utf8(path).ok()?;
    let rest = Path::new(path).strip_prefix(folder).ok()?.to_str()?;
    // One that was unlinked while it is open is nobody's any more.
    match rest {
        "" => Some(Name::Folder),
        _ if rest.contains('/') || rest.ends_with("(deleted)") => None,
        _ => Some(Name::File(rest.to_owned())),
    }
}

/// The path in `7<…>`.
fn annotated(text: &str) -> Option<Vec<u8>> {
    let (_, path) = text.split_once('<')?;
    let (path, _) = path.split_once('>')?;
    hex(path)
}

/// The bytes of `\x61\x62`, in quotes or not. `None` if there is anything else, or they were cut.
fn hex(text: &str) -> Option<Vec<u8>> {
    let text = text.strip_prefix('"').map_or(Some(text), |rest| rest.strip_suffix('"'))?;
    let mut bytes = Vec::with_capacity(text.len() / 4);
    for one in text.split("\\x").skip(usize::from(text.starts_with("\\x"))) {
        if one.is_empty() && text.is_empty() {
            break;
        }
        bytes.push(u8::from_str_radix(one.get(..2).filter(|_| one.len() == 2)?, 16).ok()?);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{Act, Event, hex, read};
    use std::{fmt::Write as _, path::Path};

    fn in_hex(text: &str) -> String {
        text.bytes().fold(String::new(), |mut out, b| {
            let _ = write!(out, "\\x{b:02x}");
            out
        })
    }

    #[test]
    fn a_short_number_of_a_thread_is_padded_and_read_all_the_same() {
        let file = in_hex("/data/countersign.db");
        let record = format!("898   1795519200.944789 fsync(3<{file}>) = 0\n");
        let events = read(&record, Path::new("/data")).unwrap();
        assert_eq!(events.len(), 1);
        assert!(matches!(&events[0].act, Act::Sync(name) if name == "countersign.db"));
        assert_eq!(events[0].at, 1_795_519_200_944_789);
    }

    #[test]
    fn calls_on_the_folder_are_read_in_the_order_of_their_returns() {
        let (db, out, dir) = (in_hex("/d/db"), in_hex("/dev/null"), in_hex("/d"));
        let trace = format!(
            "7 1.000001 openat(AT_FDCWD<{dir}>, \"{db}\", O_RDWR|O_CREAT, 0600) = 3<{db}>\n\
             7 1.000002 pwrite64(3<{db}>, \"{}\", 2, 4096 <unfinished ...>\n\
             8 1.000003 write(4<{db}>, \"{}\", 2) = 1\n\
             7 1.000004 <... pwrite64 resumed>) = 2\n\
             7 1.000005 fsync(3<{db}>)                  = 0\n\
             7 1.000006 fsync(5<{dir}>)  = 0\n\
             7 1.000007 fdatasync(3<{db}>) = -1 \\x45 (…) (INJECTED)\n\
             7 1.000008 write(1<{out}>, \"\"..., 2) = 2\n\
             7 1.000009 rename(\"{db}\", \"{}\") = 0\n\
             7 1.000010 ftruncate(3<{db}>, 7) = 0\n\
             7 1.000011 unlink(\"{db}\") = 0\n",
            in_hex("ab"),
            in_hex("cd"),
            in_hex("/d/new")
        );
        let acts = [
            (1, Act::Create("db".into())),
            (3, Act::Write("db".into(), None, b"c".to_vec())),
            (4, Act::Write("db".into(), Some(4096), b"ab".to_vec())),
            (5, Act::Sync("db".into())),
            (6, Act::SyncFolder),
            (9, Act::Rename("db".into(), "new".into())),
            (10, Act::Truncate("db".into(), 7)),
            (11, Act::Unlink("db".into())),
        ];
        let expected = acts.map(|(us, act)| Event { at: 1_000_000 + us, act });
        assert_eq!(read(&trace, Path::new("/d")).unwrap(), expected);
        let cut = format!("7 1.000002 pwrite64(3<{db}>, \"{}\"..., 2, 0) = 2\n", in_hex("a"));
        assert!(read(&cut, Path::new("/d")).is_err());
    }

    #[test]
    fn hex_is_read_whole_or_not_at_all() {
        assert_eq!(hex(r#""\x61\xff""#), Some(vec![0x61, 0xff]));
        assert_eq!(hex(r#""""#), Some(vec![]));
        for bad in [r#""\x61"..."#, r"\x6", "socket:[7]", r"\x61b"] {
            assert_eq!(hex(bad), None, "{bad}");
        }
    }
}
