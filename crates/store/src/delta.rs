//! What gateways must know of applications, subscriptions and credentials:
//! the rows themselves carry the number of their last change, so there is no
//! second table that could fall behind them.

use futures_util::TryStreamExt;
use gatewright_model::consumer::{
    Application, ApplicationState, Credential, CredentialState, Subscription, SubscriptionState,
};
use gatewright_model::snapshot::{ApplicationDelta, CredentialDelta, Delta, SubscriptionDelta};
use gatewright_model::state::Word;
use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};

use crate::error::StoreError;
use crate::row::{Fault, Record, Row, is_in};
use crate::tx::{Tx, repository};

repository! {
    /// Changes for gateways; for a system transaction that reads.
    Deltas via deltas
}

/// Which changes a page covers: after the one, up to and with the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeltaRange {
    /// The reader had everything up to this change.
    pub after: i64,
    /// With the page it has everything up to this one.
    pub through: i64,
}

/// Changes in order; all of a change or nothing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaPage {
    /// In the order of their numbers.
    pub deltas: Vec<Delta>,
    /// What they cover. It ends before it begins when the reader knows more than
    /// the store: the store was restored, and the reader has to start from nothing.
    pub range: DeltaRange,
    /// Whether there is more at once.
    pub more: bool,
}

/// A table that gateways follow.
struct Followed {
    table: &'static str,
    columns: &'static [&'static str],
    read: fn(&Row) -> Result<Delta, Fault>,
    /// What a node that starts from nothing has to know.
    still_matters: fn() -> Expr,
}

const FOLLOWED: [Followed; 3] = [
    Followed {
        table: <Application as Record>::TABLE,
        columns: &["change_seq", "id", "tenant_id", "name", "environment", "state"],
        read: application,
        still_matters: any_application,
    },
    Followed {
        table: <Subscription as Record>::TABLE,
        columns: &[
            "change_seq",
            "id",
            "tenant_id",
            "application_id",
            "api_id",
            "plan_id",
            "plan_version_id",
            "state",
            "paused",
            "created_at",
            "ends_at",
            "closing_at",
        ],
        read: subscription,
        still_matters: open_subscription,
    },
    Followed {
        table: <Credential as Record>::TABLE,
        columns: &[
            "change_seq",
            "id",
            "tenant_id",
            "application_id",
            "hash",
            "state",
            "not_before",
            "expires_at",
            "grace_until",
        ],
        read: credential,
        still_matters: open_credential,
    },
];

fn application(row: &Row) -> Result<Delta, Fault> {
    Ok(Delta::Application(ApplicationDelta {
        seq: row.get("change_seq")?,
        id: row.get("id")?,
        tenant_id: row.get("tenant_id")?,
        name: row.get("name")?,
        environment: row.get("environment")?,
        state: row.get("state")?,
    }))
}

fn subscription(row: &Row) -> Result<Delta, Fault> {
    let (state, ends_at, closing_at) = (row.get("state")?, row.get("ends_at")?, row.get("closing_at")?);
    Ok(Delta::Subscription(SubscriptionDelta {
        seq: row.get("change_seq")?,
        id: row.get("id")?,
        tenant_id: row.get("tenant_id")?,
        application_id: row.get("application_id")?,
        api_id: row.get("api_id")?,
        plan_id: row.get("plan_id")?,
        plan_version_id: row.get("plan_version_id")?,
        state,
        paused: row.get("paused")?,
        created_at: row.get("created_at")?,
        ends_at: end_of(state, ends_at, closing_at),
    }))
}

/// A closing subscription ends at its closing date unless its term ends before.
fn end_of<T: Ord>(state: SubscriptionState, ends_at: Option<T>, closing_at: Option<T>) -> Option<T> {
    match (state, ends_at, closing_at) {
        (SubscriptionState::Closing, Some(ends), Some(closing)) => Some(Ord::min(ends, closing)),
        (SubscriptionState::Closing, None, closing) => closing,
        (_, ends, _) => ends,
    }
}

fn credential(row: &Row) -> Result<Delta, Fault> {
    Ok(Delta::Credential(CredentialDelta {
        seq: row.get("change_seq")?,
        id: row.get("id")?,
        tenant_id: row.get("tenant_id")?,
        application_id: row.get("application_id")?,
        hash: row.get("hash")?,
        state: row.get("state")?,
        not_before: row.get("not_before")?,
        expires_at: row.get("expires_at")?,
        grace_until: row.get("grace_until")?,
    }))
}

impl Followed {
    fn select(&self) -> SelectStatement {
        let mut select = Query::select();
        select.columns(self.columns.iter().copied()).from(self.table);
        select
    }

    fn delta(&self, row: &Row) -> Result<Delta, StoreError> {
        (self.read)(row).map_err(|fault| row.corrupt(self.table, fault))
    }

    async fn between(
        &self,
        tx: &mut Tx,
        range: DeltaRange,
        limit: Option<u64>,
    ) -> Result<Vec<Delta>, StoreError> {
        let mut select = self.select();
        select
            .and_where(Expr::col("change_seq").gt(range.after))
            .and_where(Expr::col("change_seq").lte(range.through))
            .order_by("change_seq", Order::Asc)
            .order_by("id", Order::Asc);
        if let Some(limit) = limit {
            select.limit(limit);
        }
        let rows = tx.conn.fetch_all(&select).await?;
        rows.iter().map(|row| self.delta(row)).collect()
    }
}

impl Deltas<'_> {
    /// What has changed after a number, in order: about `limit` deltas of each
    /// kind, and always whole changes. Nothing below the page's end can appear
    /// later: numbers are given in the order of commits.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn since(self, after: i64, limit: u16) -> Result<DeltaPage, StoreError> {
        let tx = self.0;
        let head = tx.head().await?;
        let wanted = DeltaRange { after, through: head };
        let mut through = head;
        let mut deltas = Vec::new();
        for followed in &FOLLOWED {
            let found = followed.between(tx, wanted, Some(u64::from(limit) + 1)).await?;
            // A table that has more rows than asked for is known whole only up to the change before its last row's.
            if found.len() > usize::from(limit) {
                through = Ord::min(through, found.last().map_or(head, |last| last.seq() - 1));
            }
            deltas.extend(found);
        }
        if through <= after && !deltas.is_empty() {
            // One change alone has more rows than a page: it is still handed out whole.
            let first = deltas.iter().map(Delta::seq).min().unwrap_or(head);
            return one_change(tx, after, first, head).await;
        }
        deltas.retain(|delta| delta.seq() <= through);
        deltas.sort_by_key(Delta::seq);
        let range = DeltaRange { after, through };
        Ok(DeltaPage {
            deltas,
            range,
            more: through < head,
        })
    }

    /// Everything that still matters, in no order: for a node that starts from
    /// nothing. Revoked keys and subscriptions that can never come back are left
    /// out. Returns the number of the change that it is complete up to.
    ///
    /// # Errors
    /// As for every read, and the first error of `each`.
    pub async fn all(
        self,
        mut each: impl FnMut(Delta) -> Result<(), StoreError> + Send,
    ) -> Result<i64, StoreError> {
        let tx = self.0;
        let head = tx.head().await?;
        for followed in &FOLLOWED {
            let mut select = followed.select();
            select.and_where((followed.still_matters)());
            let mut rows = tx.conn.stream(&select);
            while let Some(row) = rows.try_next().await? {
                each(followed.delta(&row)?)?;
            }
        }
        Ok(head)
    }
}

fn any_application() -> Expr {
    is_in("state", ApplicationState::ALL)
}

fn open_subscription() -> Expr {
    let states = SubscriptionState::ALL.iter().copied();
    is_in(
        "state",
        &states.filter(|state| !state.is_terminal()).collect::<Vec<_>>(),
    )
}

fn open_credential() -> Expr {
    let states = CredentialState::ALL.iter().copied();
    is_in(
        "state",
        &states.filter(|state| !state.is_terminal()).collect::<Vec<_>>(),
    )
}

async fn one_change(tx: &mut Tx, after: i64, seq: i64, head: i64) -> Result<DeltaPage, StoreError> {
    let only = DeltaRange {
        after: seq - 1,
        through: seq,
    };
    let mut deltas = Vec::new();
    for followed in &FOLLOWED {
        deltas.extend(followed.between(tx, only, None).await?);
    }
    let range = DeltaRange { after, through: seq };
    Ok(DeltaPage {
        deltas,
        range,
        more: seq < head,
    })
}
