//! Latencies in logarithmic buckets, 64 to a doubling: within 1.6 % of the true value in 30 KiB.

use std::time::Duration;

const SUB: u64 = 64;
const SUB_BITS: u32 = 6;

/// How often each latency was seen.
#[derive(Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; 64 * 60], count: 0 }
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        let nanos = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        if let Some(bucket) = self.buckets.get_mut(index(nanos)) {
            *bucket += 1;
            self.count += 1;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
    }

    /// How many there were.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The latency, in milliseconds, that this share of all did not exceed.
    pub(crate) fn quantile_ms(&self, share: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
        let wanted = share * self.count as f64;
        let mut seen = 0.0;
        for (at, count) in self.buckets.iter().enumerate() {
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
            let count = *count as f64;
            seen += count;
            if count > 0.0 && seen >= wanted {
                return lower_bound(at) / 1e6;
            }
        }
        0.0
    }
}

fn index(nanos: u64) -> usize {
    let at = if nanos < SUB {
        nanos
    } else {
        let magnitude = nanos.ilog2() - SUB_BITS;
        u64::from(magnitude + 1) * SUB + ((nanos >> magnitude) - SUB)
    };
    usize::try_from(at).unwrap_or(usize::MAX)
}

fn lower_bound(at: usize) -> f64 {
    let at = u32::try_from(at).unwrap_or(u32::MAX);
    let (magnitude, rest) = (at / 64, at % 64);
    if magnitude == 0 { f64::from(rest) } else { f64::from(rest + 64) * 2f64.powf(f64::from(magnitude - 1)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_two_percent() {
        let mut histogram = Histogram::new();
        for micros in 1..=10_000 {
            histogram.record(Duration::from_micros(micros));
        }
        for (share, expected) in [(0.5, 5.0), (0.99, 9.9)] {
            let found = histogram.quantile_ms(share);
            assert!((found / expected - 1.0).abs() < 0.02, "{share}: {found} for {expected}");
        }
    }
}
