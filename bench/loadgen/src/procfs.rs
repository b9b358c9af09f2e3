//! What a process and the machine have used, as the kernel counts it.
use std::fs;

/// Clock ticks a second in `/proc`: 100 on every Linux ABI, whatever the kernel's own rate.
const TICKS: f64 = 100.0;

/// What one process has used so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    /// Seconds of CPU, user and system.
    pub cpu_s: f64,
    /// Resident memory in KiB.
    pub rss_kib: u64,
    /// The highest resident memory so far, in KiB.
    pub peak_kib: u64,
}

/// Usage of process `pid`; zeros if there is none.
pub fn usage(pid: u32) -> Usage {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kib = |key: &str| {
        status.lines().find_map(|l| l.strip_prefix(key)?.split_whitespace().next()?.parse().ok()).unwrap_or(0)
    };
    Usage { cpu_s: cpu_s(&format!("/proc/{pid}/stat")), rss_kib: kib("VmRSS:"), peak_kib: kib("VmHWM:") }
}

/// Seconds of CPU that process `pid` and its children have used, those children included that have ended. What a
/// PostgreSQL server has used: each of its connections is a child of it.
pub fn family_cpu_s(pid: u32) -> f64 {
    let own = fields(&format!("/proc/{pid}/stat"));
    // user and system, then the same of children that have ended.
    let mut sum: f64 = own.iter().skip(11).take(4).sum();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let child = fields(&format!("{}/stat", entry.path().display()));
        if child.get(1).is_some_and(|parent| (*parent - f64::from(pid)).abs() < 0.5) {
            sum += child.iter().skip(11).take(2).sum::<f64>();
        }
    }
    sum / TICKS
}

/// Seconds of CPU this program has used.
pub fn own_cpu_s() -> f64 {
    cpu_s("/proc/self/stat")
}

/// Busy CPU seconds of the whole machine since it started.
pub fn machine_busy_s() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    // user nice system [idle iowait] irq softirq: what was done, not what was waited for.
    let fields = line.split_whitespace().skip(1).take(7).enumerate();
    fields.filter(|(i, _)| !matches!(i, 3 | 4)).filter_map(|(_, v)| v.parse::<f64>().ok()).sum::<f64>()
        / TICKS
}

fn cpu_s(path: &str) -> f64 {
    fields(path).iter().skip(11).take(2).sum::<f64>() / TICKS
}

/// The numbers of a `stat`, from the state on, which is not one and counts as 0; user time is the 12th.
fn fields(path: &str) -> Vec<f64> {
    let stat = fs::read_to_string(path).unwrap_or_default();
    // The command's name may hold anything, so count from its closing parenthesis.
    let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    after.split_whitespace().map(|v| v.parse().unwrap_or(0.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::{family_cpu_s, machine_busy_s, own_cpu_s, usage};

    #[test]
    fn this_process_has_memory_and_the_machine_has_worked() {
        let own = usage(std::process::id());
        assert!(own.rss_kib > 100 && own.peak_kib >= own.rss_kib);
        assert!(own_cpu_s() >= 0.0 && machine_busy_s() > 0.0);
        assert_eq!(usage(u32::MAX).rss_kib, 0);
    }

    #[test]
    fn what_a_child_has_used_counts_while_it_runs_and_after() {
        let before = family_cpu_s(std::process::id());
        let burn = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; read x";
        let mut sh = std::process::Command::new("sh");
        let mut child = sh.args(["-c", burn]).stdin(std::process::Stdio::piped()).spawn().unwrap();
        while family_cpu_s(std::process::id()) - before < 0.02 {
            std::thread::yield_now();
        }
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(family_cpu_s(std::process::id()) - own_cpu_s() >= 0.02);
    }
}
