//! The figures, as one line for a reader and one line of JSON for a program.
use crate::closed::Phase;
use serde_json::{Value, json};
use std::{fs::File, io::Write, path::Path};

/// Where figures go.
pub(crate) struct Report {
    name: String,
    json: Option<File>,
}

impl Report {
    /// Lines begin with `name`; JSON lines are added to the file `json`, if given.
    ///
    /// # Errors
    /// One sentence if the file cannot be opened.
    pub(crate) fn new(name: &str, json: Option<&str>) -> Result<Report, String> {
        let open = |p: &str| File::options().create(true).append(true).open(Path::new(p));
        let json = json.map(|p| open(p).map_err(|e| format!("{p}: {e}"))).transpose()?;
        Ok(Report { name: name.to_owned(), json })
    }

    /// One phase of the closed loop.
    pub(crate) fn phase(&mut self, op: &str, conns: usize, factors: usize, sync_us: f64, p: &mut Phase) {
        let n = p.latencies.count();
        let rate = n as f64 / p.wall_s.max(1e-9);
        let per_op = |cpu: f64| cpu * 1e6 / (n.max(1) as f64);
        let (cpu_us, database_us) = (per_op(p.server_cpu_s), per_op(p.database_cpu_s));
        let share = |cpu: f64| cpu / p.wall_s.max(1e-9) * 100.0;
        let (server, own, others) = (share(p.server_cpu_s), share(p.own_cpu_s), share(p.others_cpu_s));
        let q = [0.5, 0.9, 0.99, 1.0].map(|q| p.latencies.quantile_ms(q));
        println!(
            "{:<10} c={conns:<3} {op:<9} {rate:>8.0}/s  p50 {:>7.2} ms  p99 {:>7.2} ms  n {n:>6}  refused {}  broken {}  \
             cpu/op {cpu_us:>5.0} µs, database {database_us:>5.0} µs  server {server:>3.0} %  generator {own:>3.0} %  others {others:>3.0} %  \
             rss {:>6} KiB  sync {sync_us:>5.0} µs",
            self.name, q[0], q[2], p.refused, p.broken, p.rss_kib
        );
        if let Some(trouble) = &p.first_trouble {
            println!("  first trouble: {trouble}");
        }
        self.json_line(json!({
            "name": self.name, "op": op, "connections": conns, "factors_before": factors, "rate_per_s": rate, "n": n,
            "refused": p.refused, "broken": p.broken, "wall_s": p.wall_s, "p50_ms": q[0], "p90_ms": q[1],
            "p99_ms": q[2], "max_ms": q[3], "cpu_us_per_op": cpu_us,
            "database_cpu_us_per_op": database_us, "server_cpu_pct": server,
            "generator_cpu_pct": own, "others_cpu_pct": others, "rss_kib": p.rss_kib, "peak_rss_kib": p.peak_kib,
            "sync_us": sync_us,
        }));
    }

    /// Writes one JSON line, if a file was given. A line that cannot be written ends the run with a message:
    /// figures that are silently missing would be read as a shorter run.
    pub(crate) fn json_line(&mut self, mut line: Value) {
        line["at_ms"] = json!(loadgen::clock::unix_millis());
        if let Some(file) = &mut self.json
            && let Err(e) = writeln!(file, "{line}")
        {
            eprintln!("figures cannot be written: {e}");
            std::process::exit(1);
        }
    }

    /// Changes what lines begin with.
    pub(crate) fn rename(&mut self, name: String) {
        self.name = name;
    }

    /// The name that lines begin with.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}
