//! Everything that the walk can change, as it stands in the store, and what
//! must hold of it at any time.

use std::collections::{BTreeMap, HashSet};

use gatewright_model::api::{ApiVersion, VersionState};
use gatewright_model::approval::{Approval, ApprovalState, ApprovalSubject};
use gatewright_model::audit::AuditEvent;
use gatewright_model::consumer::{
    Application, ApplicationState, Credential, CredentialState, Subscription, SubscriptionState,
};
use gatewright_model::page::{Page, PageRequest, PageSize};
use gatewright_model::plan::{Plan, PlanState};
use gatewright_model::reference::Ref;
use gatewright_model::snapshot::PartRef;
use gatewright_model::state::Word;
use gatewright_store::{ApplicationFilter, ApprovalFilter, AuditFilter, StoreError, SubscriptionFilter, Tx};

use crate::walk::world::World;

/// A thing with a life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thing {
    pub(super) kind: &'static str,
    pub(super) state: &'static str,
    /// The states that one move leads to.
    pub(super) reachable: Vec<&'static str>,
    whole: String,
}

#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) versions: Vec<ApiVersion>,
    pub(super) plans: Vec<Plan>,
    pub(super) applications: Vec<Application>,
    pub(super) subscriptions: Vec<Subscription>,
    pub(super) credentials: Vec<Credential>,
    pub(super) approvals: Vec<Approval>,
    /// By id.
    pub(super) things: BTreeMap<String, Thing>,
    /// What gateways get.
    pub(super) parts: Vec<PartRef>,
    /// The number of the newest change.
    pub(super) head: i64,
    /// Oldest first.
    pub(super) events: Vec<AuditEvent>,
}

macro_rules! all {
    ($tx:ident.$repository:ident($filter:expr)) => {{
        let (mut items, mut after) = (Vec::new(), None);
        loop {
            let size = PageSize::new(PageSize::MAX).unwrap();
            let request = PageRequest { size, after };
            let page: Result<Page<_>, StoreError> = $tx.$repository().list(&$filter, request).await;
            let page = page.unwrap();
            items.extend(page.items);
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        // Lists begin with the newest.
        items.reverse();
        items
    }};
}

macro_rules! add {
    ($view:ident, $kind:literal, $list:ident) => {
        for item in &$view.$list {
            let thing = Thing {
                kind: $kind,
                state: item.state.as_str(),
                reachable: item.state.reachable(),
                whole: format!("{item:?}"),
            };
            $view.things.insert(item.id.to_string(), thing);
        }
    };
}

impl View {
    pub(super) async fn of(world: &World) -> Self {
        let mut tx = world.control.read(&world.admin).await.unwrap();
        let Ref::Id(api) = &world.api else { unreachable!() };
        let mut view = Self {
            versions: tx.versions().of_api(*api).await.unwrap(),
            plans: tx.plans().of_api(*api).await.unwrap(),
            applications: applications(&mut tx).await,
            subscriptions: subscriptions(&mut tx).await,
            approvals: approvals(&mut tx).await,
            events: events(&mut tx).await,
            head: tx.head().await.unwrap(),
            ..Self::default()
        };
        for application in &view.applications {
            let keys = tx.credentials().of_application(application.id).await;
            view.credentials.extend(keys.unwrap());
        }
        drop(tx);
        let mut tx = world.control.read_system().await.unwrap();
        view.parts = tx.snapshots().manifest(None).await.unwrap().parts;
        view.list();
        view
    }

    fn list(&mut self) {
        add!(self, "version", versions);
        add!(self, "plan", plans);
        add!(self, "application", applications);
        add!(self, "subscription", subscriptions);
        add!(self, "credential", credentials);
        add!(self, "approval", approvals);
    }

    /// What holds at any time, however it came about.
    pub(super) fn check(&self, place: &str) {
        self.check_versions(place);
        self.check_subscriptions(place);
        self.check_applications(place);
        for approval in &self.approvals {
            let open = approval.state == ApprovalState::Open;
            assert_eq!(open, approval.decided_at.is_none(), "{approval:?}: {place}");
        }
    }

    fn open_requests(&self, subject: ApprovalSubject) -> usize {
        let open = self
            .approvals
            .iter()
            .filter(|approval| approval.state == ApprovalState::Open && approval.subject == subject);
        open.count()
    }

    fn check_versions(&self, place: &str) {
        for version in &self.versions {
            let asked = usize::from(version.state == VersionState::InReview);
            let open = self.open_requests(ApprovalSubject::Version(version.id));
            assert_eq!(open, asked, "{version:?}: {place}");
            let blocked = version.state == VersionState::Blocked;
            assert_eq!(version.blocked_reason.is_some(), blocked, "{version:?}: {place}");
            if matches!(version.state, VersionState::Deprecated | VersionState::Retired) {
                assert!(version.deprecation.is_some(), "{version:?}: {place}");
            }
            if version.state == VersionState::Retired {
                assert!(version.retired_at.is_some(), "{version:?}: {place}");
            }
        }
    }

    fn check_subscriptions(&self, place: &str) {
        let mut taken = HashSet::new();
        for subscription in &self.subscriptions {
            let state = subscription.state;
            let asked = usize::from(state == SubscriptionState::Pending);
            let open = self.open_requests(ApprovalSubject::Subscription(subscription.id));
            assert_eq!(open, asked, "{subscription:?}: {place}");
            if state == SubscriptionState::Closing {
                assert!(subscription.closing_at.is_some(), "{subscription:?}: {place}");
            }
            if !state.is_live() {
                continue;
            }
            let held = (subscription.application_id, subscription.plan_id);
            assert!(taken.insert(held), "held twice, {subscription:?}: {place}");
            let plan = self.plans.iter().find(|plan| plan.id == subscription.plan_id);
            let plan = plan.unwrap_or_else(|| panic!("without a plan, {subscription:?}: {place}"));
            match plan.state {
                PlanState::Draft => panic!("under a draft, {subscription:?}: {place}"),
                PlanState::Closed => {
                    assert_eq!(state, SubscriptionState::Closing, "{subscription:?}: {place}");
                }
                PlanState::Published | PlanState::Deprecated => {
                    let current = plan.current.id == subscription.plan_version_id;
                    let waits = state == SubscriptionState::Pending;
                    assert!(current || waits, "old terms, {subscription:?}: {place}");
                }
            }
        }
    }

    fn check_applications(&self, place: &str) {
        for application in &self.applications {
            let archived = application.state == ApplicationState::Archived;
            assert_eq!(
                application.archived_at.is_some(),
                archived,
                "{application:?}: {place}"
            );
            if archived {
                let mut own = self.subscriptions.iter();
                let live = own.find(|own| own.application_id == application.id && own.state.is_live());
                assert_eq!(live, None, "{application:?}: {place}");
            }
        }
        for key in &self.credentials {
            let of = self.applications.iter().find(|of| of.id == key.application_id);
            if of.unwrap().state == ApplicationState::Archived {
                assert_eq!(key.state, CredentialState::Revoked, "{key:?}: {place}");
            }
            if key.state == CredentialState::Rotating {
                let whole = key.grace_until.is_some() && key.replaced_by.is_some();
                assert!(whole, "{key:?}: {place}");
            }
        }
    }
}

async fn applications(tx: &mut Tx) -> Vec<Application> {
    all!(tx.applications(ApplicationFilter::default()))
}

async fn subscriptions(tx: &mut Tx) -> Vec<Subscription> {
    all!(tx.subscriptions(SubscriptionFilter::default()))
}

async fn approvals(tx: &mut Tx) -> Vec<Approval> {
    all!(tx.approvals(ApprovalFilter::default()))
}

async fn events(tx: &mut Tx) -> Vec<AuditEvent> {
    all!(tx.audit_events(AuditFilter::default()))
}
