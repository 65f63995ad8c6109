//! The limits of a plan, one call at a time.

use http::{HeaderMap, HeaderName, HeaderValue};

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What an answer says about limits (IETF draft-ietf-httpapi-ratelimit-headers).
#[derive(Debug, Clone, Default)]
pub(crate) struct RateHeaders {
    policy: Option<HeaderValue>,
    state: Option<HeaderValue>,
}

impl RateHeaders {
    /// Sets the fields; they replace what an upstream said.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        if let Some(policy) = &self.policy {
            headers.insert(RATE_LIMIT_POLICY, policy.clone());
        }
        if let Some(state) = &self.state {
            headers.insert(RATE_LIMIT, state.clone());
        }
    }
}

/// The permits that a worker has at hand.
#[derive(Debug, Default)]
pub(crate) struct WorkerPermits {}
