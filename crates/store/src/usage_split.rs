//! Figures by group: the groups with the most calls of a range, from rollups and
//! from what is added up of them.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use gatewright_model::id::TenantId;
use gatewright_model::state::Word;
use gatewright_model::traffic::RollupValue;
use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement, UnionType};
use uuid::Uuid;

use crate::column::Column;
use crate::error::StoreError;
use crate::row::{is, is_in};
use crate::tx::Tx;
use crate::usage::{Part, TABLE, UsageFilter, UsageGroups, UsageSum, add, sum, value_of};
use crate::usage_sum::{Kind, Pieces, Span, TABLE as SUMS, within};

/// What is read of the groups with the most calls.
const VALUES: [&str; 6] = ["requests", "sample", "errors", "bytes_in", "bytes_out", "latency"];

/// Figures that are split by group: the database counts the calls of each, which
/// finds the few groups with the most, and only their figures are read.
pub(crate) struct Split<'f> {
    pub(crate) tenant: TenantId,
    pub(crate) filter: &'f UsageFilter,
    pub(crate) kind: Kind,
    pub(crate) parts: Vec<Part>,
    /// What is read where sums tell of it, and what where they do not.
    pub(crate) summed: Pieces,
    pub(crate) single: Pieces,
}

impl Split<'_> {
    pub(crate) async fn read(
        &self,
        tx: &mut Tx,
        among: Option<&[Uuid]>,
        limit: u64,
    ) -> Result<UsageGroups, StoreError> {
        let mut found = UsageGroups::default();
        let Some(counts) = self.union(among, &["requests"]) else {
            return Ok(found);
        };
        let mut select = Query::select();
        select
            .columns(["subject", "label"])
            .expr_as(sum("requests"), "requests")
            .expr_as(Expr::cust("COUNT(*) OVER ()"), "total")
            .from_subquery(counts, "part")
            .group_by_columns(["subject", "label"])
            .order_by("requests", Order::Desc)
            .order_by("subject", Order::Asc)
            .order_by("label", Order::Asc)
            .limit(limit);
        let mut keys = Vec::new();
        for row in tx.conn.fetch_all(&select).await? {
            let (subject, label): (Uuid, String) = (row.take(SUMS, "subject")?, row.take(SUMS, "label")?);
            found.total = row.take(SUMS, "total")?;
            found.groups.push(UsageSum {
                bucket: self.filter.from,
                group: self.kind.group(subject, label.clone()),
                value: RollupValue::default(),
                sample: 0,
            });
            keys.push((subject, label));
        }
        self.add_values(tx, &keys, &mut found.groups).await?;
        Ok(found)
    }

    async fn add_values(
        &self,
        tx: &mut Tx,
        keys: &[(Uuid, String)],
        groups: &mut [UsageSum],
    ) -> Result<(), StoreError> {
        let places: HashMap<(Uuid, String), usize> = keys.iter().cloned().zip(0..).collect();
        let subjects: Vec<Uuid> = keys.iter().map(|(subject, _)| *subject).collect();
        // Where the thing is no id, all of its few groups are read.
        let among = self.kind.column().map(|_| subjects.as_slice());
        let Some(select) = self.union(among, &VALUES) else {
            return Ok(());
        };
        let mut rows = tx.conn.stream(&select);
        while let Some(row) = rows.try_next().await? {
            let key = (row.take(SUMS, "subject")?, row.take(SUMS, "label")?);
            if let Some(group) = places.get(&key).and_then(|place| groups.get_mut(*place)) {
                add(&mut group.value, &value_of(&row)?);
                group.sample += row.take::<u64>(SUMS, "sample")?;
            }
        }
        Ok(())
    }

    /// The same columns of sums and rollups, with what each row is about.
    fn union(&self, among: Option<&[Uuid]>, columns: &[&'static str]) -> Option<SelectStatement> {
        let mut parts = Vec::new();
        for part in &self.parts {
            let mut pieces = &self.single;
            if let Some(own) = part.split(self.kind) {
                pieces = &self.summed;
                for span in Span::ALL {
                    let stretches = pieces.sums(*span);
                    if !stretches.is_empty() {
                        parts.push(self.of_sums(*span, stretches, [among, own.as_deref()], columns));
                    }
                }
            }
            if !pieces.minutes.is_empty() {
                parts.push(self.of_rollups(part, pieces, among, columns));
            }
        }
        let mut parts = parts.into_iter();
        let mut select = parts.next()?;
        for part in parts {
            select.union(UnionType::All, part);
        }
        Some(select)
    }

    fn of_sums(
        &self,
        span: Span,
        stretches: &[(i64, i64)],
        among: [Option<&[Uuid]>; 2],
        columns: &[&'static str],
    ) -> SelectStatement {
        let mut select = Query::select();
        select
            .columns(["subject", "label"])
            .columns(columns.iter().copied())
            .from(SUMS)
            .and_where(is("tenant_id", &self.tenant))
            .and_where(is("span", &span))
            .and_where(is("kind", &self.kind))
            .cond_where(within("start", stretches));
        for ids in among.into_iter().flatten() {
            select.and_where(is_in("subject", ids));
        }
        select
    }

    fn of_rollups(
        &self,
        part: &Part,
        pieces: &Pieces,
        among: Option<&[Uuid]>,
        columns: &[&'static str],
    ) -> SelectStatement {
        let subject = match self.kind.column() {
            Some(column) => Expr::col(column).if_null(Uuid::nil().value()),
            None => Expr::val(Uuid::nil().value()),
        };
        let label = match self.kind {
            Kind::Operation => Expr::col("operation").if_null(""),
            Kind::Status => Expr::col("status").cast_as("text"),
            _ => Expr::val(""),
        };
        let mut select = Query::select();
        select
            .expr_as(subject, "subject")
            .expr_as(label, "label")
            .from(TABLE);
        for column in columns {
            match *column {
                "sample" => select.expr_as(
                    Expr::cust("CASE WHEN source = 'sample' THEN requests ELSE 0 END"),
                    "sample",
                ),
                column => select.column(column),
            };
        }
        let among = self.kind.column().zip(among);
        select
            .cond_where(self.filter.condition(self.tenant))
            .and_where_option(part.seen.clone())
            .cond_where(within("minute", &pieces.minutes))
            .and_where_option(among.map(|(column, ids)| one_of(column, ids)));
        select
    }
}

/// The column of a rollup holds one of the ids; where it holds none that is nil.
fn one_of(column: &'static str, ids: &[Uuid]) -> Expr {
    let known = is_in(column, ids);
    if ids.iter().any(Uuid::is_nil) {
        known.or(Expr::col(column).is_null())
    } else {
        known
    }
}
