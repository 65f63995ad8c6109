//! Applications, subscriptions and credentials: a million of them, changed one
//! by one.
//!
//! They stand in 1,024 shards, each an immutable sorted list behind an atomic
//! pointer. A reader takes no lock; a change copies the one shard that it
//! touches. Records are kept small (a key with its application and its
//! subscription takes less than 250 bytes), so what can be looked up elsewhere
//! is left out: the API of a subscription follows from its plan.

mod record;
mod shards;

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use gatewright_model::id::ApplicationId;
use gatewright_model::secret::SecretHash;
use gatewright_model::snapshot::Delta;
use subtle::ConstantTimeEq;

use crate::atomics::{AtomicI64, AtomicUsize, Mutex};

use record::ApplicationChange;
pub(crate) use record::{ApplicationRecord, CredentialRecord, FieldName, SubscriptionRecord};
use shards::Shards;

/// All of them.
#[derive(Debug, Default)]
pub struct Subjects {
    credentials: Shards<CredentialRecord>,
    applications: Shards<ApplicationRecord>,
    applied: AtomicI64,
    credential_count: AtomicUsize,
    /// Held by whoever changes something; readers never ask for it.
    writing: Mutex<()>,
}

impl Subjects {
    /// The credential with this hash.
    pub(crate) fn credential(&self, hash: &SecretHash) -> Option<CredentialRecord> {
        let key = CredentialRecord::key_of(hash);
        let found = self.credentials.find(key)?;
        bool::from(found.key.ct_eq(&key)).then_some(found)
    }

    /// The application with this id.
    pub(crate) fn application(&self, id: ApplicationId) -> Option<ApplicationRecord> {
        self.applications.find(ApplicationRecord::key_of(id))
    }

    /// Every change up to this number is applied.
    #[must_use]
    pub fn applied(&self) -> i64 {
        self.applied.load(Ordering::Acquire)
    }

    /// How many credentials there are, ended ones included.
    #[must_use]
    pub fn credential_count(&self) -> usize {
        self.credential_count.load(Ordering::Relaxed)
    }

    /// Applies changes. Those that are here already, and older ones than what
    /// is here, change nothing.
    pub fn apply(&self, deltas: &[Delta], through: i64) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.apply_alone(deltas);
        self.applied.fetch_max(through, Ordering::AcqRel);
    }

    /// Forgets everything: what is here came from another history.
    pub fn clear(&self) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.credentials.clear();
        self.applications.clear();
        self.credential_count.store(0, Ordering::Relaxed);
        self.applied.store(0, Ordering::Release);
    }

    fn apply_alone(&self, deltas: &[Delta]) {
        let mut changes = Changes::default();
        changes.add(deltas);
        self.put(changes);
    }

    fn put(&self, changes: Changes) {
        // Applications first: a key that works at once finds what it opens.
        self.applications.apply(changes.applications);
        let added = self.credentials.apply(changes.credentials);
        self.credential_count.fetch_add(added, Ordering::Relaxed);
    }
}

/// Changes on their way.
#[derive(Debug, Default)]
struct Changes {
    credentials: Vec<CredentialRecord>,
    applications: Vec<ApplicationChange>,
}

impl Changes {
    fn add(&mut self, deltas: &[Delta]) {
        for delta in deltas {
            match delta {
                Delta::Credential(delta) => self.credentials.push(CredentialRecord::of(delta)),
                Delta::Application(delta) => self.applications.push(ApplicationChange::head(delta)),
                Delta::Subscription(delta) => self.applications.push(ApplicationChange::subscription(delta)),
            }
        }
    }

    const fn len(&self) -> usize {
        self.credentials.len() + self.applications.len()
    }
}

/// Changes that are read one chunk after the other into what is empty. Applying
/// a chunk copies every shard, so the more there is, the more is collected before.
#[derive(Debug, Default)]
pub(crate) struct Load {
    changes: Changes,
    applied: usize,
}

impl Load {
    /// Takes the next chunk.
    pub(crate) fn add(&mut self, subjects: &Subjects, deltas: &[Delta]) {
        self.changes.add(deltas);
        if self.changes.len() > self.applied / 2 {
            self.put(subjects);
        }
    }

    /// Applies what is left: everything up to this number is here.
    pub(crate) fn finish(mut self, subjects: &Subjects, through: i64) {
        self.put(subjects);
        subjects.apply(&[], through);
    }

    fn put(&mut self, subjects: &Subjects) {
        let changes = std::mem::take(&mut self.changes);
        self.applied += changes.len();
        let _writing = subjects.writing.lock().unwrap_or_else(PoisonError::into_inner);
        subjects.put(changes);
    }
}

#[cfg(all(test, feature = "models"))]
mod models;
#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use gatewright_model::consumer::{CredentialState, SubscriptionState};
    use gatewright_model::time::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{application, credential, id, subscription};

    #[test]
    fn what_comes_late_or_twice_changes_nothing() {
        let subjects = Subjects::default();
        let mut revoked = credential(9, 1, 1);
        revoked.state = CredentialState::Revoked;
        subjects.apply(&[Delta::Credential(revoked.clone())], 9);
        subjects.apply(&[Delta::Credential(credential(3, 1, 1))], 3);
        subjects.apply(&[Delta::Credential(revoked.clone())], 9);
        let found = subjects.credential(&revoked.hash).unwrap();
        assert!(!found.works(Timestamp::from_millis(1)));
        assert_eq!((subjects.applied(), subjects.credential_count()), (9, 1));
    }

    #[test]
    fn a_subscription_may_arrive_before_its_application() {
        let subjects = Subjects::default();
        subjects.apply(&[Delta::Subscription(subscription(4, 7, 1, 1))], 4);
        assert!(subjects.application(id(1)).unwrap().head.is_none());
        subjects.apply(&[Delta::Application(application(5, 1))], 5);
        let found = subjects.application(id(1)).unwrap();
        assert_eq!(found.head.as_ref().unwrap().name.as_slice(), b"app 1");
        assert_eq!(found.subscriptions.len(), 1);
        assert_eq!(found.subscriptions[0].state, SubscriptionState::Active);
    }

    #[test]
    fn a_key_with_its_application_and_subscription_takes_less_than_250_bytes() {
        // And eight bytes each by which records are found.
        let bytes = size_of::<CredentialRecord>() + size_of::<ApplicationRecord>() + 2 * size_of::<u64>();
        assert!(bytes < 250, "{bytes}");
    }

    #[test]
    fn what_is_loaded_in_chunks_is_what_is_applied_at_once() {
        let deltas: Vec<_> = (1..200_i64)
            .zip((0..70_u128).cycle())
            .flat_map(|(seq, key)| {
                [
                    Delta::Application(application(seq, key)),
                    Delta::Subscription(subscription(seq, key + 1_000, key, 1)),
                    Delta::Credential(credential(seq, key, key)),
                ]
            })
            .collect();
        let (loaded, applied) = (Subjects::default(), Subjects::default());
        let mut load = Load::default();
        deltas.chunks(7).for_each(|chunk| load.add(&loaded, chunk));
        load.finish(&loaded, 200);
        applied.apply(&deltas, 200);
        assert_eq!((loaded.applied(), loaded.credential_count()), (200, 70));
        for key in 0..70_u128 {
            assert_eq!(loaded.application(id(key)), applied.application(id(key)));
            let hash = credential(1, key, key).hash;
            assert!(loaded.credential(&hash).is_some());
            assert_eq!(loaded.credential(&hash), applied.credential(&hash));
        }
    }

    #[test]
    fn after_a_fresh_start_nothing_old_is_left() {
        let subjects = Subjects::default();
        subjects.apply(
            &[
                Delta::Credential(credential(3, 1, 1)),
                Delta::Application(application(5, 1)),
            ],
            5,
        );
        subjects.clear();
        assert!(subjects.credential(&credential(3, 1, 1).hash).is_none());
        assert!(subjects.application(id(1)).is_none());
        assert_eq!((subjects.applied(), subjects.credential_count()), (0, 0));
    }

    proptest! {
        #[test]
        fn it_is_the_newest_change_of_each_key_whatever_the_order(
            changes in proptest::collection::vec((1_i64..50, 0_u128..20, 0_usize..6), 0..120),
            pages in 1_usize..10,
        ) {
            let states = [
                CredentialState::Scheduled, CredentialState::Active, CredentialState::Rotating,
                CredentialState::Disabled, CredentialState::Expired, CredentialState::Revoked,
            ];
            let subjects = Subjects::default();
            let mut truth = HashMap::new();
            // A number belongs to one change of a key, as in the store.
            let mut seen = std::collections::HashSet::new();
            let deltas: Vec<_> = changes
                .into_iter()
                .filter(|(seq, key, _)| seen.insert((*seq, *key)))
                .map(|(seq, key, state)| {
                    let mut delta = credential(seq, key, key);
                    delta.state = states[state];
                    let newest = truth.entry(key).or_insert(delta.clone());
                    if newest.seq < seq {
                        *newest = delta.clone();
                    }
                    Delta::Credential(delta)
                })
                .collect();
            for page in deltas.chunks(pages) {
                subjects.apply(page, 0);
            }
            prop_assert_eq!(subjects.credential_count(), truth.len());
            for delta in truth.values() {
                prop_assert_eq!(subjects.credential(&delta.hash), Some(CredentialRecord::of(delta)));
            }
        }
    }
}
