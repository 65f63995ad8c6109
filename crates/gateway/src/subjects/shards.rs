//! Immutable sorted lists behind atomic pointers. They are sorted by a mix of
//! the bits of their keys, which is spread evenly, so that the place of a record
//! can be guessed: whoever looks for one touches two or three lines of memory.

use std::sync::Arc;

use crate::atomics::ArcSwap;

/// A power of two. With a million records a list has about a thousand: a change
/// copies some 100 KB, which takes microseconds.
const SHARDS: usize = if cfg!(feature = "models") { 2 } else { 1_024 };

/// A record that is found by a key.
pub(super) trait Keyed: Clone {
    /// What it is found by.
    type Key: Ord + Copy + AsRef<[u64]>;
    /// Its key.
    fn key(&self) -> Self::Key;
}

/// Where a key stands: first by the mix of its bits.
fn rank<K: Ord + Copy + AsRef<[u64]>>(key: K) -> (u64, K) {
    // The golden section of 64 bits: what is next to each other goes far apart.
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |bits: u64, word: &u64| (bits.rotate_left(32) ^ word).wrapping_mul(GOLDEN);
    (key.as_ref().iter().fold(0, mix), key)
}

fn place_of<K: Ord + Copy + AsRef<[u64]>>(key: K) -> usize {
    let (mixed, _) = rank(key);
    // A remainder of a small number is one. The upper bits say where in the list.
    usize::try_from(mixed % SHARDS as u64).unwrap_or(0)
}

/// A change of one record.
pub(super) trait Change {
    /// What is changed.
    type Record: Keyed;
    /// The key of it.
    fn key(&self) -> <Self::Record as Keyed>::Key;
    /// The record, when none was there.
    fn fresh(&self) -> Self::Record;
    /// The record after the change; `None` when the change is an old one.
    fn applied_to(&self, record: &Self::Record) -> Option<Self::Record>;
}

/// All records of a kind.
#[derive(Debug)]
pub(super) struct Shards<R>(Box<[ArcSwap<Shard<R>>]>);

/// A list, and beside it what it is sorted by.
#[derive(Debug)]
struct Shard<R> {
    mixes: Box<[u64]>,
    records: Box<[R]>,
}

impl<R: Keyed> Shard<R> {
    /// `records` are sorted by rank.
    fn of(records: Vec<R>) -> Self {
        Self {
            mixes: records.iter().map(|record| rank(record.key()).0).collect(),
            records: records.into(),
        }
    }

    fn find(&self, key: R::Key) -> Option<R> {
        let (mixed, _) = rank(key);
        let guess = (u128::from(mixed) * self.mixes.len() as u128) >> 64;
        let (before, behind) = self.mixes.split_at_checked(usize::try_from(guess).ok()?)?;
        // The first one that is not below, from the guess on in either direction.
        let back = before.iter().rev().take_while(|other| **other >= mixed).count();
        let ahead = match back {
            0 => behind.iter().take_while(|other| **other < mixed).count(),
            _ => 0,
        };
        let first = before.len() - back + ahead;
        let equal = self
            .mixes
            .get(first..)?
            .iter()
            .take_while(|other| **other == mixed);
        let candidates = self.records.get(first..)?.iter().zip(equal);
        candidates
            .map(|(record, _)| record)
            .find(|record| record.key() == key)
            .cloned()
    }
}

impl<R: Keyed> Default for Shards<R> {
    fn default() -> Self {
        Self(
            (0..SHARDS)
                .map(|_| ArcSwap::from_pointee(Shard::of(Vec::new())))
                .collect(),
        )
    }
}

impl<R: Keyed> Shards<R> {
    /// The record with this key.
    pub(super) fn find(&self, key: R::Key) -> Option<R> {
        self.0.get(place_of(key))?.load().find(key)
    }

    /// Applies changes in their order; says how many records are new.
    pub(super) fn apply<C: Change<Record = R>>(&self, mut changes: Vec<C>) -> usize {
        // Stable: changes of one record keep their order.
        changes.sort_by_key(|change| (place_of(change.key()), rank(change.key())));
        let mut added = 0;
        for of_shard in changes.chunk_by(|a, b| place_of(a.key()) == place_of(b.key())) {
            let shard = of_shard
                .first()
                .and_then(|first| self.0.get(place_of(first.key())));
            let Some(shard) = shard else { continue };
            let old = shard.load_full();
            let new = merged(&old.records, of_shard);
            added += new.len() - old.records.len();
            shard.store(Arc::new(Shard::of(new)));
        }
        added
    }

    /// Forgets every record.
    pub(super) fn clear(&self) {
        for shard in &self.0 {
            shard.store(Arc::new(Shard::of(Vec::new())));
        }
    }
}

/// Both lists are sorted by rank; so is the result.
fn merged<C: Change>(old: &[C::Record], changes: &[C]) -> Vec<C::Record> {
    let mut new = Vec::with_capacity(old.len() + changes.chunk_by(|a, b| a.key() == b.key()).count());
    let mut rest = old;
    for of_record in changes.chunk_by(|a, b| a.key() == b.key()) {
        let Some((first, further)) = of_record.split_first() else {
            continue;
        };
        let key = first.key();
        let (before, from_key) = rest.split_at(rest.partition_point(|record| rank(record.key()) < rank(key)));
        new.extend_from_slice(before);
        let (start, after) = match from_key.split_first() {
            Some((record, after)) if record.key() == key => {
                (first.applied_to(record).unwrap_or_else(|| record.clone()), after)
            }
            _ => (first.fresh(), from_key),
        };
        let last = further.iter().fold(start, |record, change| {
            change.applied_to(&record).unwrap_or(record)
        });
        new.push(last);
        rest = after;
    }
    new.extend_from_slice(rest);
    new
}
