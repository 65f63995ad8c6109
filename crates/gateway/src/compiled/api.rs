//! An API at the gateway, with the plans that open it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use gatewright_coordination::limiter::LimitHandle;
use gatewright_model::id::{ApiId, PlanId, PlanVersionId, TenantId};
use gatewright_model::limit::Limit;
use gatewright_model::plan::{Coverage, PlanState, Security};
use gatewright_model::snapshot::{ApiPart, PlanLimits, PlanPart};
use http::HeaderValue;

/// An API.
#[derive(Debug)]
pub struct CompiledApi {
    /// Its id.
    pub id: ApiId,
    pub(crate) tenant_id: TenantId,
    pub(crate) context: Box<str>,
    pub(crate) plans: Box<[Arc<CompiledPlan>]>,
}

/// A plan.
#[derive(Debug)]
pub struct CompiledPlan {
    /// Its id.
    pub id: PlanId,
    /// What the upstream gets as `X-Plan`.
    pub slug: HeaderValue,
    pub(crate) security: Security,
    pub(crate) coverage: Coverage,
    versions: Box<[(PlanVersionId, CompiledLimits)]>,
}

/// The limits of one plan version.
#[derive(Debug, Default)]
pub struct CompiledLimits {
    /// In the order in which they are checked.
    pub(crate) limits: Box<[CompiledLimit]>,
    /// Tells these limits, with these terms, from all others in the process.
    pub(crate) number: u64,
    /// `RateLimit-Policy`; absent without limits.
    pub(crate) policy: Option<HeaderValue>,
}

/// One limit.
#[derive(Debug)]
pub struct CompiledLimit {
    /// As it was declared.
    pub(crate) limit: Limit,
    /// Its name, shared with refusals.
    pub(crate) name: Arc<str>,
    /// Where its permits come from, once the configuration serves.
    pub(crate) handle: OnceLock<LimitHandle>,
}

/// Counts the sets of limits that were compiled.
static NUMBERS: AtomicU64 = AtomicU64::new(0);

impl CompiledApi {
    /// # Errors
    /// Says what cannot be used.
    pub(super) fn of(part: &ApiPart) -> Result<Self, String> {
        let callable = |plan: &&PlanPart| matches!(plan.state, PlanState::Published | PlanState::Deprecated);
        let plans: Result<Box<[_]>, String> = part
            .plans
            .iter()
            .filter(callable)
            .map(|plan| CompiledPlan::of(plan).map(Arc::new))
            .collect();
        Ok(Self {
            id: part.id,
            tenant_id: part.tenant_id,
            context: part.context_path.as_str().into(),
            plans: plans?,
        })
    }

    /// The limits of all its plans, those of today last, so that theirs are the
    /// terms that count where two differ.
    pub(crate) fn limits(&self) -> impl Iterator<Item = &CompiledLimit> {
        let versions = self.plans.iter().flat_map(|plan| &plan.versions);
        versions.flat_map(|(_, limits)| &limits.limits)
    }

    /// The plan with this id, when anybody can still hold it.
    pub(crate) fn plan(&self, id: PlanId) -> Option<&Arc<CompiledPlan>> {
        self.plans.iter().find(|plan| plan.id == id)
    }
}

impl CompiledPlan {
    fn of(part: &PlanPart) -> Result<Self, String> {
        let versions: Result<Box<[_]>, String> = part
            .limits
            .iter()
            .map(|version| Ok((version.id, CompiledLimits::of(version)?)))
            .collect();
        Ok(Self {
            id: part.id,
            slug: HeaderValue::from_str(part.slug.as_str()).map_err(|error| error.to_string())?,
            security: part.security,
            coverage: part.versions.clone(),
            versions: versions?,
        })
    }

    /// The limits that a subscription is pinned to. Deltas and manifests do not
    /// arrive in one moment, so terms that are not known yet, or no longer, are
    /// those of today.
    pub(crate) fn limits(&self, pinned: PlanVersionId) -> Option<&CompiledLimits> {
        let found = self.versions.iter().find(|(id, _)| *id == pinned);
        found.map_or_else(|| self.current(), |(_, limits)| Some(limits))
    }

    /// The limits for new subscriptions, and of a keyless plan.
    pub(crate) fn current(&self) -> Option<&CompiledLimits> {
        self.versions.last().map(|(_, limits)| limits)
    }
}

impl CompiledLimits {
    fn of(part: &PlanLimits) -> Result<Self, String> {
        let limits = part.limits.iter().map(|limit| CompiledLimit {
            name: Arc::from(limit.name.as_str()),
            limit: limit.clone(),
            handle: OnceLock::new(),
        });
        Ok(Self {
            limits: limits.collect(),
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            policy: policy(&part.limits)?,
        })
    }
}

/// A structured-field list (RFC 9651): `"name";q=100;w=60`. The window of a
/// calendar quota is its nominal length.
fn policy(limits: &[Limit]) -> Result<Option<HeaderValue>, String> {
    if limits.is_empty() {
        return Ok(None);
    }
    let items: Vec<_> = limits
        .iter()
        .map(|limit| {
            format!(
                "\"{}\";q={};w={}",
                limit.name,
                limit.amount,
                limit.window.duration().as_secs()
            )
        })
        .collect();
    HeaderValue::try_from(items.join(", "))
        .map(Some)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{api_part, id, plan_part, quota, rate};

    #[test]
    fn the_policy_names_every_limit() {
        let mut part = api_part(1, 1, "/shop");
        part.plans = vec![plan_part(
            1,
            Security::ApiKey,
            vec![rate(1, 10, "1s"), quota(2, 500, "1d")],
        )];
        let api = CompiledApi::of(&part).unwrap();
        let limits = api.plan(id(1)).unwrap().current().unwrap();
        assert_eq!(
            limits.policy.as_ref().unwrap(),
            "\"limit-1\";q=10;w=1, \"limit-2\";q=500;w=86400"
        );
    }

    #[test]
    fn unknown_terms_are_those_of_today() {
        let mut part = api_part(1, 1, "/shop");
        let mut plan = plan_part(1, Security::ApiKey, vec![rate(1, 10, "1s")]);
        plan.limits.push(PlanLimits {
            id: id(77),
            limits: vec![],
        });
        part.plans = vec![plan.clone()];
        let api = CompiledApi::of(&part).unwrap();
        let limits = |pinned: u128| api.plan(id(1)).unwrap().limits(id(pinned)).unwrap().limits.len();
        assert_eq!((limits(77), limits(1_000)), (0, 0));
        let pinned = api.plan(id(1)).unwrap().limits(plan.limits[0].id).unwrap();
        assert_eq!(pinned.limits.len(), 1);
    }

    #[test]
    fn closed_plans_are_not_there() {
        let mut part = api_part(1, 1, "/shop");
        let mut plan = plan_part(1, Security::ApiKey, vec![]);
        plan.state = PlanState::Closed;
        part.plans = vec![plan];
        assert!(CompiledApi::of(&part).unwrap().plan(id(1)).is_none());
    }
}
