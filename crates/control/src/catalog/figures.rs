//! How an API has answered in the last 30 days. The sums are made of many rows,
//! so they are kept for some minutes.

use std::sync::PoisonError;
use std::time::Duration;

use gatewright_model::histogram::LatencyHistogram;
use gatewright_model::id::ApiId;
use gatewright_model::reference::Ref;
use gatewright_model::time::Timestamp;
use gatewright_store::{GroupKey, UsageFilter, UsageGroup, UsageSum};

use crate::catalog::shelf::MOST_FIGURES;
use crate::catalog::{Catalog, sight};
use crate::error::Result;
use crate::reader::Reader;

/// How far back is looked.
const SPAN: Duration = Duration::from_secs(30 * 86_400);
/// How old figures may be.
const KEPT: Duration = Duration::from_secs(10 * 60);

/// How an API has answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// How many calls there were.
    pub requests: u64,
    /// How many of them were made up for the demo.
    pub sample: u64,
    /// The share of them that did not end in a fault of the server, 0 to 1.
    pub answered: f64,
    /// 95 % of them took at most this many milliseconds.
    pub p95_ms: Option<f64>,
}

impl Catalog<'_> {
    /// The figures of the last 30 days, at most ten minutes old; `None` without calls.
    ///
    /// # Errors
    /// [`crate::Error::NotFound`] when the reader does not find the API.
    pub async fn figures(&self, reader: &Reader, api: &Ref<ApiId>) -> Result<Option<Figures>> {
        let mut tx = self.0.read_as(reader).await?;
        let api = sight::visible_api(&mut tx, reader, api).await?.id;
        drop(tx);
        let now = self.0.now();
        if let Some(figures) = self.kept(api, now) {
            return Ok(figures);
        }
        let filter = UsageFilter {
            api: Some(api),
            version: None,
            operation: None,
            plan: None,
            application: None,
            credential: None,
            status: None,
            source: None,
            from: now.minus(SPAN),
            to: now,
            step: SPAN,
            group_by: Some(UsageGroup::Status),
            view: None,
        };
        let sums = self.0.parts.store.usage(reader.tenant_id, &filter).await?;
        let figures = figures(&sums);
        self.keep(api, now, figures.clone());
        Ok(figures)
    }

    #[expect(
        clippy::option_option,
        reason = "not kept, and kept that there were no calls, are two answers"
    )]
    fn kept(&self, api: ApiId, now: Timestamp) -> Option<Option<Figures>> {
        let kept = self
            .0
            .shelves
            .figures
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let (made, figures) = kept.get(&api)?;
        (now.since(*made) < KEPT).then(|| figures.clone())
    }

    fn keep(&self, api: ApiId, now: Timestamp, figures: Option<Figures>) {
        let mut kept = self
            .0
            .shelves
            .figures
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_FIGURES {
            kept.retain(|_, (made, _)| now.since(*made) < KEPT);
        }
        if kept.len() < MOST_FIGURES {
            kept.insert(api, (now, figures));
        }
    }
}

fn figures(sums: &[UsageSum]) -> Option<Figures> {
    let (mut requests, mut sample, mut faults) = (0_u64, 0_u64, 0_u64);
    let mut latency = LatencyHistogram::default();
    for sum in sums {
        requests += sum.value.requests;
        sample += sum.sample;
        latency.merge(&sum.value.latency);
        if matches!(&sum.group, Some(GroupKey::Status(status)) if *status >= 500) {
            faults += sum.value.requests;
        }
    }
    (requests > 0).then(|| Figures {
        requests,
        sample,
        answered: 1.0 - faults as f64 / requests as f64,
        p95_ms: latency.percentile(0.95).map(|micros| micros as f64 / 1_000.0),
    })
}
