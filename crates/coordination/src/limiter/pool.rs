//! Permits that were leased and not taken, and how often they were called in:
//! both in one word, so that a permit comes back only into the pool that it was
//! taken from, whatever happens to the pool meanwhile.

use std::sync::atomic::Ordering;

use crate::atomics::AtomicU64;

/// The low bits of the word count permits, the rest counts rounds.
const BITS: u32 = 48;
/// More permits than this are never held at once.
const MOST: u64 = (1 << BITS) - 1;

/// Which filling of the pool a permit is from. The number comes round after
/// 65,536 closings, many hours later than any call gives a permit back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Round(u64);

/// The permits at hand.
#[derive(Debug, Default)]
pub(super) struct Pool(AtomicU64);

/// What the word says.
#[derive(Debug, Clone, Copy)]
struct Level {
    round: Round,
    permits: u64,
}

impl Level {
    const fn of(word: u64) -> Self {
        Self {
            round: Round(word >> BITS),
            permits: word & MOST,
        }
    }

    const fn word(self) -> u64 {
        self.round.0 << BITS | self.permits
    }

    /// With so many more, as far as they fit.
    const fn with(self, more: u64) -> Self {
        let room = MOST - self.permits;
        Self {
            permits: self.permits + if more < room { more } else { room },
            ..self
        }
    }
}

impl Pool {
    /// How many there are.
    pub(super) fn permits(&self) -> u64 {
        Level::of(self.0.load(Ordering::Acquire)).permits
    }

    /// Takes one, if `usable` says so once it was seen; says how many are left.
    pub(super) fn take(&self, usable: impl Fn() -> bool) -> Option<(Round, u64)> {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            let Level { round, permits } = Level::of(word);
            let permits = permits.checked_sub(1)?;
            if !usable() {
                return None;
            }
            let taken = Level { round, permits }.word();
            match self
                .0
                .compare_exchange_weak(word, taken, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Some((round, permits)),
                Err(newer) => word = newer,
            }
        }
    }

    /// Puts one back. When the pool was closed since it was taken, it is gone:
    /// whoever closed the pool has counted it as spent.
    pub(super) fn put_back(&self, round: Round) {
        self.change(|level| {
            if level.round == round {
                level.with(1)
            } else {
                level
            }
        });
    }

    /// Puts more in.
    pub(super) fn add(&self, permits: u64) {
        self.change(|level| level.with(permits));
    }

    /// Takes up to so many; says how many it got.
    pub(super) fn withdraw(&self, permits: u64) -> u64 {
        let before = self.change(|level| Level {
            permits: level.permits.saturating_sub(permits),
            ..level
        });
        before.permits.min(permits)
    }

    /// Takes all and begins a new round; says how many there were.
    pub(super) fn close(&self) -> u64 {
        let next = |Round(round): Round| Round((round + 1) & (u64::MAX >> BITS));
        let before = self.change(|level| Level {
            round: next(level.round),
            permits: 0,
        });
        before.permits
    }

    /// Says what was there before.
    fn change(&self, change: impl Fn(Level) -> Level) -> Level {
        let update = |word| Some(change(Level::of(word)).word());
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, update) {
            Ok(before) | Err(before) => Level::of(before),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_comes_back_only_to_the_round_it_is_from() {
        let pool = Pool::default();
        assert_eq!(pool.take(|| true), None);
        pool.add(2);
        assert_eq!(pool.take(|| false), None);
        let (round, left) = pool.take(|| true).unwrap();
        assert_eq!(left, 1);
        pool.put_back(round);
        assert_eq!((pool.permits(), pool.close(), pool.permits()), (2, 2, 0));
        pool.add(1);
        pool.put_back(round);
        assert_eq!((pool.withdraw(3), pool.permits()), (1, 0));
    }

    #[test]
    fn rounds_and_permits_do_not_run_into_each_other() {
        let pool = Pool::default();
        pool.add(u64::MAX);
        let (first, left) = pool.take(|| true).unwrap();
        assert_eq!((left, pool.close()), (MOST - 1, MOST - 1));
        // Once round: the same number again, and no permit out of nothing.
        for _ in 0..1 << 16 {
            assert_eq!(pool.close(), 0);
        }
        pool.add(1);
        let (second, left) = pool.take(|| true).unwrap();
        assert_eq!((second, left), (Round((first.0 + 1) & 0xffff), 0));
    }
}
