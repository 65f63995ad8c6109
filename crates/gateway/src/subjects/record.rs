//! The records, and how a delta changes them. There are a million of each, so
//! every byte counts: what many share stands once, what few have stands aside.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use gatewright_model::consumer::{ApplicationState, CredentialState, SubscriptionState, credential_works};
use gatewright_model::id::{
    ApplicationId, CredentialId, EntityId, PlanId, PlanVersionId, SubscriptionId, TenantId,
};
use gatewright_model::secret::SecretHash;
use gatewright_model::snapshot::{ApplicationDelta, CredentialDelta, SubscriptionDelta};
use gatewright_model::time::Timestamp;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use smallvec::SmallVec;

use super::shards::{Change, Keyed};

/// A time that may be absent, in eight bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct MaybeTime(i64);

impl MaybeTime {
    const ABSENT: i64 = i64::MIN;

    fn new(time: Option<Timestamp>) -> Self {
        Self(time.map_or(Self::ABSENT, Timestamp::as_millis))
    }

    fn get(self) -> Option<Timestamp> {
        (self.0 != Self::ABSENT).then(|| Timestamp::from_millis(self.0))
    }
}

/// Values that very many records share. Each is kept once and for ever: there
/// are as many as tenants and versions of plans.
struct Shared<T: 'static>(Mutex<HashSet<&'static T>>);

impl<T: Eq + Hash> Shared<T> {
    fn get(&self, value: T) -> &'static T {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.get(&value) {
            return found;
        }
        let kept: &'static T = Box::leak(Box::new(value));
        known.insert(kept);
        kept
    }
}

static TENANTS: LazyLock<Shared<TenantId>> = LazyLock::new(|| Shared(Mutex::default()));
static TERMS: LazyLock<Shared<Terms>> = LazyLock::new(|| Shared(Mutex::default()));

/// A plan and one version of it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Terms {
    plan: PlanId,
    version: PlanVersionId,
}

/// The times that few credentials have.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Times {
    not_before: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    grace_until: Option<Timestamp>,
}

/// What a credential is found by: the first half of its hash, which is a MAC.
/// 128 bits of it are as hard to forge as the key is to guess (RFC 2104, section 5).
pub(super) type HashKey = [u64; 2];

/// A credential, found by its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CredentialRecord {
    pub(super) key: HashKey,
    pub(crate) id: CredentialId,
    pub(crate) application_id: ApplicationId,
    tenant: &'static TenantId,
    seq: i64,
    times: Option<Arc<Times>>,
    state: CredentialState,
}

impl CredentialRecord {
    pub(super) fn of(delta: &CredentialDelta) -> Self {
        let times = Times {
            not_before: delta.not_before,
            expires_at: delta.expires_at,
            grace_until: delta.grace_until,
        };
        let any = [times.not_before, times.expires_at, times.grace_until];
        Self {
            key: Self::key_of(&delta.hash),
            id: delta.id,
            application_id: delta.application_id,
            tenant: TENANTS.get(delta.tenant_id),
            seq: delta.seq,
            times: any.iter().any(Option::is_some).then(|| Arc::new(times)),
            state: delta.state,
        }
    }

    /// Whose it is.
    pub(crate) const fn tenant_id(&self) -> TenantId {
        *self.tenant
    }

    /// Whether it opens anything at `now`.
    pub(crate) fn works(&self, now: Timestamp) -> bool {
        let times = self.times.as_ref();
        let (start, end, grace) = (
            times.and_then(|times| times.not_before),
            times.and_then(|times| times.expires_at),
            times.and_then(|times| times.grace_until),
        );
        credential_works(self.state, start, end, grace, now)
    }
}

/// Bytes as numbers with the same order: they are compared in a moment.
fn words<const BYTES: usize, const WORDS: usize>(bytes: &[u8; BYTES]) -> [u64; WORDS] {
    let mut words = [0; WORDS];
    let (chunks, _) = bytes.as_chunks();
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u64::from_be_bytes(*chunk);
    }
    words
}

impl CredentialRecord {
    /// What a credential with this hash is found by.
    pub(super) fn key_of(hash: &SecretHash) -> HashKey {
        hash.0.first_chunk::<16>().map_or([0; 2], words)
    }
}

impl Keyed for CredentialRecord {
    type Key = HashKey;

    fn key(&self) -> HashKey {
        self.key
    }
}

impl Change for CredentialRecord {
    type Record = Self;

    fn key(&self) -> HashKey {
        self.key
    }

    fn fresh(&self) -> Self {
        self.clone()
    }

    fn applied_to(&self, record: &Self) -> Option<Self> {
        (self.seq > record.seq).then(|| self.clone())
    }
}

/// An application with its subscriptions. A reader gets a copy: to count readers
/// would be to write into memory that others read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApplicationRecord {
    key: [u64; 2],
    /// `None` while only subscriptions of it have arrived.
    pub(crate) head: Option<ApplicationHead>,
    pub(crate) subscriptions: Subscriptions,
}

/// The subscriptions of an application. Most have one: it stands in the record.
pub(crate) type Subscriptions = SmallVec<[SubscriptionRecord; 1]>;

/// What is known about an application itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApplicationHead {
    /// Its name as a header field has it: percent-encoded where it is not printable ASCII.
    pub(crate) name: FieldName,
    pub(crate) state: ApplicationState,
    seq: i64,
}

/// The name of an application as a header field has it. Most stand in the record, longer ones beside it.
pub(crate) type FieldName = SmallVec<[u8; 24]>;

/// What is escaped in names beside what is not ASCII. The escape itself, so that names can be told apart.
const NOT_IN_NAMES: &AsciiSet = &CONTROLS.add(b'%');

impl ApplicationHead {
    fn of(delta: &ApplicationDelta) -> Self {
        // Readers of fields disagree about bytes beyond ASCII.
        let name = utf8_percent_encode(delta.name.as_str(), NOT_IN_NAMES);
        Self {
            name: name.flat_map(str::bytes).collect(),
            state: delta.state,
            seq: delta.seq,
        }
    }
}

/// A subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubscriptionRecord {
    pub(crate) id: SubscriptionId,
    terms: &'static Terms,
    pub(crate) created_at: Timestamp,
    ends_at: MaybeTime,
    seq: i64,
    pub(crate) state: SubscriptionState,
    pub(crate) paused: bool,
}

impl SubscriptionRecord {
    fn of(delta: &SubscriptionDelta) -> Self {
        Self {
            id: delta.id,
            terms: TERMS.get(Terms {
                plan: delta.plan_id,
                version: delta.plan_version_id,
            }),
            created_at: delta.created_at,
            ends_at: MaybeTime::new(delta.ends_at),
            seq: delta.seq,
            state: delta.state,
            paused: delta.paused,
        }
    }

    /// The plan that it is under.
    pub(crate) const fn plan_id(&self) -> PlanId {
        self.terms.plan
    }

    /// The version of the plan that it is pinned to.
    pub(crate) const fn plan_version_id(&self) -> PlanVersionId {
        self.terms.version
    }

    /// Whether its end has come by itself.
    pub(crate) fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at.get().is_some_and(|end| end <= now)
    }
}

impl ApplicationRecord {
    /// What an application is found by.
    pub(super) fn key_of(id: ApplicationId) -> [u64; 2] {
        words(id.uuid().as_bytes())
    }
}

impl Keyed for ApplicationRecord {
    type Key = [u64; 2];

    fn key(&self) -> [u64; 2] {
        self.key
    }
}

/// A change of an application or of one of its subscriptions.
#[derive(Debug)]
pub(super) struct ApplicationChange {
    id: ApplicationId,
    what: Changed,
}

#[derive(Debug)]
enum Changed {
    Head(ApplicationHead),
    Subscription(SubscriptionRecord),
}

impl ApplicationChange {
    pub(super) fn head(delta: &ApplicationDelta) -> Self {
        Self {
            id: delta.id,
            what: Changed::Head(ApplicationHead::of(delta)),
        }
    }

    pub(super) fn subscription(delta: &SubscriptionDelta) -> Self {
        Self {
            id: delta.application_id,
            what: Changed::Subscription(SubscriptionRecord::of(delta)),
        }
    }
}

impl Change for ApplicationChange {
    type Record = ApplicationRecord;

    fn key(&self) -> [u64; 2] {
        ApplicationRecord::key_of(self.id)
    }

    fn fresh(&self) -> ApplicationRecord {
        let (head, subscriptions) = match &self.what {
            Changed::Head(head) => (Some(head.clone()), Subscriptions::new()),
            Changed::Subscription(subscription) => (None, Subscriptions::from([*subscription])),
        };
        ApplicationRecord {
            key: self.key(),
            head,
            subscriptions,
        }
    }

    fn applied_to(&self, record: &ApplicationRecord) -> Option<ApplicationRecord> {
        match &self.what {
            Changed::Head(head) => {
                let known = record.head.as_ref().map_or(i64::MIN, |known| known.seq);
                (head.seq > known).then(|| ApplicationRecord {
                    head: Some(head.clone()),
                    ..record.clone()
                })
            }
            Changed::Subscription(subscription) => Some(ApplicationRecord {
                key: record.key,
                head: record.head.clone(),
                subscriptions: with(&record.subscriptions, *subscription)?,
            }),
        }
    }
}

/// The list with a subscription that is new or newer; `None` when it is neither.
fn with(list: &[SubscriptionRecord], new: SubscriptionRecord) -> Option<Subscriptions> {
    if list
        .iter()
        .any(|known| known.id == new.id && known.seq >= new.seq)
    {
        return None;
    }
    let others = list.iter().filter(|known| known.id != new.id);
    Some(others.copied().chain([new]).collect())
}
