//! A limit as programs write and read it.

use gatewright_control::limits::{NewLimit, RawLimit};
use gatewright_model::id::LimitId;
use gatewright_model::invalid::FieldErrors;
use gatewright_model::limit::{
    Limit, LimitKind, LimitUnit, OnExceed, OnStoreFailure, Partition, ResetKind, Window,
};
use gatewright_model::text::Slug;
use serde_json::value::RawValue;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::input::{Field, input};
use crate::schema::{Schemas, Shape, shape};

input! {
    /// A limit.
    LimitSet {
        /// Its name in headers; made of kind and window when absent.
        name: Option<String>,
        /// rate or quota.
        kind: String,
        /// What is counted; requests when absent.
        unit: Option<String>,
        /// How many in a window.
        amount: u64,
        /// 30s, 1m, 1h, 1d, 1w or 1mo.
        window: String,
        /// How many at once, for a rate; the amount when absent.
        burst: Option<u64>,
        /// calendar or rolling, for a quota; calendar when absent.
        reset: Option<String>,
        /// The IANA zone whose calendar counts; UTC when absent.
        zone: Option<String>,
        /// subscription, application or ip; subscription when absent.
        partition: Option<String>,
        /// reject.
        on_exceed: Option<String>,
        /// open, closed or local; local when absent.
        on_store_failure: Option<String>,
    }
}

/// A limit that was read by the rules of control.
#[derive(Debug)]
pub(crate) struct LimitInput(pub(crate) NewLimit);

impl Shape for LimitInput {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        LimitSet::schema(schemas)
    }
}

impl Field for LimitInput {
    fn read(raw: &RawValue) -> Result<Self, FieldErrors> {
        let set = LimitSet::read(raw)?;
        let raw = RawLimit {
            name: set.name,
            kind: set.kind,
            unit: set.unit,
            amount: set.amount,
            window: set.window,
            burst: set.burst,
            reset: set.reset,
            zone: set.zone,
            partition: set.partition,
            on_exceed: set.on_exceed,
            on_store_failure: set.on_store_failure,
        };
        NewLimit::parse(&raw).map(Self)
    }
}

shape! {
    Limit as "Limit", "A limit of a plan." {
        /// Its id; it survives changes of the amount.
        id: LimitId,
        /// Its name in headers.
        name: Slug,
        /// How it counts.
        kind: LimitKind,
        /// What it counts.
        unit: LimitUnit,
        /// How many in a window.
        amount: u64,
        /// Over which time.
        window: Window,
        /// How many at once, for a rate.
        burst: Option<u64>,
        /// When a quota starts anew.
        reset: ResetKind,
        /// The zone whose calendar counts.
        zone: String,
        /// Whose counter it is.
        partition: Partition,
        /// What happens above it.
        on_exceed: OnExceed,
        /// What happens when nobody can say what is left.
        on_store_failure: OnStoreFailure,
    }
}
