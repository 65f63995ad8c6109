//! The life of a version: each move is one transaction that changes the row,
//! its subscriptions and requests, what gateways get, and the audit trail.

use std::time::Duration;

use gatewright_model::api::{Api, ApiVersion, Deprecation, VersionState, VersionVerb};
use gatewright_model::approval::{ApprovalSubject, ApprovalVerb};
use gatewright_model::consumer::{ApplicationState, SubscriptionState};
use gatewright_model::id::{ApiId, VersionId};
use gatewright_model::invalid::Invalid;
use gatewright_model::permission::Permission;
use gatewright_model::plan::{PlanState, grants};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::text::Remark;
use gatewright_model::time::Timestamp;
use gatewright_store::Tx;
use serde_json::{Value, json};

use crate::apis::{owned, visible};
use crate::audit_entry::entry;
use crate::caller::Caller;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::if_match::IfMatch;
use crate::versions::{Versions, find, load_view, operations_of, shown};
use crate::views::{Missing, PublishCheck, VersionView};
use crate::{approvals, outbox_entry, snapshot, subscriptions, tenants};

/// How long after its retirement a version can be brought back.
const UNRETIRE_WITHIN: Duration = Duration::from_secs(30 * 86_400);

/// A move of a version with what it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transition {
    /// Ask for a review.
    Submit,
    /// Take a review or a preview back.
    Withdraw,
    /// Route it as a preview.
    Preview,
    /// Route it and open it.
    Publish,
    /// Answer 503 for now.
    Block {
        /// Callers are told.
        reason: Remark,
    },
    /// Serve again.
    Unblock,
    /// Announce the end.
    Deprecate {
        /// When it stops.
        sunset_at: Timestamp,
        /// What replaces it.
        successor: Option<VersionRef>,
        /// What subscribers are told.
        message: Option<Remark>,
    },
    /// Take the announcement back.
    Undeprecate,
    /// End it.
    Retire,
    /// Bring it back for a while.
    Unretire {
        /// When it stops for good.
        sunset_at: Timestamp,
    },
    /// Keep only the history.
    Archive,
}

impl Transition {
    /// The verb of the state machine.
    #[must_use]
    pub const fn verb(&self) -> VersionVerb {
        match self {
            Self::Submit => VersionVerb::Submit,
            Self::Withdraw => VersionVerb::Withdraw,
            Self::Preview => VersionVerb::Preview,
            Self::Publish => VersionVerb::Publish,
            Self::Block { .. } => VersionVerb::Block,
            Self::Unblock => VersionVerb::Unblock,
            Self::Deprecate { .. } => VersionVerb::Deprecate,
            Self::Undeprecate => VersionVerb::Undeprecate,
            Self::Retire => VersionVerb::Retire,
            Self::Unretire { .. } => VersionVerb::Unretire,
            Self::Archive => VersionVerb::Archive,
        }
    }

    /// What the audit trail keeps of it.
    fn details(&self) -> Value {
        match self {
            Self::Block { reason } => json!({ "reason": reason }),
            Self::Deprecate {
                sunset_at, message, ..
            } => json!({ "sunset_at": sunset_at, "message": message }),
            Self::Unretire { sunset_at } => json!({ "sunset_at": sunset_at }),
            _ => json!({}),
        }
    }
}

impl Versions<'_> {
    /// Moves a version.
    ///
    /// # Errors
    /// [`Error::Illegal`] with the states that can be reached, [`Error::Guard`]
    /// when something is missing for it, [`Error::Forbidden`], [`Error::Stale`].
    pub async fn transition(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        version: &VersionRef,
        transition: Transition,
        if_match: IfMatch,
    ) -> Result<VersionView> {
        let mut tx = self.0.begin(caller).await?;
        let view = self
            .moved(&mut tx, caller, (api, version), transition, if_match)
            .await?;
        self.0.commit(tx, self.0.now()).await?;
        Ok(view)
    }

    /// Moves a version and takes it back: what it would be then, or why it cannot be moved.
    ///
    /// # Errors
    /// As for [`Versions::transition`].
    pub async fn rehearse(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        version: &VersionRef,
        transition: Transition,
        if_match: IfMatch,
    ) -> Result<VersionView> {
        let mut tx = self.0.begin(caller).await?;
        let view = self
            .moved(&mut tx, caller, (api, version), transition, if_match)
            .await?;
        tx.rollback().await?;
        Ok(view)
    }

    async fn moved(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        (api, version): (&Ref<ApiId>, &VersionRef),
        transition: Transition,
        if_match: IfMatch,
    ) -> Result<VersionView> {
        let api = owned(tx, caller, api, Permission::VersionsPublish).await?;
        let version = find(tx, &api, version).await?;
        if_match.check(version.row_version)?;
        let version = apply(self.0, tx, caller, &api, version, transition).await?;
        load_view(self.0, tx, caller, &api, version).await
    }

    /// What stands between a version and its publication.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn publish_check(
        &self,
        caller: &Caller,
        api: &Ref<ApiId>,
        version: &VersionRef,
    ) -> Result<PublishCheck> {
        let mut tx = self.0.read(caller).await?;
        let api = visible(&mut tx, caller, api).await?;
        let version = shown(&mut tx, caller, &api, version).await?;
        check_publish(&mut tx, &api, &version).await
    }
}

/// Moves a version inside of a transaction that somebody else commits.
pub(crate) async fn apply(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    api: &Api,
    before: ApiVersion,
    transition: Transition,
) -> Result<ApiVersion> {
    let now = control.now();
    let next = before.state.after(transition.verb())?;
    guard(tx, caller, api, &before, &transition, now).await?;
    let mut version = before.clone();
    version.state = next;
    version.updated_at = now;
    settle(tx, api, &mut version, &before, &transition, now).await?;
    let version = tx.versions().update(&version).await?;
    consequences(control, tx, caller, api, &before, &version, &transition).await?;
    let verb = transition.verb();
    let details = json!({ "api": api.id, "label": version.label, "from": before.state, "to": version.state, "with": transition.details() });
    tx.audit(entry(
        caller,
        now,
        action(verb),
        "version",
        version.id,
        details.clone(),
    ));
    if before.state.is_routed() || version.state.is_routed() {
        tx.outbox(outbox_entry::event(
            control,
            caller,
            now,
            action(verb),
            version.id,
            &details,
        ));
    }
    snapshot::refresh_version(control, tx, caller, api, &version).await?;
    Ok(version)
}

const fn action(verb: VersionVerb) -> &'static str {
    match verb {
        VersionVerb::Submit => "version.submit",
        VersionVerb::Withdraw => "version.withdraw",
        VersionVerb::Preview => "version.preview",
        VersionVerb::Publish => "version.publish",
        VersionVerb::Block => "version.block",
        VersionVerb::Unblock => "version.unblock",
        VersionVerb::Deprecate => "version.deprecate",
        VersionVerb::Undeprecate => "version.undeprecate",
        VersionVerb::Retire => "version.retire",
        VersionVerb::Unretire => "version.unretire",
        VersionVerb::Archive => "version.archive",
    }
}

/// Rules beyond the table of states.
async fn guard(
    tx: &mut Tx,
    caller: &Caller,
    api: &Api,
    version: &ApiVersion,
    transition: &Transition,
    now: Timestamp,
) -> Result<()> {
    match transition {
        Transition::Submit if version.revision_id.is_none() => Err(Error::guard(
            "no_document",
            "a version without a document cannot be reviewed; import one first",
        )),
        Transition::Preview | Transition::Publish => {
            let tenant = tenants::own(tx, caller).await?;
            if tenant.settings.review_required && version.state == VersionState::Draft {
                return Err(Error::guard(
                    "review_required",
                    "this tenant publishes only after a review: submit the version",
                ));
            }
            if version.state == VersionState::InReview {
                caller.require_in(Permission::ApprovalsDecide, api.team_id)?;
                approvals::not_own(tx, caller, &tenant, ApprovalSubject::Version(version.id)).await?;
            }
            let check = check_publish(tx, api, version).await?;
            match check.missing.into_iter().next() {
                Some(missing) => Err(Error::guard(missing.code, missing.message)),
                None => Ok(()),
            }
        }
        Transition::Deprecate { sunset_at, .. } => {
            let notice = Duration::from_secs(
                u64::from(tenants::own(tx, caller).await?.settings.min_deprecation_days) * 86_400,
            );
            sunset_far_enough(*sunset_at, now, notice)
        }
        Transition::Unretire { sunset_at } => {
            if version
                .retired_at
                .is_some_and(|since| now.since(since) > UNRETIRE_WITHIN)
            {
                return Err(Error::guard(
                    "too_late",
                    "a version can be brought back within 30 days of its retirement",
                ));
            }
            sunset_far_enough(*sunset_at, now, Duration::ZERO)
        }
        Transition::Undeprecate
            if version
                .deprecation
                .as_ref()
                .is_some_and(|end| end.sunset_at <= now) =>
        {
            Err(Error::guard(
                "sunset_passed",
                "its sunset has passed; retire it or deprecate it anew",
            ))
        }
        _ => Ok(()),
    }
}

fn sunset_far_enough(sunset_at: Timestamp, now: Timestamp, notice: Duration) -> Result<()> {
    if sunset_at <= now {
        return Err(Error::field(
            "/sunset_at",
            Invalid::new("sunset_past", "must lie in the future"),
        ));
    }
    if sunset_at < now.plus(notice) {
        let rule = format!(
            "must be at least {} days away: this tenant's notice",
            notice.as_secs() / 86_400
        );
        return Err(Error::field("/sunset_at", Invalid::new("notice_too_short", rule)));
    }
    Ok(())
}

/// Fills in what the new state carries.
async fn settle(
    tx: &mut Tx,
    api: &Api,
    version: &mut ApiVersion,
    before: &ApiVersion,
    transition: &Transition,
    now: Timestamp,
) -> Result<()> {
    version.blocked_reason = None;
    match transition {
        Transition::Publish => version.published_at = before.published_at.or(Some(now)),
        Transition::Block { reason } => version.blocked_reason = Some(reason.clone()),
        Transition::Deprecate {
            sunset_at,
            successor,
            message,
        } => {
            let successor = match successor {
                Some(successor) => Some(successor_of(tx, api, before, successor).await?),
                None => None,
            };
            version.deprecation = Some(Deprecation {
                deprecated_at: now,
                sunset_at: *sunset_at,
                successor,
                message: message.clone(),
            });
        }
        Transition::Undeprecate => version.deprecation = None,
        Transition::Retire => version.retired_at = Some(now),
        Transition::Unretire { sunset_at } => {
            version.retired_at = None;
            if let Some(deprecation) = &mut version.deprecation {
                deprecation.sunset_at = *sunset_at;
            }
        }
        // A preview was never published, nor is what goes back to draft.
        Transition::Withdraw => version.published_at = None,
        Transition::Submit | Transition::Preview | Transition::Unblock | Transition::Archive => {}
    }
    Ok(())
}

async fn successor_of(
    tx: &mut Tx,
    api: &Api,
    version: &ApiVersion,
    successor: &VersionRef,
) -> Result<VersionId> {
    let bad = |code, rule: &'static str| Error::field("/successor", Invalid::new(code, rule));
    let next = match find(tx, api, successor).await {
        Ok(next) => next,
        Err(Error::NotFound { .. }) => {
            return Err(bad(
                "unknown_successor",
                "must be the label or the id of another version of this API",
            ));
        }
        Err(other) => return Err(other),
    };
    if next.id == version.id {
        return Err(bad(
            "own_successor",
            "must be another version: a version cannot replace itself",
        ));
    }
    if !next.state.is_open() {
        return Err(bad(
            "closed_successor",
            "must be a published or preview version that people can move to",
        ));
    }
    Ok(next.id)
}

/// What a move does beside the version's own row.
async fn consequences(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    api: &Api,
    before: &ApiVersion,
    version: &ApiVersion,
    transition: &Transition,
) -> Result<()> {
    let subject = ApprovalSubject::Version(version.id);
    match transition {
        Transition::Submit => approvals::open(control, tx, caller, api, subject, None).await,
        Transition::Withdraw if before.state == VersionState::InReview => {
            approvals::settle_open(control, tx, caller, subject, ApprovalVerb::Cancel, None).await
        }
        Transition::Preview | Transition::Publish if before.state == VersionState::InReview => {
            approvals::settle_open(control, tx, caller, subject, ApprovalVerb::Approve, None).await
        }
        Transition::Withdraw | Transition::Retire => close_ungranted(control, tx, caller, api, version).await,
        Transition::Unretire { .. } => {
            reopen_retired(control, tx, caller, api, before, version.updated_at).await
        }
        _ => Ok(()),
    }
}

/// Closes the subscriptions that reach no version any longer.
async fn close_ungranted(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    api: &Api,
    gone: &ApiVersion,
) -> Result<()> {
    let now = gone.updated_at;
    let versions = tx.versions().of_api(api.id).await?;
    let plans = tx.plans().of_api(api.id).await?;
    for subscription in tx.subscriptions().live_of_api(api.id).await? {
        let plan = plans.iter().find(|plan| plan.id == subscription.plan_id);
        let reaches = plan.is_some_and(|plan| {
            versions.iter().any(|version| {
                let since = version.deprecation.as_ref().map(|end| end.deprecated_at);
                grants(
                    &plan.versions,
                    version.id,
                    version.state,
                    since,
                    subscription.created_at,
                )
            })
        });
        let covered_gone = plan.is_some_and(|plan| plan.versions.includes(gone.id));
        if reaches || !covered_gone {
            continue;
        }
        let reason = Remark::parse(&format!("version {} is no longer served", gone.label)).ok();
        let verb = subscriptions::final_verb(subscription.state);
        subscriptions::end_at(control, tx, caller, subscription, verb, reason, now).await?;
    }
    Ok(())
}

/// Undoes the closings of a retirement. They carry its time stamp: they were
/// written in its transaction. What was ending anyway goes on ending; who left
/// or subscribed anew meanwhile, and whose plan was closed, stays out.
async fn reopen_retired(
    control: &Control,
    tx: &mut Tx,
    caller: &Caller,
    api: &Api,
    retired: &ApiVersion,
    now: Timestamp,
) -> Result<()> {
    let Some(since) = retired.retired_at else {
        return Ok(());
    };
    let plans = tx.plans().of_api(api.id).await?;
    for mut subscription in tx.subscriptions().closed_at(api.id, since).await? {
        let Some(plan) = plans.iter().find(|plan| plan.id == subscription.plan_id) else {
            continue;
        };
        let state = match (subscription.closing_at, plan.state) {
            (Some(_), _) => SubscriptionState::Closing,
            (None, PlanState::Closed) => continue,
            (None, _) => SubscriptionState::Active,
        };
        let application = subscription.application_id;
        let archived = tx
            .applications()
            .find(application)
            .await?
            .is_none_or(|application| application.state == ApplicationState::Archived);
        if archived
            || tx
                .subscriptions()
                .find_live(application, plan.id)
                .await?
                .is_some()
        {
            continue;
        }
        subscription.plan_version_id = plan.current.id;
        subscriptions::reopen(control, tx, caller, subscription, state, now).await?;
    }
    Ok(())
}

async fn check_publish(tx: &mut Tx, api: &Api, version: &ApiVersion) -> Result<PublishCheck> {
    let mut missing = Vec::new();
    let mut lacks = |code, message: &str| {
        missing.push(Missing {
            code,
            message: message.to_owned(),
        });
    };
    let operations = operations_of(tx, version).await?;
    if version.revision_id.is_none() {
        lacks("no_document", "it has no document; import one");
    } else if !operations.iter().any(|operation| operation.routable) {
        lacks(
            "no_operation",
            "its document describes no operation that can be called",
        );
    }
    if tx.upstreams().find(version.id).await?.is_none() {
        lacks("no_upstream", "it has no upstream; set one with PUT …/upstream");
    }
    let plans = tx.plans().of_api(api.id).await?;
    if !plans
        .iter()
        .any(|plan| plan.state == PlanState::Published && plan.versions.includes(version.id))
    {
        lacks(
            "no_plan",
            "no published plan covers it; create a plan and publish it",
        );
    }
    Ok(PublishCheck { missing })
}
