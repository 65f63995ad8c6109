//! Usage added up ahead of time. Pages ask for days and weeks of a whole
//! tenant, which are too many rollups to add up while somebody waits; so whole
//! hours and days are added up once they are over, for all calls and for each
//! thing that figures are split by. What is not added up yet, and what came
//! late, is read from the rollups.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use futures_util::TryStreamExt;
use gatewright_model::id::TenantId;
use gatewright_model::state::Word;
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::{CallSource, RollupValue};
use gatewright_model::words;
use sea_query::{Cond, Condition, Expr, ExprTrait, OnConflict, Order, Query, Value};
use uuid::Uuid;

use crate::column::Column;
use crate::conn::{Access, Scope};
use crate::dialect::{self, Work};
use crate::error::StoreError;
use crate::row::{Row, is};
use crate::store::Store;
use crate::tx::Tx;
use crate::usage::{GroupKey, TABLE as ROLLUP, UsageGroup, add, sum, value_of};

pub(crate) const TABLE: &str = "usage_sum";
const FOLDS: &str = "usage_fold";
const COLUMNS: [&str; 12] = [
    "tenant_id",
    "span",
    "kind",
    "start",
    "subject",
    "label",
    "requests",
    "sample",
    "errors",
    "bytes_in",
    "bytes_out",
    "latency",
];
/// Gateways deliver the rollups of an hour in this time after its end; later
/// ones cost another round.
const SETTLES: Duration = Duration::from_secs(120);

/// Rows that are written in one transaction: some 20 ms.
const ROWS: usize = 500;

words! {
    /// How much time a sum is about.
    Span {
        /// An hour.
        Hour = "hour",
        /// A day, in UTC.
        Day = "day",
    }
}

words! {
    /// What a sum is about.
    Kind {
        /// All calls of a tenant.
        All = "all",
        /// An API.
        Api = "api",
        /// A version.
        Version = "version",
        /// An operation, by its key.
        Operation = "operation",
        /// A plan.
        Plan = "plan",
        /// An application.
        Application = "application",
        /// A credential.
        Credential = "credential",
        /// A status.
        Status = "status",
    }
}

impl Span {
    pub(crate) const fn millis(self) -> i64 {
        match self {
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    /// The start of the span in which a time lies.
    const fn of(self, at: i64) -> i64 {
        at.div_euclid(self.millis()) * self.millis()
    }
}

impl Kind {
    /// What figures are split by when they are split so.
    pub(crate) const fn of(group: Option<UsageGroup>) -> Self {
        match group {
            None => Self::All,
            Some(UsageGroup::Api) => Self::Api,
            Some(UsageGroup::Version) => Self::Version,
            Some(UsageGroup::Operation) => Self::Operation,
            Some(UsageGroup::Plan) => Self::Plan,
            Some(UsageGroup::Application) => Self::Application,
            Some(UsageGroup::Credential) => Self::Credential,
            Some(UsageGroup::Status) => Self::Status,
        }
    }

    /// The column of rollups that holds its ids.
    pub(crate) const fn column(self) -> Option<&'static str> {
        match self {
            Self::Api => Some("api_id"),
            Self::Version => Some("version_id"),
            Self::Plan => Some("plan_id"),
            Self::Application => Some("application_id"),
            Self::Credential => Some("credential_id"),
            Self::All | Self::Operation | Self::Status => None,
        }
    }

    /// What a sum is about, read off a rollup.
    fn subject(self, row: &Row) -> Result<(Uuid, String), StoreError> {
        let id = match self.column() {
            Some(column) => row.take::<Option<Uuid>>(ROLLUP, column)?,
            None => None,
        };
        let label = match self {
            Self::Operation => row.take::<Option<String>>(ROLLUP, "operation")?,
            Self::Status => Some(row.take::<u16>(ROLLUP, "status")?.to_string()),
            _ => None,
        };
        Ok((id.unwrap_or(Uuid::nil()), label.unwrap_or_default()))
    }

    /// The group that a sum is shown as; `None` for calls that have no such thing.
    pub(crate) fn group(self, subject: Uuid, label: String) -> Option<GroupKey> {
        match self {
            Self::All => None,
            Self::Operation => (!label.is_empty()).then_some(GroupKey::Operation(label)),
            Self::Status => label.parse().ok().map(GroupKey::Status),
            _ => (!subject.is_nil()).then_some(GroupKey::Id(subject)),
        }
    }
}

/// The pieces that a stretch of time is read from, each a list of stretches
/// from one time to before another.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Pieces {
    pub(crate) days: Vec<(i64, i64)>,
    pub(crate) hours: Vec<(i64, i64)>,
    pub(crate) minutes: Vec<(i64, i64)>,
}

impl Pieces {
    /// Everything from the rollups.
    pub(crate) fn minutes(from: Timestamp, to: Timestamp) -> Self {
        Self {
            minutes: vec![(from.as_millis(), to.as_millis())],
            ..Self::default()
        }
    }

    fn of(from: i64, to: i64, hours: &BTreeSet<i64>, days: &BTreeSet<i64>) -> Self {
        let mut pieces = Self::default();
        let mut at = from;
        while at < to {
            let whole = |span: Span, known: &BTreeSet<i64>| {
                let end = at + span.millis();
                (known.contains(&at) && end <= to).then_some(end)
            };
            let next = if let Some(end) = whole(Span::Day, days) {
                extend(&mut pieces.days, at, end);
                end
            } else if let Some(end) = whole(Span::Hour, hours) {
                extend(&mut pieces.hours, at, end);
                end
            } else {
                let end = Ord::min(Span::Hour.of(at) + Span::Hour.millis(), to);
                extend(&mut pieces.minutes, at, end);
                end
            };
            at = next;
        }
        pieces
    }

    /// The stretches of sums of one span.
    pub(crate) fn sums(&self, span: Span) -> &[(i64, i64)] {
        match span {
            Span::Hour => &self.hours,
            Span::Day => &self.days,
        }
    }
}

fn extend(list: &mut Vec<(i64, i64)>, from: i64, to: i64) {
    match list.last_mut() {
        Some((_, end)) if *end == from => *end = to,
        _ => list.push((from, to)),
    }
}

/// The column lies in one of the stretches.
pub(crate) fn within(column: &'static str, stretches: &[(i64, i64)]) -> Condition {
    stretches.iter().fold(Cond::any(), |any, (from, to)| {
        any.add(Expr::col(column).gte(*from).and(Expr::col(column).lt(*to)))
    })
}

/// What one span of time adds up to, by whose it is and what it is about.
type Sums = HashMap<(TenantId, Kind, Uuid, String), (RollupValue, u64)>;

impl Store {
    /// Adds up whole hours and days that are over, the newest first, at most so
    /// many of each; says how many that were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] or [`StoreError::Corrupt`], as for every read.
    pub async fn fold_usage(&self, now: Timestamp, at_most: usize) -> Result<usize, StoreError> {
        let mut folded = 0;
        for span in Span::ALL {
            for start in self.unfolded(*span, now, at_most).await? {
                self.fold(*span, start).await?;
                folded += 1;
            }
        }
        Ok(folded)
    }

    async fn unfolded(&self, span: Span, now: Timestamp, at_most: usize) -> Result<Vec<i64>, StoreError> {
        let mut tx = self.traffic_tx(Scope::System, Access::Read).await?;
        let mut select = Query::select();
        select
            .column("minute")
            .from(ROLLUP)
            .order_by("minute", Order::Asc)
            .limit(1);
        let Some(first) = tx.conn.fetch_optional(&select).await? else {
            return Ok(Vec::new());
        };
        let first = Span::Hour.of(first.take(ROLLUP, "minute")?);
        let end = Span::Hour.of(now.minus(SETTLES).as_millis());
        let hours = tx.folds(Span::Hour, Span::Day.of(first), end).await?;
        let begin = span.of(first);
        let known = match span {
            Span::Hour => BTreeSet::new(),
            Span::Day => tx.folds(Span::Day, begin, end).await?,
        };
        let open = |start: &i64| match span {
            Span::Hour => !hours.contains(start),
            Span::Day => {
                let mut of_day = (0..24).map(|hour| start + hour * Span::Hour.millis());
                !known.contains(start) && of_day.all(|hour| hour < first || hours.contains(&hour))
            }
        };
        let count = (end - begin).div_euclid(span.millis());
        let starts = (0..count).rev().map(|number| begin + number * span.millis());
        Ok(starts.filter(open).take(at_most).collect())
    }

    /// Adds up beside the traffic: whoever writes rollups, or leases permits,
    /// waits for some rows at most. Sums count once their span is marked, which
    /// happens only if nothing was added to it meanwhile; else the next run
    /// begins anew.
    async fn fold(&self, span: Span, start: i64) -> Result<(), StoreError> {
        let mut tx = self.traffic_tx(Scope::System, Access::Read).await?;
        let state = tx.state_of(span, start).await?;
        let sums = match span {
            Span::Hour => tx.sums_of_hour(start).await?,
            Span::Day => tx.sums_of_day(start).await?,
        };
        drop(tx);
        let mut tx = self.traffic_tx(Scope::System, Access::Write).await?;
        let mut stale = Query::delete();
        stale
            .from_table(TABLE)
            .and_where(is("start", &start))
            .and_where(is("span", &span));
        tx.conn.execute(&stale).await?;
        tx.conn.commit().await?;
        let mut rows = sums.into_iter().map(|sum| row_of(span, start, sum));
        loop {
            let some: Vec<Vec<Value>> = rows.by_ref().take(ROWS).collect();
            if some.is_empty() {
                break;
            }
            let mut tx = self.traffic_tx(Scope::System, Access::Write).await?;
            tx.insert_rows(TABLE, &COLUMNS, None, some).await?;
            tx.conn.commit().await?;
        }
        self.mark(span, start, state).await
    }

    async fn mark(&self, span: Span, start: i64, state: i64) -> Result<(), StoreError> {
        let mut tx = self.traffic_tx(Scope::System, Access::Write).await?;
        // A rollup that is added behind the look would be in no sum.
        dialect::serialise(&mut tx.conn, Work::Rollups).await?;
        if tx.state_of(span, start).await? != state {
            return Ok(());
        }
        let mut mark = Query::insert();
        mark.into_table(FOLDS)
            .columns(["span", "start"])
            .values_panic([Expr::val(span.value()), Expr::val(start.value())])
            .on_conflict(OnConflict::columns(["span", "start"]).do_nothing().to_owned());
        tx.conn.execute(&mark).await?;
        tx.conn.commit().await
    }
}

/// A sum as a row.
fn row_of(
    span: Span,
    start: i64,
    ((tenant, kind, subject, label), (value, sample)): ((TenantId, Kind, Uuid, String), (RollupValue, u64)),
) -> Vec<Value> {
    vec![
        tenant.value(),
        span.value(),
        kind.value(),
        start.value(),
        subject.value(),
        label.value(),
        value.requests.value(),
        sample.value(),
        value.errors.value(),
        value.bytes_in.value(),
        value.bytes_out.value(),
        value.latency.value(),
    ]
}

impl Tx {
    /// The starts of the spans in a stretch that are added up.
    async fn folds(&mut self, span: Span, from: i64, to: i64) -> Result<BTreeSet<i64>, StoreError> {
        let mut select = Query::select();
        select
            .column("start")
            .from(FOLDS)
            .and_where(is("span", &span))
            .and_where(Expr::col("start").gte(from))
            .and_where(Expr::col("start").lt(to));
        let rows = self.conn.fetch_all(&select).await?;
        rows.iter().map(|row| row.take(FOLDS, "start")).collect()
    }

    /// What to read a stretch of time from, when its buckets are at least so wide.
    pub(crate) async fn pieces(
        &mut self,
        from: Timestamp,
        to: Timestamp,
        widest: Span,
    ) -> Result<Pieces, StoreError> {
        let (from, to) = (from.as_millis(), to.as_millis());
        let hours = self.folds(Span::Hour, from, to).await?;
        let days = match widest {
            Span::Hour => BTreeSet::new(),
            Span::Day => self.folds(Span::Day, from, to).await?,
        };
        Ok(Pieces::of(from, to, &hours, &days))
    }

    /// What is another number after something was added to a span: the requests
    /// of an hour, the hours of a day that are added up.
    async fn state_of(&mut self, span: Span, start: i64) -> Result<i64, StoreError> {
        let end = start + span.millis();
        if span == Span::Day {
            let hours = self.folds(Span::Hour, start, end).await?;
            return Ok(i64::try_from(hours.len()).unwrap_or(i64::MAX));
        }
        let mut select = Query::select();
        select
            .expr_as(sum("requests"), "requests")
            .from(ROLLUP)
            .cond_where(within("minute", &[(start, end)]));
        let row = self.conn.fetch_optional(&select).await?;
        let requests: Option<i64> = row.map_or(Ok(None), |row| row.take(ROLLUP, "requests"))?;
        Ok(requests.unwrap_or(0))
    }

    async fn sums_of_hour(&mut self, start: i64) -> Result<Sums, StoreError> {
        let mut select = Query::select();
        select
            .columns([
                "tenant_id",
                "api_id",
                "version_id",
                "operation",
                "plan_id",
                "application_id",
                "credential_id",
                "status",
                "source",
                "requests",
                "errors",
                "bytes_in",
                "bytes_out",
                "latency",
            ])
            .from(ROLLUP)
            .cond_where(within("minute", &[(start, start + Span::Hour.millis())]));
        let mut sums = Sums::new();
        let mut rows = self.conn.stream(&select);
        while let Some(row) = rows.try_next().await? {
            let value = value_of(&row)?;
            let tenant = row.take(ROLLUP, "tenant_id")?;
            let sample = match row.take(ROLLUP, "source")? {
                CallSource::Sample => value.requests,
                CallSource::Client | CallSource::Console => 0,
            };
            for kind in Kind::ALL {
                let (subject, label) = kind.subject(&row)?;
                let (sum, samples) = sums.entry((tenant, *kind, subject, label)).or_default();
                add(sum, &value);
                *samples += sample;
            }
        }
        Ok(sums)
    }

    async fn sums_of_day(&mut self, start: i64) -> Result<Sums, StoreError> {
        let mut select = Query::select();
        select
            .columns(COLUMNS)
            .from(TABLE)
            .and_where(is("span", &Span::Hour))
            .cond_where(within("start", &[(start, start + Span::Day.millis())]));
        let mut sums = Sums::new();
        let mut rows = self.conn.stream(&select);
        while let Some(row) = rows.try_next().await? {
            let key = (
                row.take(TABLE, "tenant_id")?,
                row.take(TABLE, "kind")?,
                row.take(TABLE, "subject")?,
                row.take(TABLE, "label")?,
            );
            let (sum, samples) = sums.entry(key).or_default();
            add(sum, &value_of(&row)?);
            *samples += row.take::<u64>(TABLE, "sample")?;
        }
        Ok(sums)
    }

    /// Takes the hours and days of these minutes out of what is added up.
    pub(crate) async fn unfold(&mut self, minutes: &[Timestamp]) -> Result<(), StoreError> {
        let starts = |span: Span| {
            let starts: BTreeSet<i64> = minutes.iter().map(|at| span.of(at.as_millis())).collect();
            is("span", &span).and(Expr::col("start").is_in(starts))
        };
        let mut delete = Query::delete();
        delete
            .from_table(FOLDS)
            .cond_where(Cond::any().add(starts(Span::Hour)).add(starts(Span::Day)));
        self.conn.execute(&delete).await.map(drop)
    }

    /// Takes everything out of what is added up.
    pub(crate) async fn unfold_all(&mut self) -> Result<(), StoreError> {
        self.conn
            .execute(Query::delete().from_table(FOLDS))
            .await
            .map(drop)
    }

    /// Forgets sums from before a time.
    pub(crate) async fn forget_sums(&mut self, before: Timestamp) -> Result<u64, StoreError> {
        let mut gone = 0;
        for table in [TABLE, FOLDS] {
            let mut delete = Query::delete();
            delete
                .from_table(table)
                .and_where(Expr::col("start").lt(before.value()));
            gone += self.conn.execute(&delete).await?;
        }
        Ok(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_stretch_is_read_from_the_widest_whole_sums() {
        let day = 10 * Span::Day.millis();
        let hours: BTreeSet<i64> = (0..30).map(|hour| day - 3 * HOUR + hour * HOUR).collect();
        let days = BTreeSet::from([day]);
        let (from, to) = (day - 2 * HOUR - 60_000, day + 28 * HOUR + 60_000);
        let pieces = Pieces::of(from, to, &hours, &days);
        assert_eq!(pieces.days, [(day, day + 24 * HOUR)]);
        assert_eq!(
            pieces.hours,
            [(day - 2 * HOUR, day), (day + 24 * HOUR, day + 27 * HOUR)]
        );
        assert_eq!(pieces.minutes, [(from, day - 2 * HOUR), (day + 27 * HOUR, to)]);
        assert_eq!(Pieces::of(from, to, &hours, &BTreeSet::new()).hours.len(), 1);
        assert_eq!(
            Pieces::of(from, to, &BTreeSet::new(), &BTreeSet::new()).minutes,
            [(from, to)]
        );
    }
}
