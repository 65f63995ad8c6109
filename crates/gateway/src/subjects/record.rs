//! The records, and how a delta changes them.

use std::sync::Arc;

use gatewright_model::consumer::{ApplicationState, CredentialState, SubscriptionState, credential_works};
use gatewright_model::id::{
    ApplicationId, CredentialId, EntityId, PlanId, PlanVersionId, SubscriptionId, TenantId,
};
use gatewright_model::secret::SecretHash;
use gatewright_model::snapshot::{ApplicationDelta, CredentialDelta, SubscriptionDelta};
use gatewright_model::text::Name;
use gatewright_model::time::Timestamp;

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

/// A credential, found by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CredentialRecord {
    pub(super) hash: SecretHash,
    pub(crate) id: CredentialId,
    pub(crate) tenant_id: TenantId,
    pub(crate) application_id: ApplicationId,
    seq: i64,
    not_before: MaybeTime,
    expires_at: MaybeTime,
    grace_until: MaybeTime,
    state: CredentialState,
}

impl CredentialRecord {
    pub(super) fn of(delta: &CredentialDelta) -> Self {
        Self {
            hash: delta.hash,
            id: delta.id,
            tenant_id: delta.tenant_id,
            application_id: delta.application_id,
            seq: delta.seq,
            not_before: MaybeTime::new(delta.not_before),
            expires_at: MaybeTime::new(delta.expires_at),
            grace_until: MaybeTime::new(delta.grace_until),
            state: delta.state,
        }
    }

    /// Whether it opens anything at `now`.
    pub(crate) fn works(&self, now: Timestamp) -> bool {
        let (start, end, grace) = (
            self.not_before.get(),
            self.expires_at.get(),
            self.grace_until.get(),
        );
        credential_works(self.state, start, end, grace, now)
    }
}

impl Keyed for CredentialRecord {
    type Key = [u8; 32];

    fn key(&self) -> [u8; 32] {
        self.hash.0
    }

    fn spread(key: &[u8; 32]) -> u16 {
        // The hash is a MAC: every bit of it is as good as random.
        let [first, second, ..] = *key;
        u16::from_le_bytes([first, second])
    }
}

impl Change for CredentialRecord {
    type Record = Self;

    fn key(&self) -> [u8; 32] {
        self.hash.0
    }

    fn fresh(&self) -> Self {
        *self
    }

    fn applied_to(&self, record: &Self) -> Option<Self> {
        (self.seq > record.seq).then_some(*self)
    }
}

/// An application with its subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApplicationRecord {
    pub(crate) id: ApplicationId,
    /// `None` while only subscriptions of it have arrived.
    pub(crate) head: Option<ApplicationHead>,
    pub(crate) subscriptions: Box<[SubscriptionRecord]>,
}

/// What is known about an application itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApplicationHead {
    pub(crate) name: Name,
    pub(crate) state: ApplicationState,
    seq: i64,
}

/// A subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubscriptionRecord {
    pub(crate) id: SubscriptionId,
    pub(crate) plan_id: PlanId,
    pub(crate) plan_version_id: PlanVersionId,
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
            plan_id: delta.plan_id,
            plan_version_id: delta.plan_version_id,
            created_at: delta.created_at,
            ends_at: MaybeTime::new(delta.ends_at),
            seq: delta.seq,
            state: delta.state,
            paused: delta.paused,
        }
    }

    /// Whether its end has come by itself.
    pub(crate) fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at.get().is_some_and(|end| end <= now)
    }
}

impl Keyed for Arc<ApplicationRecord> {
    type Key = [u8; 16];

    fn key(&self) -> [u8; 16] {
        *self.id.uuid().as_bytes()
    }

    fn spread(key: &[u8; 16]) -> u16 {
        // The last bytes of a UUIDv7 are random; the first ones are the time.
        let [.., before, last] = *key;
        u16::from_le_bytes([last, before])
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
            what: Changed::Head(ApplicationHead {
                name: delta.name.clone(),
                state: delta.state,
                seq: delta.seq,
            }),
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
    type Record = Arc<ApplicationRecord>;

    fn key(&self) -> [u8; 16] {
        *self.id.uuid().as_bytes()
    }

    fn fresh(&self) -> Arc<ApplicationRecord> {
        let (head, subscriptions) = match &self.what {
            Changed::Head(head) => (Some(head.clone()), Box::default()),
            Changed::Subscription(subscription) => (None, Box::from([*subscription])),
        };
        Arc::new(ApplicationRecord {
            id: self.id,
            head,
            subscriptions,
        })
    }

    fn applied_to(&self, record: &Arc<ApplicationRecord>) -> Option<Arc<ApplicationRecord>> {
        let mut new = ApplicationRecord::clone(record);
        match &self.what {
            Changed::Head(head) => {
                let known = record.head.as_ref().map_or(i64::MIN, |known| known.seq);
                new.head = (head.seq > known).then(|| Some(head.clone()))?;
            }
            Changed::Subscription(subscription) => {
                new.subscriptions = with(&record.subscriptions, *subscription)?;
            }
        }
        Some(Arc::new(new))
    }
}

/// The list with a subscription that is new or newer; `None` when it is neither.
fn with(list: &[SubscriptionRecord], new: SubscriptionRecord) -> Option<Box<[SubscriptionRecord]>> {
    if list
        .iter()
        .any(|known| known.id == new.id && known.seq >= new.seq)
    {
        return None;
    }
    let others = list.iter().filter(|known| known.id != new.id);
    Some(others.copied().chain([new]).collect())
}
