//! The calls that somebody sees who sees a part of a tenant's: those of some
//! applications, and those to some APIs. No index answers both at once in the
//! order of time, and whole teams may have made a call in a hundred or one in a
//! million. So both are asked for one after the other, in stretches of time that
//! double until a page is full: busy teams find it in the last hour, and of quiet
//! ones there is little to sort in any stretch.

use std::time::Duration;

use gatewright_model::id::{EntityId, TenantId, uuid_v7};
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::time::Timestamp;
use sea_query::{Expr, ExprTrait, Order, Query};
use uuid::Uuid;

use crate::call::{CallFilter, StoredCall, TrafficView};
use crate::error::StoreError;
use crate::row::{Record, is, is_in};
use crate::tx::Tx;

/// The first stretch.
const FIRST: i64 = 3_600_000;
/// Calls have their ids from when they began; so much may lie between the two.
const SKEW: Duration = Duration::from_secs(3_600);

/// A page of the calls that are seen, newest first.
pub(crate) async fn page(
    tx: &mut Tx,
    tenant: TenantId,
    filter: &CallFilter,
    view: &TrafficView,
    request: PageRequest,
) -> Result<Page<StoredCall>, StoreError> {
    let id = |call: &StoredCall| call.id.uuid();
    let wanted = usize::from(request.size.get()) + 1;
    let mut found = Vec::new();
    if let Some(mut stretches) = Stretches::of(tx, tenant, filter, request).await? {
        while found.len() < wanted
            && let Some(stretch) = stretches.next()
        {
            let more = wanted - found.len();
            found.extend(within(tx, filter, view, stretch, more).await?);
        }
    }
    Ok(Page::cut(found, request.size, id))
}

/// From one id to before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    from: Uuid,
    before: Option<Uuid>,
}

/// Stretches from the newest call down to the oldest one that may be wanted.
#[derive(Debug)]
struct Stretches {
    /// Where the next one ends; `None` when it has no end.
    before: Option<Uuid>,
    /// About when that is.
    top: i64,
    /// Where the last one begins.
    floor: i64,
    width: i64,
    over: bool,
}

impl Stretches {
    /// `None` when there is no call at all.
    async fn of(
        tx: &mut Tx,
        tenant: TenantId,
        filter: &CallFilter,
        request: PageRequest,
    ) -> Result<Option<Self>, StoreError> {
        let (Some(oldest), Some(newest)) = (
            end(tx, tenant, Order::Asc).await?,
            end(tx, tenant, Order::Desc).await?,
        ) else {
            return Ok(None);
        };
        let wanted_from = filter.from.map_or(i64::MIN, |from| from.minus(SKEW).as_millis());
        let wanted_to = filter.to.map(|to| first_at(to.plus(SKEW).as_millis()));
        let after = request.after.map(|cursor| cursor.0);
        let before = [after, wanted_to].into_iter().flatten().min();
        Ok(Some(Self {
            before,
            top: before.map_or(millis(newest), millis),
            floor: Ord::max(millis(oldest), wanted_from),
            width: FIRST,
            over: false,
        }))
    }
}

impl Iterator for Stretches {
    type Item = Stretch;

    fn next(&mut self) -> Option<Stretch> {
        if self.over {
            return None;
        }
        let bottom = Ord::max(self.top.saturating_sub(self.width), self.floor);
        self.over = bottom == self.floor;
        let stretch = Stretch {
            from: first_at(bottom),
            before: self.before,
        };
        self.before = Some(stretch.from);
        self.top = bottom;
        self.width = self.width.saturating_mul(2);
        Some(stretch)
    }
}

/// The newest or the oldest call of a tenant.
async fn end(tx: &mut Tx, tenant: TenantId, order: Order) -> Result<Option<Uuid>, StoreError> {
    let mut select = Query::select();
    select
        .column("id")
        .from(StoredCall::TABLE)
        .and_where(is("tenant_id", &tenant))
        .order_by("id", order)
        .limit(1);
    let row = tx.conn.fetch_optional(&select).await?;
    row.map(|row| row.take(StoredCall::TABLE, "id")).transpose()
}

/// The newest calls of a stretch: those of the applications and those to the
/// APIs, each call once.
async fn within(
    tx: &mut Tx,
    filter: &CallFilter,
    view: &TrafficView,
    stretch: Stretch,
    most: usize,
) -> Result<Vec<StoredCall>, StoreError> {
    let mut found: Vec<StoredCall> = Vec::new();
    for one_of in branches(filter, view) {
        let mut select = tx.select::<StoredCall>();
        select
            .cond_where(filter.condition())
            .and_where(one_of)
            .and_where(Expr::col("id").gte(stretch.from))
            .and_where_option(stretch.before.map(|before| Expr::col("id").lt(before)))
            .order_by("id", Order::Desc)
            .limit(most as u64);
        found.extend(tx.all::<StoredCall>(&select).await?);
    }
    found.sort_by_key(|call| std::cmp::Reverse(call.id.uuid()));
    found.dedup_by_key(|call| call.id);
    found.truncate(most);
    Ok(found)
}

/// By what calls are seen. What the filter names already, and what is not seen by, is left out.
fn branches(filter: &CallFilter, view: &TrafficView) -> Vec<Expr> {
    let mut branches = Vec::new();
    if filter.application.is_none() && !view.applications.is_empty() {
        branches.push(is_in("application_id", &view.applications));
    }
    if filter.api.is_none() && !view.apis.is_empty() {
        branches.push(is_in("api_id", &view.apis));
    }
    branches
}

fn millis(id: Uuid) -> i64 {
    i64::try_from(id.as_u128() >> 80).unwrap_or(i64::MAX)
}

/// The lowest id of a time.
fn first_at(millis: i64) -> Uuid {
    let lowest = uuid_v7(Timestamp::from_millis(millis), [0; 10]);
    // Without the marks of the version, which an id of another kind may be below.
    Uuid::from_u128(lowest.as_u128() >> 80 << 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_double_and_leave_no_gap() {
        let mut stretches = Stretches {
            before: None,
            top: 10 * FIRST,
            floor: FIRST / 2,
            width: FIRST,
            over: false,
        };
        let all: Vec<Stretch> = stretches.by_ref().collect();
        let starts: Vec<i64> = all.iter().map(|stretch| millis(stretch.from)).collect();
        assert_eq!(starts, [9 * FIRST, 7 * FIRST, 3 * FIRST, FIRST / 2]);
        assert_eq!(all.first().map(|stretch| stretch.before), Some(None));
        for pair in all.windows(2) {
            assert_eq!(pair[1].before, Some(pair[0].from));
        }
        assert_eq!(stretches.next(), None);
    }
}
