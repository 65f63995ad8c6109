//! The stretch of time that figures are shown for: chosen from a short list, so
//! that every chart has at most 300 points and every query an end.

use std::time::Duration;

use gatewright_control::usage::{UsageQuery, UsageStep};
use gatewright_model::time::Timestamp;

use crate::listing::Listing;

/// The name of the filter.
pub(crate) const FIELD: &str = "range";

/// How far back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Span {
    Hour,
    SixHours,
    Day,
    Week,
    Month,
    Quarter,
}

impl Span {
    const ALL: [Self; 6] = [
        Self::Hour,
        Self::SixHours,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Quarter,
    ];

    /// In addresses.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::SixHours => "6h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Quarter => "90d",
        }
    }

    /// On pages.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Hour => "Last hour",
            Self::SixHours => "Last 6 hours",
            Self::Day => "Last 24 hours",
            Self::Week => "Last 7 days",
            Self::Month => "Last 30 days",
            Self::Quarter => "Last 90 days",
        }
    }

    const fn hours(self) -> u64 {
        match self {
            Self::Hour => 1,
            Self::SixHours => 6,
            Self::Day => 24,
            Self::Week => 7 * 24,
            Self::Month => 30 * 24,
            Self::Quarter => 90 * 24,
        }
    }

    const fn step(self) -> UsageStep {
        match self {
            Self::Hour => UsageStep::Minute,
            Self::SixHours | Self::Day | Self::Week => UsageStep::Hour,
            Self::Month | Self::Quarter => UsageStep::Day,
        }
    }
}

/// A chosen stretch that ends now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    /// How far back.
    pub(crate) span: Span,
    /// The start of its first bucket.
    pub(crate) from: Timestamp,
    /// Now.
    pub(crate) to: Timestamp,
}

impl Range {
    /// Reads the choice; without one, or with an unknown one, it is `usual`.
    pub(crate) fn of(list: &Listing, usual: Span, now: Timestamp) -> Self {
        let chosen = list.text(FIELD);
        let span = Span::ALL.into_iter().find(|span| span.as_str() == chosen);
        Self::last(span.unwrap_or(usual), now)
    }

    /// The stretch of this length that ends now.
    pub(crate) fn last(span: Span, now: Timestamp) -> Self {
        let step = i64::try_from(span.step().duration().as_millis()).unwrap_or(1);
        let start = now.minus(Duration::from_secs(span.hours() * 3_600));
        let from = start.as_millis().div_euclid(step) * step + step;
        Self {
            span,
            from: Timestamp::from_millis(from),
            to: now,
        }
    }

    /// What is asked of the usage figures; the caller narrows it.
    pub(crate) fn query(&self) -> UsageQuery {
        UsageQuery {
            from: Some(self.from),
            to: Some(self.to),
            ..UsageQuery::by(self.step())
        }
    }

    /// The width of a bucket.
    pub(crate) const fn step(&self) -> UsageStep {
        self.span.step()
    }

    /// The start of every bucket.
    pub(crate) fn buckets(&self) -> Vec<Timestamp> {
        let step = self.step().duration();
        let mut buckets = Vec::new();
        let mut at = self.from;
        while at < self.to {
            buckets.push(at);
            at = at.plus(step);
        }
        buckets
    }

    /// The choices for a filter: what stands in the address, and its words.
    pub(crate) fn choices() -> [(&'static str, &'static str); 6] {
        Span::ALL.map(|span| (span.as_str(), span.label()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stretch_fits_into_a_chart_and_begins_with_a_whole_bucket() {
        let now: Timestamp = "2026-11-21T12:34:56Z".parse().unwrap();
        for span in Span::ALL {
            let range = Range::last(span, now);
            let buckets = range.buckets();
            assert!((6..=300).contains(&buckets.len()), "{span:?}: {}", buckets.len());
            let step = i64::try_from(range.step().duration().as_millis()).unwrap();
            assert_eq!(range.from.as_millis() % step, 0, "{span:?}");
        }
        let list = Listing::of_path("/x");
        assert_eq!(Range::of(&list, Span::Week, now).span, Span::Week);
    }
}
