//! Records that wait for their batch.

use std::collections::VecDeque;

use gatewright_model::traffic::{CallRecord, RollupKey, RollupValue, minute_of};

use super::BatchIds;
use crate::maps::FastMap;
use crate::source::RecordBatch;

/// Calls in one batch: a transaction of some 50 ms.
pub(super) const BATCH: usize = 5_000;
/// Calls that are kept while the sink is away; about 30 MB.
const KEPT_CALLS: usize = 50_000;
/// Rollups that are kept while the sink is away: a thousand subscriptions for an hour.
const KEPT_ROLLUPS: usize = 60_000;

/// Calls and what they add up to.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// Lists as workers filled them, the oldest first: what they hold is not moved.
    lists: VecDeque<Vec<CallRecord>>,
    calls: usize,
    rollups: FastMap<RollupKey, RollupValue>,
}

impl Pending {
    /// Takes the calls of a worker. Says how many were forgotten, because there
    /// are too many rollups.
    pub(super) fn add(&mut self, mut list: Vec<CallRecord>) -> u64 {
        let all = list.len();
        list.retain(|call| self.add_up(call));
        let forgotten = all - list.len();
        self.calls += list.len();
        match self.lists.back_mut() {
            _ if list.is_empty() => {}
            // What little there is of several workers is one batch.
            Some(last) if last.len() + list.len() <= BATCH => last.append(&mut list),
            _ => self.lists.push_back(list),
        }
        forgotten as u64
    }

    /// Says whether there was room for it.
    fn add_up(&mut self, call: &CallRecord) -> bool {
        let Some(tenant_id) = call.tenant_id else {
            return true;
        };
        let key = RollupKey {
            minute: minute_of(call.at),
            tenant_id,
            subject: call.subject.clone(),
            status: call.status,
            source: call.source,
        };
        let room = self.rollups.len() < KEPT_ROLLUPS || self.rollups.contains_key(&key);
        if room {
            self.rollups.entry(key).or_default().add(call);
        }
        room
    }

    /// Forgets the oldest calls above the bound; says how many were forgotten.
    pub(super) fn trim(&mut self) -> u64 {
        let surplus = self.calls.saturating_sub(KEPT_CALLS);
        let mut left = surplus;
        while left > 0
            && let Some(oldest) = self.lists.front_mut()
        {
            let part = left.min(oldest.len());
            oldest.drain(..part);
            left -= part;
            if oldest.is_empty() {
                self.lists.pop_front();
            }
        }
        self.calls -= surplus;
        surplus as u64
    }

    /// How many calls wait.
    pub(super) const fn calls(&self) -> usize {
        self.calls
    }

    /// The next batch. The rollups of all calls go with the first one.
    pub(super) fn batch(&mut self, ids: &BatchIds) -> Option<RecordBatch> {
        let mut calls = self.lists.pop_front().unwrap_or_default();
        if calls.is_empty() && self.rollups.is_empty() {
            return None;
        }
        if calls.len() > BATCH {
            self.lists.push_front(calls.split_off(BATCH));
        }
        self.calls -= calls.len();
        // A burst is not to be remembered for ever.
        self.rollups.shrink_to(self.rollups.len().saturating_mul(2));
        Some(RecordBatch {
            id: ids.next(),
            calls,
            rollups: self.rollups.drain().collect(),
        })
    }
}
