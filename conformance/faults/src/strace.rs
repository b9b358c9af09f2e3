//! Faults of the disk, put in place of system calls by `strace`.
use std::{
    collections::HashMap,
    path::Path,
    process::{Command, Stdio},
};

/// The calls by which a store reaches the disk. SQLite syncs with either of two, as it was built.
pub(crate) const CALLS: [&str; 4] = ["pwrite64", "fdatasync", "fsync", "ftruncate"];

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The disk fails once.
    Eio,
    /// The disk is full, for a few calls.
    Enospc,
    /// The process dies on the way into the call.
    Kill,
    /// Every call takes 300 ms longer.
    Slow,
}

impl Fault {
    fn injection(self, call: &str, nth: u32) -> String {
        match self {
            Fault::Eio => format!("inject={call}:error=EIO:when={nth}"),
            Fault::Enospc => format!("inject={call}:error=ENOSPC:when={nth}..{}", nth + 3),
            Fault::Kill => format!("inject={call}:signal=SIGKILL:when={nth}"),
            Fault::Slow => format!("inject={call}:delay_enter=300000:when={nth}+"),
        }
    }
}

/// The command that starts a server with this fault at the `nth` such call of a thread. `-D` makes the server
/// the direct child, so that its end is seen as it is. Without `--seccomp-bpf`, which is faster but loses injected
/// signals.
pub(crate) fn wrap(trace: &Path, fault: Option<(Fault, &str, u32)>) -> Vec<String> {
    let calls = fault.map_or(CALLS.join(","), |(_, call, _)| call.to_owned());
    let mut command: Vec<String> = ["strace", "-D", "-f", "-y", "-qq", "-s", "0"].map(String::from).into();
    command.extend(["-o".into(), trace.display().to_string(), "-e".into(), format!("trace={calls}")]);
    if let Some((fault, call, nth)) = fault {
        command.extend(["-e".into(), fault.injection(call, nth)]);
    }
    command.push("--".into());
    command
}

/// The command that starts a server whose every sync of the folder `data` itself fails; its files sync as ever.
pub(crate) fn wrap_folder(trace: &Path, data: &Path) -> Vec<String> {
    let mut command = wrap(trace, None);
    let end = command.pop();
    command.extend(["-P".into(), data.display().to_string()]);
    command.extend(["-e".into(), "inject=fsync,fdatasync:error=EIO".into()]);
    command.extend(end);
    command
}

/// Whether `strace` is here and may trace.
///
/// # Errors
/// One sentence that says how to get it.
pub(crate) fn available() -> Result<(), String> {
    let tried =
        Command::new("strace").args(["-qq", "-e", "trace=none", "true"]).stderr(Stdio::null()).status();
    match tried {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("strace may not trace here ({status}); it needs ptrace")),
        Err(e) => Err(format!("strace: {e}; ./scripts/install-test-tools installs it")),
    }
}

/// How often each call was made, by the thread that made it most often: the faults there are to try.
pub(crate) fn counts(trace: &str) -> HashMap<&'static str, u32> {
    let mut by_thread: HashMap<(&str, &'static str), u32> = HashMap::new();
    for line in trace.lines() {
        let mut words = line.split_whitespace();
        let (Some(thread), Some(word)) = (words.next(), words.next()) else { continue };
        if let Some(call) =
            CALLS.into_iter().find(|c| word.strip_prefix(c).is_some_and(|r| r.starts_with('(')))
        {
            *by_thread.entry((thread, call)).or_default() += 1;
        }
    }
    let mut most = HashMap::new();
    for ((_, call), n) in by_thread {
        let entry = most.entry(call).or_default();
        *entry = n.max(*entry);
    }
    most
}

/// Whether the trace shows that the fault happened: the flow may have ended before the call came. Of a kill it
/// shows nothing; the dead process does.
pub(crate) fn happened(trace: &str, fault: Fault) -> bool {
    match fault {
        Fault::Kill => false,
        Fault::Slow => trace.contains("(DELAYED)"),
        Fault::Eio | Fault::Enospc => trace.contains("(INJECTED)"),
    }
}

/// Whether the call that failed was on the folder `data` itself. SQLite syncs the folder once after the first sync of
/// a new file, and goes on if that fails: the store's own sync of it, which follows, decides.
pub(crate) fn was_the_folder(trace: &str, data: &Path) -> bool {
    let folder = format!("<{}>)", data.display());
    trace.lines().filter(|line| line.contains("(INJECTED)")).all(|line| line.contains(&folder))
}

#[cfg(test)]
mod tests {
    use super::{Fault, counts, happened, was_the_folder};
    use std::path::Path;

    const TRACE: &str = "11 pwrite64(4, \"\"..., 24, 0) = 24\n11 fsync(4 <unfinished ...>\n12 pwrite64(5, \"\"..., 9, 0) = 9\n\
                         11 <... fsync resumed>) = 0\n11 pwrite64(4, \"\"..., 24, 0) = -1 EIO (Input/output error) (INJECTED)\n";

    #[test]
    fn calls_are_counted_by_thread_and_an_unfinished_one_once() {
        let counts = counts(TRACE);
        assert_eq!(
            (counts.get("pwrite64"), counts.get("fsync"), counts.get("fdatasync")),
            (Some(&2), Some(&1), None)
        );
    }

    #[test]
    fn a_folder_is_told_from_the_files_in_it() {
        let failed =
            |path: &str| format!("7 fsync(1</d/data>) = 0\n7 fsync(18<{path}>) = -1 EIO (…) (INJECTED)\n");
        assert!(was_the_folder(&failed("/d/data"), Path::new("/d/data")));
        assert!(!was_the_folder(&failed("/d/data/countersign.db-wal"), Path::new("/d/data")));
    }

    #[test]
    fn a_fault_that_did_not_happen_is_not_taken_for_one_that_did() {
        assert!(happened(TRACE, Fault::Eio));
        assert!(!happened(TRACE, Fault::Kill) && !happened("", Fault::Enospc));
    }
}
