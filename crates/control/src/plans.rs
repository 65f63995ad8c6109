//! Plans of an API and the versions of their limits.

use std::time::Duration;

use gatewright_model::consumer::SubscriptionState;
use gatewright_model::id::{ApiId, LimitId, PlanId};
use gatewright_model::invalid::Invalid;
use gatewright_model::limit::Limit;
use gatewright_model::page::{Page, PageRequest};
use gatewright_model::permission::Permission;
use gatewright_model::plan::{
    AllVersions, ApprovalMode, Coverage, Plan, PlanState, PlanVerb, PlanVersion, Security,
};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::state::Word;
use gatewright_model::text::{Name, Remark, Slug};
use gatewright_store::Tx;
use serde_json::json;

use crate::apis::{owned, visible};
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::if_match::IfMatch;
use crate::limits::NewLimit;
use crate::{outbox_entry, snapshot, subscriptions, versions};

/// So long subscriptions go on after their plan was closed, unless something
/// else is asked for (governance, section 4.2).
pub const CLOSE_GRACE: Duration = Duration::from_secs(30 * 86_400);

/// Use cases of plans.
#[derive(Debug, Clone, Copy)]
pub struct Plans<'c>(pub(crate) &'c Control);

/// Which versions a plan shall cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanVersions {
    /// Every version, also later ones.
    All,
    /// Only these.
    Only(Vec<VersionRef>),
}

/// What makes a plan.
#[derive(Debug, Clone)]
pub struct NewPlan {
    /// As people read it.
    pub name: Name,
    /// Unique in the API.
    pub slug: Slug,
    /// Markdown.
    pub description: String,
    /// Which versions it covers.
    pub versions: PlanVersions,
    /// How callers prove who they are.
    pub security: Security,
    /// Who decides about subscriptions.
    pub approval: ApprovalMode,
    /// In the order in which they are checked.
    pub limits: Vec<NewLimit>,
}

/// What can be changed of a plan.
#[derive(Debug, Clone, Default)]
pub struct PlanPatch {
    /// As people read it.
    pub name: Option<Name>,
    /// Markdown.
    pub description: Option<String>,
    /// Who decides about subscriptions.
    pub approval: Option<ApprovalMode>,
    /// Which versions it covers.
    pub versions: Option<PlanVersions>,
    /// New limits. They make a new version of the plan, which its subscriptions
    /// follow at once; counters keep what was used.
    pub limits: Option<Vec<NewLimit>>,
}

impl Control {
    /// Use cases of plans.
    #[must_use]
    pub const fn plans(&self) -> Plans<'_> {
        Plans(self)
    }
}

impl Plans<'_> {
    /// Lists the plans of an API, newest first.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the API is hidden from the caller.
    pub async fn list(&self, caller: &Caller, api: &Ref<ApiId>, page: PageRequest) -> Result<Page<Plan>> {
        let mut tx = self.0.read(caller).await?;
        let api = visible(&mut tx, caller, api).await?;
        Ok(tx.plans().list(api.id, page).await?)
    }

    /// One plan.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, caller: &Caller, id: PlanId) -> Result<Plan> {
        let mut tx = self.0.read(caller).await?;
        let plan = tx.plans().find(id).await?.ok_or(Error::missing("plan"))?;
        match visible(&mut tx, caller, &Ref::Id(plan.api_id)).await {
            Err(Error::NotFound { .. }) => Err(Error::missing("plan")),
            Err(other) => Err(other),
            Ok(_) => Ok(plan),
        }
    }

    /// One plan of an API.
    ///
    /// # Errors
    /// [`Error::NotFound`], also when the plan is of another API.
    pub async fn of_api(&self, caller: &Caller, api: &Ref<ApiId>, plan: &Ref<PlanId>) -> Result<Plan> {
        let mut tx = self.0.read(caller).await?;
        let api = visible(&mut tx, caller, api).await?;
        let found = match plan {
            Ref::Id(id) => tx.plans().find(*id).await?,
            Ref::Slug(slug) => tx.plans().find_by_slug(api.id, slug).await?,
        };
        found
            .filter(|plan| plan.api_id == api.id)
            .ok_or(Error::missing("plan"))
    }

    /// Creates a plan in draft.
    ///
    /// # Errors
    /// [`Error::Duplicate`] `slug_taken`, [`Error::Invalid`].
    pub async fn create(&self, caller: &Caller, api: &Ref<ApiId>, new: NewPlan) -> Result<Plan> {
        self.0
            .settled(|| self.create_once(caller, api, new.clone()))
            .await
    }

    async fn create_once(&self, caller: &Caller, api: &Ref<ApiId>, new: NewPlan) -> Result<Plan> {
        let limits = NewLimit::fit(new.limits, new.security).map_err(|errors| nested("/limits", errors))?;
        NewLimit::check_list(&limits).map_err(|errors| nested("/limits", errors))?;
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let api = owned(&mut tx, caller, api, Permission::PlansWrite).await?;
        if let Some(existing) = tx.plans().find_by_slug(api.id, &new.slug).await? {
            return Err(Error::duplicate("slug_taken", "slug", existing.id));
        }
        let coverage = coverage(&mut tx, &api, new.versions).await?;
        let limits = identify(self.0, limits, &[]);
        let plan = Plan {
            id: self.0.new_id(now),
            tenant_id: caller.tenant_id,
            api_id: api.id,
            slug: new.slug,
            name: new.name,
            description: new.description,
            state: PlanState::Draft,
            security: new.security,
            approval: new.approval,
            versions: coverage,
            current: PlanVersion {
                id: self.0.new_id(now),
                number: 1,
                limits,
                created_at: now,
            },
            created_at: now,
            updated_at: now,
            row_version: 1,
        };
        tx.plans().insert(&plan).await?;
        let details = json!({ "api": api.id, "slug": plan.slug, "security": plan.security, "limits": plan.current.limits });
        tx.audit(entry(caller, now, "plan.create", "plan", plan.id, details));
        self.0.commit(tx, now).await?;
        Ok(plan)
    }

    /// Changes a plan.
    ///
    /// # Errors
    /// [`Error::Stale`], [`Error::Invalid`], [`Error::Guard`] `plan_closed`.
    pub async fn update(
        &self,
        caller: &Caller,
        id: PlanId,
        patch: PlanPatch,
        if_match: IfMatch,
    ) -> Result<Plan> {
        if let Some(limits) = &patch.limits {
            NewLimit::check_list(limits).map_err(|errors| nested("/limits", errors))?;
        }
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let mut plan = tx.plans().find(id).await?.ok_or(Error::missing("plan"))?;
        let api = owned(&mut tx, caller, &Ref::Id(plan.api_id), Permission::PlansWrite).await?;
        if_match.check(plan.row_version)?;
        if plan.state == PlanState::Closed {
            return Err(Error::guard_in(
                "plan_closed",
                "a closed plan does not change; create a new one",
                plan.state.as_str(),
                plan.state.reachable(),
            ));
        }
        if let Some(wanted) = patch.versions {
            plan.versions = coverage(&mut tx, &api, wanted).await?;
        }
        plan.name = patch.name.unwrap_or(plan.name);
        plan.description = patch.description.unwrap_or(plan.description);
        plan.approval = patch.approval.unwrap_or(plan.approval);
        plan.updated_at = now;
        let mut plan = tx.plans().update(&plan).await?;
        if let Some(limits) = patch.limits {
            let limits = NewLimit::fit(limits, plan.security).map_err(|errors| nested("/limits", errors))?;
            let limits = identify(self.0, limits, &plan.current.limits);
            let next = PlanVersion {
                id: self.0.new_id(now),
                number: plan.current.number + 1,
                limits,
                created_at: now,
            };
            tx.plans().add_version(plan.id, &next).await?;
            for subscription in tx.subscriptions().repin(plan.id, next.id, now).await? {
                tx.touch_subscription(subscription);
            }
            plan.current = next;
        }
        let details =
            json!({ "versions": plan.versions, "approval": plan.approval, "limits": plan.current.limits });
        tx.audit(entry(caller, now, "plan.update", "plan", plan.id, details));
        snapshot::refresh_api(&mut tx, &api).await?;
        self.0.commit(tx, now).await?;
        Ok(plan)
    }

    /// Deletes a draft, which nobody could subscribe to.
    ///
    /// # Errors
    /// [`Error::Guard`] `plan_in_use` once it was published, [`Error::Stale`].
    pub async fn delete(&self, caller: &Caller, id: PlanId, if_match: IfMatch) -> Result<()> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let plan = tx.plans().find(id).await?.ok_or(Error::missing("plan"))?;
        let api = owned(&mut tx, caller, &Ref::Id(plan.api_id), Permission::PlansWrite).await?;
        if_match.check(plan.row_version)?;
        if plan.state != PlanState::Draft {
            return Err(Error::guard_in(
                "plan_in_use",
                "only a draft is deleted; close the plan instead",
                plan.state.as_str(),
                plan.state.reachable(),
            ));
        }
        tx.plans().delete(plan.id).await?;
        let details = json!({ "api": api.id, "slug": plan.slug });
        tx.audit(entry(caller, now, "plan.delete", "plan", plan.id, details));
        snapshot::refresh_api(&mut tx, &api).await?;
        self.0.commit(tx, now).await
    }

    /// Moves a plan. Closing it ends its subscriptions after [`CLOSE_GRACE`].
    ///
    /// # Errors
    /// [`Error::Illegal`], [`Error::Guard`] `keyless_plan_exists`, [`Error::Stale`].
    pub async fn transition(
        &self,
        caller: &Caller,
        id: PlanId,
        verb: PlanVerb,
        if_match: IfMatch,
    ) -> Result<Plan> {
        self.moved(caller, id, (verb, CLOSE_GRACE), if_match).await
    }

    /// Closes a plan. What is active under it goes on working for the grace,
    /// everything else ends at once.
    ///
    /// # Errors
    /// As for [`Plans::transition`], and [`Error::Invalid`] when the grace is too long.
    pub async fn close(
        &self,
        caller: &Caller,
        id: PlanId,
        grace: Duration,
        if_match: IfMatch,
    ) -> Result<Plan> {
        subscriptions::check_grace(grace)?;
        self.moved(caller, id, (PlanVerb::Close, grace), if_match).await
    }

    async fn moved(
        &self,
        caller: &Caller,
        id: PlanId,
        (verb, grace): (PlanVerb, Duration),
        if_match: IfMatch,
    ) -> Result<Plan> {
        let now = self.0.now();
        let mut tx = self.0.begin(caller).await?;
        let mut plan = tx.plans().find(id).await?.ok_or(Error::missing("plan"))?;
        let api = owned(&mut tx, caller, &Ref::Id(plan.api_id), Permission::PlansWrite).await?;
        if_match.check(plan.row_version)?;
        let before = plan.state;
        plan.state = plan.state.after(verb)?;
        if plan.state == PlanState::Published && plan.security == Security::Keyless {
            one_keyless(&mut tx, &plan).await?;
        }
        plan.updated_at = now;
        let plan = tx.plans().update(&plan).await?;
        if verb == PlanVerb::Close {
            close_subscriptions(self.0, &mut tx, caller, &plan, grace).await?;
        }
        let action = match verb {
            PlanVerb::Publish => "plan.publish",
            PlanVerb::Deprecate => "plan.deprecate",
            PlanVerb::Undeprecate => "plan.undeprecate",
            PlanVerb::Close => "plan.close",
        };
        let details = json!({ "api": api.id, "slug": plan.slug, "from": before, "to": plan.state });
        tx.audit(entry(caller, now, action, "plan", plan.id, details.clone()));
        tx.outbox(outbox_entry::event(
            self.0, caller, now, action, plan.id, &details,
        ));
        snapshot::refresh_api(&mut tx, &api).await?;
        self.0.commit(tx, now).await?;
        Ok(plan)
    }
}

fn nested(pointer: &str, inner: gatewright_model::invalid::FieldErrors) -> Error {
    let mut errors = gatewright_model::invalid::FieldErrors::default();
    errors.nest(pointer, inner);
    Error::Invalid(errors)
}

/// Gives limits their ids: a limit that keeps its name keeps its id, and so its counters.
fn identify(control: &Control, limits: Vec<NewLimit>, known: &[Limit]) -> Vec<Limit> {
    limits
        .into_iter()
        .map(|limit| {
            let kept: Option<LimitId> = known
                .iter()
                .find(|known| known.name == *limit.name())
                .map(|known| known.id);
            let id = kept.unwrap_or_else(|| control.new_id(control.now()));
            limit.with_id(id)
        })
        .collect()
}

async fn coverage(tx: &mut Tx, api: &gatewright_model::api::Api, wanted: PlanVersions) -> Result<Coverage> {
    let refs = match wanted {
        PlanVersions::All => return Ok(Coverage::All(AllVersions::All)),
        PlanVersions::Only(refs) => refs,
    };
    if refs.is_empty() {
        let rule = "must be \"all\" or name at least one version";
        return Err(Error::field("/versions", Invalid::new("no_version", rule)));
    }
    let mut ids = Vec::with_capacity(refs.len());
    for (index, version) in refs.iter().enumerate() {
        match versions::find(tx, api, version).await {
            Ok(version) if ids.contains(&version.id) => {
                let rule = Invalid::new("repeated_version", "must name each version once");
                return Err(Error::field(&format!("/versions/{index}"), rule));
            }
            Ok(version) => ids.push(version.id),
            Err(Error::NotFound { .. }) => {
                let rule = Invalid::new(
                    "unknown_version",
                    "must be the label or the id of a version of this API",
                );
                return Err(Error::field(&format!("/versions/{index}"), rule));
            }
            Err(other) => return Err(other),
        }
    }
    Ok(Coverage::Only(ids))
}

/// At most one keyless plan is live for a version, or a call without a key would have no plan of its own.
async fn one_keyless(tx: &mut Tx, plan: &Plan) -> Result<()> {
    let overlaps = |other: &Plan| match (&plan.versions, &other.versions) {
        (Coverage::Only(ours), Coverage::Only(theirs)) => ours.iter().any(|version| theirs.contains(version)),
        _ => true,
    };
    let clash = tx.plans().of_api(plan.api_id).await?.into_iter().find(|other| {
        other.id != plan.id
            && other.security == Security::Keyless
            && matches!(other.state, PlanState::Published | PlanState::Deprecated)
            && overlaps(other)
    });
    match clash {
        Some(other) => {
            let rule = format!(
                "the keyless plan {} already covers one of its versions; close it first",
                other.slug
            );
            Err(Error::guard("keyless_plan_exists", rule))
        }
        None => Ok(()),
    }
}

/// Ends what is live under a plan. Who was let in keeps that for the grace; who
/// waits or was stopped does not come in by it, and who is leaving keeps the own date.
async fn close_subscriptions(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    plan: &Plan,
    grace: Duration,
) -> Result<()> {
    let reason = Remark::parse(&format!("the plan {} was closed", plan.slug)).ok();
    for subscription in tx.subscriptions().live_of_plan(plan.id).await? {
        let reason = reason.clone();
        match subscription.state {
            SubscriptionState::Closing if !grace.is_zero() => {}
            SubscriptionState::Active => {
                subscriptions::close(control, tx, caller, subscription, grace, reason).await?;
            }
            state => {
                let verb = subscriptions::final_verb(state);
                subscriptions::end(control, tx, caller, subscription, verb, reason).await?;
            }
        }
    }
    Ok(())
}
