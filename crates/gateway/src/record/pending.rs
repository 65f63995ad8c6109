//! Records that wait for their batch.

use std::collections::{HashMap, VecDeque};

use gatewright_model::traffic::{CallRecord, RollupKey, RollupValue, minute_of};

use super::BatchIds;
use crate::source::RecordBatch;

/// Calls in one batch: a transaction of some 50 ms.
const BATCH: usize = 5_000;
/// Calls that are kept while the sink is away; about 30 MB.
const KEPT_CALLS: usize = 50_000;
/// Rollups that are kept while the sink is away: a thousand subscriptions for an hour.
const KEPT_ROLLUPS: usize = 60_000;

/// Calls and what they add up to.
#[derive(Debug, Default)]
pub(super) struct Pending {
    calls: VecDeque<CallRecord>,
    rollups: HashMap<RollupKey, RollupValue>,
    forgotten: u64,
}

impl Pending {
    /// Takes a call.
    pub(super) fn add(&mut self, call: CallRecord) {
        if let Some(tenant_id) = call.tenant_id {
            let key = RollupKey {
                minute: minute_of(call.at),
                tenant_id,
                subject: call.subject.clone(),
                status: call.status,
                source: call.source,
            };
            let room = self.rollups.len() < KEPT_ROLLUPS;
            if room || self.rollups.contains_key(&key) {
                self.rollups.entry(key).or_default().add(&call);
            } else {
                self.forgotten += 1;
                return;
            }
        }
        self.calls.push_back(call);
    }

    /// Forgets the oldest calls above the bound; says how many were forgotten.
    pub(super) fn trim(&mut self) -> u64 {
        let surplus = self.calls.len().saturating_sub(KEPT_CALLS);
        self.calls.drain(..surplus);
        std::mem::take(&mut self.forgotten) + surplus as u64
    }

    /// How many calls wait.
    pub(super) fn calls(&self) -> usize {
        self.calls.len()
    }

    /// The next batch. The rollups of all calls go with the first one.
    pub(super) fn batch(&mut self, ids: &BatchIds) -> Option<RecordBatch> {
        if self.calls.is_empty() && self.rollups.is_empty() {
            return None;
        }
        let count = self.calls.len().min(BATCH);
        Some(RecordBatch {
            id: ids.next(),
            calls: self.calls.drain(..count).collect(),
            rollups: self.rollups.drain().collect(),
        })
    }
}
