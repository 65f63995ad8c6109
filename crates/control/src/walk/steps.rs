//! The steps of the walk: everything that people do with the things that have
//! a life, and time itself.

use std::time::Duration;

use gatewright_model::api::{Unmatched, VersionState};
use gatewright_model::approval::ApprovalState;
use gatewright_model::consumer::{ApplicationVerb, CredentialKind, Environment};
use gatewright_model::id::{ApplicationId, ApprovalId, CredentialId, PlanId, SubscriptionId};
use gatewright_model::plan::{ApprovalMode, PlanVerb, Security};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::state::Word;
use gatewright_model::text::{Name, Remark, Slug, VersionLabel};

use crate::applications::NewApplication;
use crate::approvals::Decision;
use crate::caller::Caller;
use crate::credentials::{CredentialAction, NewCredential};
use crate::error::Result;
use crate::if_match::IfMatch;
use crate::import::ImportSource;
use crate::lifecycle::Transition;
use crate::plans::{NewPlan, PlanPatch, PlanVersions};
use crate::subscriptions::{NewSubscription, SubscriptionAction};
use crate::tenants::TenantPatch;
use crate::versions::{NewVersion, VersionPatch};
use crate::walk::view::View;
use crate::walk::world::{DOCUMENTS, Who, World};

const DAY: Duration = Duration::from_secs(86_400);

#[derive(Debug)]
pub(super) enum Step {
    NewVersion(String),
    Import(VersionRef, usize),
    Unmatched(VersionRef, Unmatched),
    Move(VersionRef, Transition),
    NewPlan(String, ApprovalMode),
    NewTerms(PlanId),
    PlanVerb(PlanId, PlanVerb),
    ClosePlan(PlanId, Duration),
    DeletePlan(PlanId),
    NewApplication(String),
    ApplicationVerb(ApplicationId, ApplicationVerb),
    Subscribe(ApplicationId, PlanId),
    Subscription(SubscriptionId, SubscriptionAction, IfMatch),
    NewKey(ApplicationId, Option<Duration>, Option<Duration>),
    Rotate(CredentialId, Duration),
    Key(CredentialId, CredentialAction),
    Decide(ApprovalId, bool),
    Settings(bool, bool),
    /// Time goes by, and what is due is done.
    Wait(Duration),
}

impl Step {
    /// Any step that can be tried as things stand; whether it may be taken is
    /// another question.
    pub(super) fn choose(world: &mut World, view: &View) -> Self {
        // Ids are made of the time: no two things are of the same moment.
        world.wait(Duration::from_millis(10));
        loop {
            let chosen = match world.chance.below(20) {
                0..=4 => of_version(world, view),
                5..=7 => of_plan(world, view),
                8 | 9 => of_application(world, view),
                10..=13 => of_subscription(world, view),
                14 | 15 => of_key(world, view),
                16 | 17 => of_approval(world, view),
                18 => Some(Self::Settings(
                    world.chance.below(3) == 0,
                    world.chance.below(3) == 0,
                )),
                _ => Some(Self::Wait(
                    DAY / 2 * u32::try_from(world.chance.below(30)).unwrap(),
                )),
            };
            if let Some(step) = chosen {
                return step;
            }
        }
    }

    pub(super) async fn take(self, world: &World, who: Who) -> Result<()> {
        let caller = world.caller(who);
        match self {
            Self::NewVersion(_) | Self::Import(..) | Self::Unmatched(..) | Self::Move(..) => {
                self.on_version(world, caller).await
            }
            Self::NewPlan(..)
            | Self::NewTerms(_)
            | Self::PlanVerb(..)
            | Self::ClosePlan(..)
            | Self::DeletePlan(_) => self.on_plan(world, caller).await,
            Self::NewKey(..) | Self::Rotate(..) | Self::Key(..) => self.on_key(world, caller).await,
            Self::Wait(time) if who == Who::Stranger => {
                world.wait(time);
                // Who waits only looks on; what is due is done at the next turn of somebody else.
                Err(crate::error::Error::missing("step"))
            }
            Self::Wait(time) => {
                world.wait(time);
                world.control.run_due().await.map(drop)
            }
            other => other.on_consumer(world, caller).await,
        }
    }

    async fn on_version(self, world: &World, caller: &Caller) -> Result<()> {
        let (versions, api) = (world.control.versions(), &world.api);
        match self {
            Self::NewVersion(label) => {
                let new = NewVersion {
                    label: VersionLabel::parse(&label).unwrap(),
                    document: None,
                    copy_from: Some("v1".parse().unwrap()),
                };
                versions.create(caller, api, new).await.map(drop)
            }
            Self::Import(version, which) => {
                let source = ImportSource::Text(DOCUMENTS[which].to_owned().into());
                versions
                    .import(caller, api, &version, source, false)
                    .await
                    .map(drop)
            }
            Self::Unmatched(version, unmatched) => {
                let patch = VersionPatch {
                    unmatched: Some(unmatched),
                };
                versions
                    .update(caller, api, &version, patch, IfMatch::ANY)
                    .await
                    .map(drop)
            }
            Self::Move(version, transition) => {
                let moved = versions.transition(caller, api, &version, transition, IfMatch::ANY);
                moved.await.map(drop)
            }
            other => unreachable!("{other:?}"),
        }
    }

    async fn on_plan(self, world: &World, caller: &Caller) -> Result<()> {
        let plans = world.control.plans();
        match self {
            Self::NewPlan(slug, approval) => {
                let new = NewPlan {
                    name: Name::parse(&slug).unwrap(),
                    slug: Slug::parse(&slug).unwrap(),
                    description: String::new(),
                    versions: PlanVersions::All,
                    security: Security::ApiKey,
                    approval,
                    limits: Vec::new(),
                };
                plans.create(caller, &world.api, new).await.map(drop)
            }
            Self::NewTerms(plan) => {
                let patch = PlanPatch {
                    limits: Some(Vec::new()),
                    ..PlanPatch::default()
                };
                plans.update(caller, plan, patch, IfMatch::ANY).await.map(drop)
            }
            Self::PlanVerb(plan, verb) => plans.transition(caller, plan, verb, IfMatch::ANY).await.map(drop),
            Self::ClosePlan(plan, grace) => plans.close(caller, plan, grace, IfMatch::ANY).await.map(drop),
            Self::DeletePlan(plan) => plans.delete(caller, plan, IfMatch::ANY).await,
            other => unreachable!("{other:?}"),
        }
    }

    async fn on_key(self, world: &World, caller: &Caller) -> Result<()> {
        let (keys, now) = (world.control.credentials(), world.control.now());
        match self {
            Self::NewKey(application, start, end) => {
                let new = NewCredential {
                    kind: CredentialKind::ApiKey,
                    name: None,
                    not_before: start.map(|start| now.plus(start)),
                    expires_at: end.map(|end| now.plus(end)),
                };
                keys.issue(caller, &Ref::Id(application), new).await.map(drop)
            }
            Self::Rotate(key, grace) => keys.rotate(caller, key, grace, IfMatch::ANY).await.map(drop),
            Self::Key(key, action) => keys.transition(caller, key, action, IfMatch::ANY).await.map(drop),
            other => unreachable!("{other:?}"),
        }
    }

    async fn on_consumer(self, world: &World, caller: &Caller) -> Result<()> {
        let control = &world.control;
        match self {
            Self::NewApplication(name) => {
                let new = NewApplication {
                    name: Name::parse(&name).unwrap(),
                    slug: None,
                    team: Some(Ref::Id(world.consumers)),
                    environment: Environment::Live,
                };
                control.applications().create(caller, new).await.map(drop)
            }
            Self::ApplicationVerb(id, verb) => {
                let applications = control.applications();
                let moved = applications
                    .transition(caller, &Ref::Id(id), verb, None, IfMatch::ANY)
                    .await;
                moved.map(drop)
            }
            Self::Subscribe(application, plan_id) => {
                let new = NewSubscription {
                    plan_id,
                    reason: None,
                };
                let subscriptions = control.subscriptions();
                subscriptions
                    .request(caller, &Ref::Id(application), new)
                    .await
                    .map(drop)
            }
            Self::Subscription(id, action, if_match) => control
                .subscriptions()
                .transition(caller, id, action, if_match)
                .await
                .map(drop),
            Self::Decide(id, grants) => {
                let decision = if grants {
                    Decision::Approve { comment: None }
                } else {
                    Decision::Reject { comment: remark() }
                };
                control
                    .approvals()
                    .decide(caller, id, decision, IfMatch::ANY)
                    .await
                    .map(drop)
            }
            Self::Settings(two_person_rule, review_required) => {
                set(world, caller, (two_person_rule, review_required)).await
            }
            other => unreachable!("{other:?}"),
        }
    }
}

async fn set(world: &World, caller: &Caller, (two_person_rule, review_required): (bool, bool)) -> Result<()> {
    let (tenants, own) = (world.control.tenants(), Ref::Id(caller.tenant_id));
    let mut settings = tenants.get(&world.admin, &own).await.unwrap().settings;
    settings.two_person_rule = two_person_rule;
    settings.review_required = review_required;
    let patch = TenantPatch {
        name: None,
        settings: Some(settings),
    };
    tenants.update(caller, &own, patch, IfMatch::ANY).await.map(drop)
}

fn remark() -> Remark {
    Remark::parse("because").unwrap()
}

fn of_version(world: &mut World, view: &View) -> Option<Step> {
    let chance = &mut world.chance;
    if view.versions.len() < 4 && chance.below(8) == 0 {
        return Some(Step::NewVersion(format!("v{}", view.versions.len() + 1)));
    }
    let version = chance.one(&view.versions)?;
    let of = VersionRef::Id(version.id);
    match chance.below(10) {
        0 => return Some(Step::Import(of, chance.below(2))),
        1 => {
            let unmatched = chance.one(&[Unmatched::Refuse, Unmatched::Forward])?;
            return Some(Step::Unmatched(of, unmatched));
        }
        _ => {}
    }
    let sunset_at = world
        .control
        .now()
        .plus(DAY * u32::try_from(chance.below(40)).unwrap());
    let open = |other: &&gatewright_model::api::ApiVersion| other.state.is_open();
    let successor = view
        .versions
        .iter()
        .find(open)
        .map(|next| VersionRef::Id(next.id));
    let deprecate = Transition::Deprecate {
        sunset_at,
        successor: successor.filter(|_| chance.below(2) == 0),
        message: None,
    };
    let unretire = Transition::Unretire { sunset_at };
    let likely = match version.state {
        VersionState::Draft => vec![Transition::Publish, Transition::Preview, Transition::Submit],
        VersionState::InReview | VersionState::Preview => vec![Transition::Publish, Transition::Withdraw],
        VersionState::Published => vec![Transition::Block { reason: remark() }, deprecate],
        VersionState::Blocked => vec![Transition::Unblock, deprecate],
        VersionState::Deprecated => vec![Transition::Undeprecate, Transition::Retire],
        VersionState::Retired => vec![unretire.clone(), unretire, Transition::Archive],
        VersionState::Archived => vec![Transition::Publish, Transition::Retire],
    };
    let any = [
        Transition::Submit,
        Transition::Withdraw,
        Transition::Preview,
        Transition::Publish,
        Transition::Unblock,
        Transition::Undeprecate,
        Transition::Retire,
        Transition::Archive,
    ];
    let likely = if chance.below(5) == 0 {
        any.to_vec()
    } else {
        likely
    };
    Some(Step::Move(of, chance.one(&likely)?))
}

fn of_plan(world: &mut World, view: &View) -> Option<Step> {
    let chance = &mut world.chance;
    if view.plans.len() < 2 || (view.plans.len() < 12 && chance.below(6) == 0) {
        let slug = format!("plan-{}", world.control.now().as_millis());
        let approval = chance.one(ApprovalMode::ALL)?;
        return Some(Step::NewPlan(slug, approval));
    }
    let id = chance.one(&view.plans)?.id;
    Some(match chance.below(8) {
        0 => Step::DeletePlan(id),
        1 => Step::NewTerms(id),
        2 => {
            let grace = chance.one(&[Duration::ZERO, DAY, DAY * 30, DAY * 900])?;
            Step::ClosePlan(id, grace)
        }
        _ => Step::PlanVerb(id, chance.one(PlanVerb::ALL)?),
    })
}

fn of_application(world: &mut World, view: &View) -> Option<Step> {
    let chance = &mut world.chance;
    if view.applications.len() < 2 || (view.applications.len() < 5 && chance.below(6) == 0) {
        return Some(Step::NewApplication(format!("App {}", view.applications.len())));
    }
    let id = chance.one(&view.applications)?.id;
    // What is archived comes back more often than it goes.
    let verbs = [
        ApplicationVerb::Suspend,
        ApplicationVerb::Activate,
        ApplicationVerb::Activate,
        ApplicationVerb::Archive,
    ];
    Some(Step::ApplicationVerb(id, chance.one(&verbs)?))
}

fn of_subscription(world: &mut World, view: &View) -> Option<Step> {
    let chance = &mut world.chance;
    if chance.below(2) == 0 {
        let application = chance.one(&view.applications)?.id;
        return Some(Step::Subscribe(application, chance.one(&view.plans)?.id));
    }
    let recent = view.subscriptions.len().saturating_sub(12);
    let subscription = chance.one(&view.subscriptions[recent..])?;
    let actions = [
        SubscriptionAction::Suspend {
            reason: Some(remark()),
        },
        SubscriptionAction::Resume,
        SubscriptionAction::Close {
            grace: Duration::ZERO,
        },
        SubscriptionAction::Close { grace: DAY * 10 },
        SubscriptionAction::Close { grace: DAY * 400 },
        SubscriptionAction::Withdraw,
        SubscriptionAction::Pause,
        SubscriptionAction::Unpause,
    ];
    // Now and then somebody was faster.
    let if_match = match chance.below(10) {
        0 => IfMatch(Some(subscription.row_version - 1)),
        _ => IfMatch(Some(subscription.row_version)),
    };
    Some(Step::Subscription(
        subscription.id,
        chance.one(&actions)?,
        if_match,
    ))
}

fn of_key(world: &mut World, view: &View) -> Option<Step> {
    let chance = &mut world.chance;
    if view.credentials.len() < 3 || chance.below(4) == 0 {
        let application = chance.one(&view.applications)?.id;
        let start = chance.one(&[None, None, Some(DAY)])?;
        let end = chance.one(&[None, Some(DAY / 2), Some(DAY * 20)])?;
        return Some(Step::NewKey(application, start, end));
    }
    let recent = view.credentials.len().saturating_sub(12);
    let id = chance.one(&view.credentials[recent..])?.id;
    let grace = chance.one(&[Duration::ZERO, DAY, DAY * 31])?;
    let action = chance.one(&[
        CredentialAction::Revoke { reason: None },
        CredentialAction::Disable,
        CredentialAction::Enable,
    ])?;
    Some(if chance.below(2) == 0 {
        Step::Rotate(id, grace)
    } else {
        Step::Key(id, action)
    })
}

fn of_approval(world: &mut World, view: &View) -> Option<Step> {
    let chance = &mut world.chance;
    let open: Vec<ApprovalId> = view
        .approvals
        .iter()
        .filter(|approval| approval.state == ApprovalState::Open || chance.below(10) == 0)
        .map(|approval| approval.id)
        .collect();
    let id = chance.one(&open)?;
    Some(Step::Decide(id, chance.below(3) > 0))
}
