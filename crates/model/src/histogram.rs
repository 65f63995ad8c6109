//! Latency as buckets that can be added up: percentiles of any group of
//! rollups without a look at single calls.

use smallvec::SmallVec;

/// A histogram of durations in microseconds. Eight buckets for each power of
/// two from 64 µs to about 67 s keep every percentile within 6 % of the truth.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LatencyHistogram {
    /// Those that count something, in their order. Most histograms are of one
    /// call or two and stand in their record.
    buckets: SmallVec<[Bucket; 2]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bucket {
    index: u8,
    count: u32,
}

const SUB_BITS: u32 = 3;
const FIRST_OCTAVE: u32 = 6;
const OCTAVES: u8 = 20;
const LAST_BUCKET: u8 = OCTAVES << SUB_BITS;

fn bucket_of(micros: u64) -> u8 {
    if micros < 1 << FIRST_OCTAVE {
        return 0;
    }
    let octave = micros.ilog2();
    let sub = (micros >> (octave - SUB_BITS)) & ((1 << SUB_BITS) - 1);
    let index = (u64::from(octave - FIRST_OCTAVE) << SUB_BITS) + sub + 1;
    u8::try_from(index).unwrap_or(LAST_BUCKET).min(LAST_BUCKET)
}

/// The middle of a bucket, in microseconds.
fn middle_of(bucket: u8) -> u64 {
    let Some(index) = u64::from(bucket).checked_sub(1) else {
        return 1 << (FIRST_OCTAVE - 1);
    };
    let octave = (index >> SUB_BITS) + u64::from(FIRST_OCTAVE);
    let sub = index & ((1 << SUB_BITS) - 1);
    let width = 1_u64 << (octave - u64::from(SUB_BITS));
    (1 << octave) + sub * width + width / 2
}

impl LatencyHistogram {
    /// Counts one duration.
    pub fn record(&mut self, micros: u64) {
        self.count(bucket_of(micros), 1);
    }

    /// Adds another histogram to this one.
    pub fn merge(&mut self, other: &Self) {
        for bucket in &other.buckets {
            self.count(bucket.index, bucket.count);
        }
    }

    /// The duration in microseconds below which `share` (0 to 1) of the calls stayed;
    /// `None` when nothing was counted.
    #[must_use]
    pub fn percentile(&self, share: f64) -> Option<u64> {
        let total: u64 = self.buckets.iter().map(|bucket| u64::from(bucket.count)).sum();
        let mut below = 0_u64;
        for bucket in &self.buckets {
            below += u64::from(bucket.count);
            if below as f64 >= share * total as f64 {
                return Some(middle_of(bucket.index));
            }
        }
        None
    }

    /// The stored form: pairs of (bucket, count) as LEB128 numbers, empty buckets left out.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for bucket in &self.buckets {
            write_leb(&mut out, bucket.index.into());
            write_leb(&mut out, bucket.count);
        }
        out
    }

    /// Reads the stored form; `None` when it is damaged.
    #[must_use]
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut histogram = Self::default();
        while !bytes.is_empty() {
            let bucket = u8::try_from(read_leb(&mut bytes)?).ok()?;
            let count = read_leb(&mut bytes)?;
            if bucket > LAST_BUCKET {
                return None;
            }
            histogram.count(bucket, count);
        }
        Some(histogram)
    }

    fn count(&mut self, index: u8, by: u32) {
        if by == 0 {
            return;
        }
        match self.buckets.binary_search_by_key(&index, |bucket| bucket.index) {
            Ok(place) => {
                if let Some(bucket) = self.buckets.get_mut(place) {
                    bucket.count = bucket.count.saturating_add(by);
                }
            }
            Err(place) => self.buckets.insert(place, Bucket { index, count: by }),
        }
    }
}

fn write_leb(out: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        out.push(0x80 | u8::try_from(value & 0x7f).unwrap_or(0));
        value >>= 7;
    }
    out.push(u8::try_from(value).unwrap_or(0));
}

fn read_leb(bytes: &mut &[u8]) -> Option<u32> {
    let mut value = 0_u32;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn percentiles_stay_near_the_truth(mut micros in proptest::collection::vec(64_u64..60_000_000, 1..300)) {
            let mut histogram = LatencyHistogram::default();
            for duration in &micros {
                histogram.record(*duration);
            }
            micros.sort_unstable();
            for percent in [50, 95, 99] {
                let share = percent as f64 / 100.0;
                let rank = (micros.len() * percent).div_ceil(100).max(1) - 1;
                let (truth, found) = (micros[rank] as f64, histogram.percentile(share).unwrap() as f64);
                prop_assert!((found - truth).abs() / truth < 0.07, "{found} for {truth}");
            }
        }

        #[test]
        fn the_stored_form_is_exact_and_adds_up(a in proptest::collection::vec(any::<u64>(), 0..50), b in proptest::collection::vec(any::<u64>(), 0..50)) {
            let of = |values: &[u64]| {
                let mut histogram = LatencyHistogram::default();
                values.iter().for_each(|value| histogram.record(*value));
                histogram
            };
            let mut merged = LatencyHistogram::from_bytes(&of(&a).to_bytes()).unwrap();
            merged.merge(&of(&b));
            let both: Vec<u64> = a.iter().chain(&b).copied().collect();
            prop_assert_eq!(merged, of(&both));
        }

        #[test]
        fn damaged_bytes_do_not_panic(bytes: Vec<u8>) {
            let reread = LatencyHistogram::from_bytes(&bytes).map(|histogram| histogram.to_bytes().len());
            prop_assert!(reread.is_none_or(|length| length <= bytes.len() + 2 * usize::from(LAST_BUCKET)));
        }
    }

    #[test]
    fn nothing_has_no_percentile() {
        assert_eq!(LatencyHistogram::default().percentile(0.5), None);
    }
}
