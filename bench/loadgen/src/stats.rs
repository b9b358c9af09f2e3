//! Latencies of one phase, and the speed of the disk under it.
use std::{
    fs::File,
    io::{self, Seek, SeekFrom, Write},
    path::Path,
    time::{Duration, Instant},
};

/// Latencies, kept whole: a run is bounded, and no bucket rounds the tail away.
#[derive(Debug, Default, Clone)]
pub struct Latencies {
    micros: Vec<u32>,
    sorted: bool,
}

impl Latencies {
    /// Adds one.
    pub fn push(&mut self, took: Duration) {
        self.micros.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        self.sorted = false;
    }

    /// Moves all of `other`'s here.
    pub fn append(&mut self, other: &mut Latencies) {
        self.micros.append(&mut other.micros);
        self.sorted = false;
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.micros.len()
    }

    /// The `q` quantile (0 to 1) in milliseconds, nearest rank; 0 if there are none.
    pub fn quantile_ms(&mut self, q: f64) -> f64 {
        if !self.sorted {
            self.micros.sort_unstable();
            self.sorted = true;
        }
        let last = self.micros.len().saturating_sub(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "q is from 0 to 1")]
        let rank = (last as f64 * q).round() as usize;
        self.micros.get(rank).map_or(0.0, |us| f64::from(*us) / 1000.0)
    }
}

/// The median time of one `fdatasync` after a write of 4 KiB in `folder`, in microseconds, of 200. Disks of
/// rented machines change by a factor of 40 within minutes, so no figure means much without this one beside it.
///
/// # Errors
/// Those of the file.
pub fn sync_probe_us(folder: &Path) -> io::Result<f64> {
    let path = folder.join(format!("sync-probe-{}", std::process::id()));
    let mut file = File::create(&path)?;
    let mut times = Latencies::default();
    let probe = (|| {
        for n in 0..200u64 {
            let at = Instant::now();
            file.seek(SeekFrom::Start(n % 64 * 4096))?;
            file.write_all(&[0x5a; 4096])?;
            file.sync_data()?;
            times.push(at.elapsed());
        }
        Ok(())
    })();
    std::fs::remove_file(&path)?;
    probe.map(|()| times.quantile_ms(0.5) * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::Latencies;
    use std::time::Duration;

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let mut l = Latencies::default();
        assert!(l.quantile_ms(0.99).abs() < f64::EPSILON);
        (1..=100).rev().for_each(|ms| l.push(Duration::from_millis(ms)));
        assert_eq!(
            (l.quantile_ms(0.0), l.quantile_ms(0.5), l.quantile_ms(0.99), l.quantile_ms(1.0)),
            (1.0, 51.0, 99.0, 100.0)
        );
    }
}
