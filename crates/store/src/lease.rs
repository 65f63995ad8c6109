//! Counters of limits. Their content is opaque here: the rules of the lease
//! protocol live above, and run inside of the transaction that keeps two
//! nodes from reading the same counter at once.

use std::collections::HashMap;
use std::time::Duration;

use gatewright_model::time::Timestamp;
use sea_query::{Cond, Expr, ExprTrait, OnConflict, Order, Query};
use uuid::Uuid;

use crate::column::Column;
use crate::conn::{Access, Scope};
use crate::dialect;
use crate::error::StoreError;
use crate::row::is;
use crate::store::Store;
use crate::tx::{Tx, insert_into};

const TABLE: &str = "lease_counter";
const COLUMNS: &[&str] = &["limit_id", "partition", "state", "expires_at"];
/// Keys in one statement: each is one OR, and SQLite nests those up to a thousand deep.
const CHUNK: usize = 200;

/// A counter: the limit, and whose share of it.
pub type CounterKey = (Uuid, String);
/// What is kept of a counter, and until when it matters.
pub type CounterState = (Vec<u8>, Timestamp);

impl Store {
    /// Reads counters, lets `apply` decide, and writes what it says, all in one
    /// transaction. `apply` gets the authority's time and one state for each
    /// key in order (`None` for a new counter) and gives one answer for each
    /// (`None` to leave it). `local_now` is the time where the database has none of its own.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; nothing was written then.
    pub async fn update_counters(
        &self,
        keys: &[CounterKey],
        local_now: Timestamp,
        apply: impl FnOnce(Timestamp, Vec<Option<Vec<u8>>>) -> Vec<Option<CounterState>> + Send,
    ) -> Result<(), StoreError> {
        let mut tx = self.traffic_tx(Scope::System, Access::Write).await?;
        let mut states: HashMap<CounterKey, Vec<u8>> = HashMap::new();
        for chunk in keys.chunks(CHUNK) {
            reserve(&mut tx, chunk, local_now).await?;
            read(&mut tx, chunk, &mut states).await?;
        }
        // The time is read under the locks, so that it never runs backwards for a counter.
        let now = dialect::authority_time(&mut tx.conn, local_now).await?;
        let known = keys
            .iter()
            .map(|key| states.remove(key).filter(|state| !state.is_empty()))
            .collect();
        let answers = apply(now, known);
        let written: Vec<_> = keys
            .iter()
            .zip(answers)
            .filter_map(|(key, state)| Some((key, state?)))
            .collect();
        for chunk in written.chunks(CHUNK) {
            let rows = chunk.iter().map(|((limit, partition), (state, expires))| {
                vec![limit.value(), partition.value(), state.value(), expires.value()]
            });
            let mut insert = insert_into(TABLE, COLUMNS, rows);
            insert.on_conflict(
                OnConflict::columns(["limit_id", "partition"])
                    .update_columns(["state", "expires_at"])
                    .to_owned(),
            );
            tx.conn.execute(&insert).await?;
        }
        tx.conn.commit().await
    }

    /// Forgets counters that no longer matter; says how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn forget_counters(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut tx = self.traffic_tx(Scope::System, Access::Write).await?;
        let mut delete = Query::delete();
        delete
            .from_table(TABLE)
            .and_where(Expr::col("expires_at").lt(now.value()));
        let gone = tx.conn.execute(&delete).await?;
        tx.conn.commit().await?;
        Ok(gone)
    }
}

/// How long a row is kept that was only made to be locked.
const RESERVED: Duration = Duration::from_secs(86_400);

/// Makes empty rows for new counters, so that there is something to lock.
async fn reserve(tx: &mut Tx, keys: &[CounterKey], now: Timestamp) -> Result<(), StoreError> {
    let empty = Vec::<u8>::new();
    let swept_up = now.plus(RESERVED);
    let rows = keys
        .iter()
        .map(|(limit, partition)| vec![limit.value(), partition.value(), empty.value(), swept_up.value()]);
    let mut insert = insert_into(TABLE, COLUMNS, rows);
    insert.on_conflict(
        OnConflict::columns(["limit_id", "partition"])
            .do_nothing()
            .to_owned(),
    );
    tx.conn.execute(&insert).await.map(drop)
}

async fn read(
    tx: &mut Tx,
    keys: &[CounterKey],
    states: &mut HashMap<CounterKey, Vec<u8>>,
) -> Result<(), StoreError> {
    let mut any = Cond::any();
    for (limit, partition) in keys {
        any = any.add(is("limit_id", limit).and(is("partition", partition)));
    }
    let mut select = Query::select();
    select
        .columns(["limit_id", "partition", "state"])
        .from(TABLE)
        .cond_where(any)
        .order_by("limit_id", Order::Asc)
        .order_by("partition", Order::Asc);
    dialect::lock_rows(&tx.conn, &mut select);
    for row in tx.conn.fetch_all(&select).await? {
        let key = (row.take(TABLE, "limit_id")?, row.take(TABLE, "partition")?);
        states.insert(key, row.take(TABLE, "state")?);
    }
    Ok(())
}
