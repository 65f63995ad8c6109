//! When credentials were last used, as far as the store has to hear of it: one
//! stamp a minute for each credential, however many calls it makes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use gatewright_model::id::CredentialId;
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::CallRecord;

/// A credential is stamped again when its last stamp is this old.
const EVERY_MS: i64 = 60_000;
/// Credentials whose stamps are remembered. One that is forgotten is stamped sooner.
const REMEMBERED: usize = 100_000;
/// The store takes this many at once; the others have their turn in a later batch.
const AT_ONCE: usize = 1_000;

/// Remembers what was stamped.
#[derive(Debug, Default)]
pub(crate) struct LastUsed(Mutex<HashMap<CredentialId, Timestamp>>);

impl LastUsed {
    /// The stamps that these calls ask for, the newest of each credential.
    pub(crate) fn due(&self, calls: &[CallRecord]) -> Vec<(CredentialId, Timestamp)> {
        let mut newest: HashMap<CredentialId, Timestamp> = HashMap::new();
        for call in calls.iter().filter(|call| accepted(call)) {
            if let Some(id) = call.subject.credential_id {
                let at = newest.entry(id).or_insert(call.at);
                *at = call.at.max(*at);
            }
        }
        let stamped = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        newest.retain(|id, at| stamped.get(id).is_none_or(|last| is_old(*last, *at)));
        newest.into_iter().take(AT_ONCE).collect()
    }

    /// Remembers stamps that the store has taken.
    pub(crate) fn taken(&self, stamps: &[(CredentialId, Timestamp)]) {
        let mut stamped = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if stamped.len() + stamps.len() > REMEMBERED {
            let newest = stamps.iter().map(|(_, at)| *at).max();
            stamped.retain(|_, last| newest.is_some_and(|newest| !is_old(*last, newest)));
        }
        // More than that many credentials within one minute: stamping some again is cheaper than the memory.
        if stamped.len() + stamps.len() > REMEMBERED {
            stamped.clear();
        }
        stamped.extend(stamps.iter().copied());
    }
}

const fn is_old(last: Timestamp, now: Timestamp) -> bool {
    now.as_millis().saturating_sub(last.as_millis()) >= EVERY_MS
}

/// A call that the gateway let pass, or refused for another reason than who made it.
fn accepted(call: &CallRecord) -> bool {
    call.refusal.is_none() || !matches!(call.status, 401 | 403)
}

#[cfg(test)]
mod tests {
    use gatewright_model::id::{CallId, EntityId, NodeId};
    use gatewright_model::traffic::{CallSource, CallSubject};
    use uuid::Uuid;

    use super::*;

    fn credential(number: u128) -> CredentialId {
        CredentialId::from_uuid(Uuid::from_u128(number))
    }

    fn call(credential_id: u128, second: i64, status: u16, refusal: Option<&'static str>) -> CallRecord {
        CallRecord {
            id: CallId::from_uuid(Uuid::nil()),
            tenant_id: None,
            subject: CallSubject {
                api_id: None,
                version_id: None,
                operation: None,
                plan_id: None,
                subscription_id: None,
                application_id: None,
                credential_id: Some(credential(credential_id)),
            },
            at: at(second),
            source: CallSource::Client,
            node_id: NodeId::from_uuid(Uuid::nil()),
            snapshot_seq: 1,
            method: "GET".into(),
            path: "/".to_owned(),
            status,
            refusal,
            client: None,
            user_agent: None,
            target: None,
            bytes_in: 0,
            bytes_out: 0,
            duration_us: 1,
            upstream_us: 1,
            trace_id: gatewright_model::traffic::TraceId::from_digits([b'0'; 32]),
            complete: true,
        }
    }

    const fn at(second: i64) -> Timestamp {
        Timestamp::from_millis(second * 1_000)
    }

    #[test]
    fn the_newest_accepted_call_counts() {
        let used = LastUsed::default();
        let calls = [
            call(1, 3, 200, None),
            call(1, 9, 429, Some("rate_limited")),
            call(1, 5, 401, None),
            call(2, 9, 403, Some("not_subscribed")),
        ];
        assert_eq!(used.due(&calls), [(credential(1), at(9))]);
    }

    #[test]
    fn a_credential_is_stamped_once_a_minute() {
        let used = LastUsed::default();
        let first = used.due(&[call(1, 0, 200, None)]);
        assert_eq!(
            used.due(&[call(1, 1, 200, None)]).len(),
            1,
            "the store has not taken it"
        );
        used.taken(&first);
        assert!(used.due(&[call(1, 59, 200, None)]).is_empty());
        assert_eq!(used.due(&[call(1, 60, 200, None)]), [(credential(1), at(60))]);
    }

    #[test]
    fn memory_is_bounded() {
        let used = LastUsed::default();
        let half = REMEMBERED as u128 / 2 + 1;
        for (round, second) in [(0, 0), (1, 1), (2, 100)] {
            let numbers = round * half..(round + 1) * half;
            let stamps: Vec<_> = numbers.map(|number| (credential(number), at(second))).collect();
            used.taken(&stamps);
            assert!(used.0.lock().unwrap().len() <= REMEMBERED);
        }
    }
}
