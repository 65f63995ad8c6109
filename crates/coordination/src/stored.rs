//! The authority over rows that somebody else keeps: the rules of
//! [`crate::ledger`], run inside one transaction of the store per batch.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_model::time::Timestamp;

use crate::authority::{Authority, AuthorityAway, CounterKey, LeaseAnswer, LeaseRequest};
use crate::ledger::{Counter, Effect};

/// A counter as it shall be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCounter {
    /// Opaque to the store.
    pub state: Vec<u8>,
    /// After this the row may be deleted.
    pub expires_at: Timestamp,
}

/// Turns the states of the keys, in their order, into what is to be written;
/// `None` leaves a row as it is. It gets the authority's time, and may be called
/// again when the transaction has to be repeated.
pub type CounterUpdate = Box<dyn FnMut(Timestamp, Vec<Option<Vec<u8>>>) -> Vec<Option<StoredCounter>> + Send>;

/// Rows of counters, updated under lock in one transaction.
pub trait CounterStore: Send + Sync + fmt::Debug {
    /// Reads and locks the states of the keys (distinct, in ascending order),
    /// calls `apply` with the store's own time, and writes what it returns.
    fn update(
        &self,
        keys: Vec<CounterKey>,
        apply: CounterUpdate,
    ) -> BoxFuture<'_, Result<(), Box<dyn Error + Send + Sync>>>;
}

/// An authority that keeps its counters in a [`CounterStore`].
#[derive(Debug)]
pub struct StoredAuthority<S> {
    store: S,
}

impl<S: CounterStore> StoredAuthority<S> {
    /// An authority over these rows.
    #[must_use]
    pub fn new(store: S) -> Self {
        Self { store }
    }

    async fn run(&self, batch: Vec<LeaseRequest>) -> Result<Vec<LeaseAnswer>, AuthorityAway> {
        let mut keys: Vec<CounterKey> = batch.iter().map(|request| request.key.clone()).collect();
        keys.sort_unstable();
        keys.dedup();
        let asked = batch.len();
        let answers = Arc::new(Mutex::new(Vec::with_capacity(asked)));
        let apply = update(keys.clone(), batch, Arc::clone(&answers));
        self.store
            .update(keys, apply)
            .await
            .map_err(AuthorityAway::Store)?;
        let answers = std::mem::take(&mut *answers.lock().unwrap_or_else(PoisonError::into_inner));
        if answers.len() == asked {
            Ok(answers)
        } else {
            Err(AuthorityAway::Garbled("the store did not run the update"))
        }
    }
}

impl<S: CounterStore> Authority for StoredAuthority<S> {
    fn lease(&self, batch: Vec<LeaseRequest>) -> BoxFuture<'_, Result<Vec<LeaseAnswer>, AuthorityAway>> {
        self.run(batch).boxed()
    }
}

fn update(
    keys: Vec<CounterKey>,
    batch: Vec<LeaseRequest>,
    answers: Arc<Mutex<Vec<LeaseAnswer>>>,
) -> CounterUpdate {
    Box::new(move |now, states| {
        let mut counters: BTreeMap<&CounterKey, (Option<Counter>, Effect)> = keys
            .iter()
            .zip(states)
            .map(|(key, state)| (key, (state.and_then(|bytes| read(key, &bytes)), Effect::Same)))
            .collect();
        let mut given = Vec::with_capacity(batch.len());
        for request in &batch {
            if let Some((counter, effect)) = counters.get_mut(&request.key) {
                let (answer, change) = Counter::lease(counter, now, request);
                given.push(answer);
                if change == Effect::Changed {
                    *effect = Effect::Changed;
                }
            }
        }
        *answers.lock().unwrap_or_else(PoisonError::into_inner) = given;
        keys.iter()
            .map(|key| match counters.get(key) {
                Some((Some(counter), Effect::Changed)) => write(counter, now),
                _ => None,
            })
            .collect()
    })
}

fn read(key: &CounterKey, bytes: &[u8]) -> Option<Counter> {
    serde_json::from_slice(bytes)
        .inspect_err(|error| {
            tracing::error!(
                limit.id = %key.limit, partition = %key.partition, %error,
                "a counter is unreadable and starts anew"
            );
        })
        .ok()
}

fn write(counter: &Counter, now: Timestamp) -> Option<StoredCounter> {
    let state = serde_json::to_vec(counter)
        .inspect_err(|error| tracing::error!(%error, "a counter cannot be written"))
        .ok()?;
    Some(StoredCounter {
        state,
        expires_at: counter.expires_at(now),
    })
}
