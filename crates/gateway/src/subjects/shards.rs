//! Immutable sorted lists behind atomic pointers.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// A power of two. With a million records a list has about a thousand: a change
/// copies some 100 KB, which takes microseconds.
const SHARDS: usize = 1_024;

/// A record that is found by a key.
pub(super) trait Keyed: Clone {
    /// What it is found by.
    type Key: Ord + Copy;
    /// Its key.
    fn key(&self) -> Self::Key;
    /// Evenly spread bits of a key.
    fn spread(key: &Self::Key) -> u64;
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
pub(super) struct Shards<R: Keyed>(Box<[ArcSwap<Vec<R>>]>);

impl<R: Keyed> Default for Shards<R> {
    fn default() -> Self {
        Self((0..SHARDS).map(|_| ArcSwap::from_pointee(Vec::new())).collect())
    }
}

fn place_of<R: Keyed>(key: &R::Key) -> usize {
    // A remainder of a small number is one.
    usize::try_from(R::spread(key) % SHARDS as u64).unwrap_or(0)
}

impl<R: Keyed> Shards<R> {
    /// The record with this key.
    pub(super) fn find(&self, key: &R::Key) -> Option<R> {
        let list = self.0.get(place_of::<R>(key))?.load();
        let place = list.binary_search_by_key(key, Keyed::key).ok()?;
        list.get(place).cloned()
    }

    /// Applies changes in their order; says how many records are new.
    pub(super) fn apply<C: Change<Record = R>>(&self, mut changes: Vec<C>) -> usize {
        // Stable: changes of one record keep their order.
        changes.sort_by_key(|change| (place_of::<R>(&change.key()), change.key()));
        let mut added = 0;
        for of_shard in changes.chunk_by(|a, b| place_of::<R>(&a.key()) == place_of::<R>(&b.key())) {
            let shard = of_shard
                .first()
                .and_then(|first| self.0.get(place_of::<R>(&first.key())));
            let Some(shard) = shard else { continue };
            let old = shard.load_full();
            let new = merged(&old, of_shard);
            added += new.len() - old.len();
            shard.store(Arc::new(new));
        }
        added
    }

    /// Forgets every record.
    pub(super) fn clear(&self) {
        for shard in &self.0 {
            shard.store(Arc::default());
        }
    }
}

/// Both lists are sorted by key; so is the result.
fn merged<C: Change>(old: &[C::Record], changes: &[C]) -> Vec<C::Record> {
    let mut new = Vec::with_capacity(old.len() + changes.chunk_by(|a, b| a.key() == b.key()).count());
    let mut rest = old;
    for of_record in changes.chunk_by(|a, b| a.key() == b.key()) {
        let Some((first, further)) = of_record.split_first() else {
            continue;
        };
        let key = first.key();
        let (before, from_key) = rest.split_at(rest.partition_point(|record| record.key() < key));
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
    new.shrink_to_fit();
    new
}
