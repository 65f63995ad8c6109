//! What the gateway reports about calls: one record for each, and per-minute rollups.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::histogram::LatencyHistogram;
use crate::id::{
    ApiId, ApplicationId, CallId, CredentialId, NodeId, PlanId, SubscriptionId, TenantId, VersionId,
};
use crate::time::Timestamp;
use crate::words;

words! {
    /// Where a call came from.
    CallSource {
        /// A client.
        Client = "client",
        /// The try-it console of the portal.
        Console = "console",
        /// Made up for the demo.
        Sample = "sample",
    }
}

impl Default for CallSource {
    /// Every call that says nothing else of itself is a client's.
    fn default() -> Self {
        Self::Client
    }
}

/// Whose call it was and what it reached, as far as that was known when it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct CallSubject {
    /// The API.
    pub api_id: Option<ApiId>,
    /// The version.
    pub version_id: Option<VersionId>,
    /// The operation's stable key.
    pub operation: Option<Arc<str>>,
    /// The plan.
    pub plan_id: Option<PlanId>,
    /// The subscription.
    pub subscription_id: Option<SubscriptionId>,
    /// The application.
    pub application_id: Option<ApplicationId>,
    /// The credential.
    pub credential_id: Option<CredentialId>,
}

/// A W3C trace id: 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceId([u8; 32]);

impl TraceId {
    /// Takes digits that were checked or written by us.
    #[must_use]
    pub const fn from_digits(digits: [u8; 32]) -> Self {
        Self(digits)
    }

    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

/// One call that passed through the gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct CallRecord {
    /// Its id, which is also the request id.
    pub id: CallId,
    /// The tenant under whose address it came; `None` when the address belongs to nobody.
    pub tenant_id: Option<TenantId>,
    /// Whose it was and what it reached.
    pub subject: CallSubject,
    /// When its head had been read.
    pub at: Timestamp,
    /// Where it came from.
    pub source: CallSource,
    /// Which node served it.
    pub node_id: NodeId,
    /// The configuration it was served under.
    pub snapshot_seq: i64,
    /// Upper-case method.
    pub method: Cow<'static, str>,
    /// The path without the query, at most 512 bytes.
    pub path: String,
    /// The status that the client got; 499 when it left before the answer.
    pub status: u16,
    /// The code of the gateway's refusal, when it did not pass.
    pub refusal: Option<&'static str>,
    /// The client's address.
    pub client: Option<IpAddr>,
    /// The `User-Agent`, at most 256 bytes.
    pub user_agent: Option<String>,
    /// The upstream that answered or was tried last.
    pub target: Option<Arc<str>>,
    /// Bytes of the request body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// From the first byte of the head to the last byte of the answer, in microseconds.
    pub duration_us: u64,
    /// The part of it that was spent on the upstream, in microseconds.
    pub upstream_us: u64,
    /// W3C trace id.
    pub trace_id: TraceId,
    /// Whether the body was delivered whole.
    pub complete: bool,
}

impl CallRecord {
    /// Whether it counts as an error in usage figures.
    #[must_use]
    pub const fn is_error(&self) -> bool {
        self.status >= 400
    }
}

/// The start of the minute in which `at` lies.
#[must_use]
pub const fn minute_of(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.as_millis().div_euclid(60_000) * 60_000)
}

/// What a rollup is about. Two records with the same key are added up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RollupKey {
    /// The minute.
    pub minute: Timestamp,
    /// The tenant.
    pub tenant_id: TenantId,
    /// Whose calls and what they reached.
    pub subject: CallSubject,
    /// The status that the clients got.
    pub status: u16,
    /// Where the calls came from.
    pub source: CallSource,
}

/// Calls of one key in one minute, added up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RollupValue {
    /// How many.
    pub requests: u64,
    /// How many with a status of 400 or above.
    pub errors: u64,
    /// Bytes of request bodies.
    pub bytes_in: u64,
    /// Bytes of answer bodies.
    pub bytes_out: u64,
    /// Durations.
    pub latency: LatencyHistogram,
}

impl RollupValue {
    /// Adds one call.
    pub fn add(&mut self, call: &CallRecord) {
        self.requests += 1;
        self.errors += u64::from(call.is_error());
        self.bytes_in += call.bytes_in;
        self.bytes_out += call.bytes_out;
        self.latency.record(call.duration_us);
    }
}
