//! What a consumer should look at: what ends soon, what is nearly used up, what
//! was decided, what waits; and the traffic of the last day.

use std::time::Duration;

use gatewright_model::api::ApiVersion;
use gatewright_model::consumer::{
    ApplicationState, Credential, CredentialState, Subscription, SubscriptionState,
};
use gatewright_model::id::{ApiId, ApplicationId, CredentialId, EntityId, SubscriptionId, VersionId};
use gatewright_model::limit::LimitKind;
use gatewright_model::page::{PageRequest, PageSize};
use gatewright_model::permission::Permission;
use gatewright_model::plan::ApprovalMode;
use gatewright_model::text::{Name, VersionLabel};
use gatewright_model::time::Timestamp;
use gatewright_store::{ApplicationFilter, GroupKey, TrafficView, Tx, UsageFilter, UsageGroup};

use super::{ApplicationCard, Consumer, Found, Known, NEWS_FOR, SubscriptionView, named, own_teams};
use crate::caller::Caller;
use crate::error::Result;
use crate::names::Named;
use crate::usage::{UsageRow, row};

/// The newest applications, which the page looks into.
const MOST_APPLICATIONS: u16 = 50;
/// A key that ends within this time is worth a word.
const KEY_ENDS_WITHIN: Duration = Duration::from_secs(14 * 86_400);
/// Calls to a version on its way out count for so long.
const RECENT: Duration = Duration::from_secs(7 * 86_400);
const DAY: Duration = Duration::from_secs(86_400);
const HOUR: Duration = Duration::from_secs(3_600);
/// From this share of a quota on, in per cent.
const NEARLY_USED_UP: u64 = 80;

/// Something to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matter {
    /// A key ends soon.
    KeyEnds(KeyEnd),
    /// A quota is nearly used up.
    QuotaHigh {
        /// Whose.
        application: Named,
        /// Of which subscription.
        subscription: SubscriptionId,
        /// To which API.
        api: Name,
        /// Spent.
        used: u64,
        /// Of so many.
        amount: u64,
        /// When it starts anew.
        resets_at: Timestamp,
    },
    /// Calls still go to a version that will stop.
    DeprecatedUsed(DeprecatedUse),
    /// A subscription was stopped by its provider.
    Suspended {
        /// Whose.
        application: Named,
        /// Which.
        subscription: SubscriptionId,
        /// To which API.
        api: Name,
        /// Why.
        reason: Option<String>,
    },
    /// A request was decided.
    Answered {
        /// Whose.
        application: Named,
        /// Which.
        subscription: SubscriptionId,
        /// To which API.
        api: Name,
        /// Whether it was granted.
        granted: bool,
        /// What the decider said.
        comment: Option<String>,
        /// When.
        at: Timestamp,
    },
    /// A request waits.
    Waiting {
        /// Whose.
        application: Named,
        /// Which.
        subscription: SubscriptionId,
        /// To which API.
        api: Name,
        /// Since when.
        since: Timestamp,
    },
}

/// A key that ends soon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyEnd {
    /// Whose.
    pub application: Named,
    /// Which.
    pub key: CredentialId,
    /// By what people recognise it.
    pub label: String,
    /// When.
    pub at: Timestamp,
    /// Whether it ends because a successor was made, rather than by its own date.
    pub rotating: bool,
}

/// Calls of the last seven days to a version that will stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeprecatedUse {
    /// Whose calls.
    pub application: Named,
    /// To which API.
    pub api: Named,
    /// To which version.
    pub version: VersionLabel,
    /// How many.
    pub calls: u64,
    /// When it stops.
    pub sunset_at: Timestamp,
    /// What replaces it.
    pub successor: Option<VersionLabel>,
}

/// What a consumer's first page shows.
#[derive(Debug, Clone)]
pub struct Home {
    /// What to look at, the most pressing first.
    pub matters: Vec<Matter>,
    /// The applications that are not archived, newest first.
    pub applications: Vec<ApplicationCard>,
    /// Whether there are more applications than were looked into.
    pub more: bool,
    /// The calls of these applications in the last 24 hours, by the hour. `None`
    /// for who may not see any.
    pub usage: Option<Vec<UsageRow>>,
    /// Whether any call was ever made with a key of theirs.
    pub called: bool,
}

impl Consumer<'_> {
    /// What the caller's first page shows.
    ///
    /// # Errors
    /// Store errors. Who may read no applications gets an empty page.
    pub async fn home(&self, caller: &Caller) -> Result<Home> {
        let mut home = Home {
            matters: Vec::new(),
            applications: Vec::new(),
            more: false,
            usage: None,
            called: false,
        };
        if !caller.rights.anywhere(Permission::ApplicationsRead) {
            return Ok(home);
        }
        let now = self.0.now();
        let mut tx = self.0.read(caller).await?;
        let (mut known, mut live) = (Known::default(), Vec::new());
        let found = self
            .look_into_applications(&mut tx, caller, &mut home, now)
            .await?;
        let subscriptions: Vec<&Subscription> = found.subscriptions.values().flatten().collect();
        known.learn(&mut tx, &subscriptions).await?;
        for card in &home.applications {
            let of = named(&card.application);
            for credential in found.credentials(card.application.id) {
                home.called |= credential.last_used_at.is_some();
                home.matters.extend(ending(&of, credential, now));
            }
            for subscription in found.subscriptions(card.application.id) {
                let recent = now.since(subscription.updated_at) <= NEWS_FOR;
                let view = known.view(self.0, &mut tx, caller, subscription.clone()).await?;
                home.matters.extend(told(&of, &view, recent));
                live.push((of.clone(), view));
            }
        }
        self.traffic(&mut tx, caller, &mut known, &mut home, now).await?;
        drop(tx);
        home.matters.extend(self.nearly_used_up(&live).await);
        home.matters.sort_by_key(urgency);
        Ok(home)
    }

    async fn look_into_applications(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        home: &mut Home,
        now: Timestamp,
    ) -> Result<Found> {
        let filter = ApplicationFilter {
            teams: own_teams(caller),
            ..ApplicationFilter::default()
        };
        let page = PageRequest {
            size: PageSize::new(MOST_APPLICATIONS).unwrap_or(PageSize::DEFAULT),
            after: None,
        };
        let found = tx.applications().list(&filter, page).await?;
        home.more = found.next.is_some();
        let mut applications = found.items;
        applications.retain(|application| application.state != ApplicationState::Archived);
        let found = Found::of(tx, &applications, now).await?;
        home.applications = found.cards(tx, applications).await?;
        Ok(found)
    }

    /// The last day in figures, and calls that will soon go nowhere.
    async fn traffic(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        known: &mut Known,
        home: &mut Home,
        now: Timestamp,
    ) -> Result<()> {
        let readable = |card: &&ApplicationCard| {
            caller
                .rights
                .in_team(Permission::UsageRead, card.application.team_id)
        };
        let own: Vec<_> = home.applications.iter().filter(readable).cloned().collect();
        if own.is_empty() {
            return Ok(());
        }
        let ids: Vec<ApplicationId> = own.iter().map(|card| card.application.id).collect();
        let hours = filter(&ids, now.minus(DAY), now, HOUR, None);
        let store = &self.0.parts.store;
        let sums = store.usage(caller.tenant_id, &hours).await?;
        home.usage = Some(sums.into_iter().map(|sum| row(sum, None)).collect());
        let by_version = filter(&ids, now.minus(RECENT), now, DAY, Some(UsageGroup::Version));
        // More versions than that are called by nobody.
        let most = u64::from(u16::MAX);
        let used: Vec<VersionId> = store
            .usage_groups(caller.tenant_id, &by_version, None, most)
            .await?
            .groups
            .into_iter()
            .filter_map(|sum| match sum.group {
                Some(GroupKey::Id(id)) => Some(VersionId::from_uuid(id)),
                _ => None,
            })
            .collect();
        home.called |= !used.is_empty();
        for version in tx.versions().deprecated_of(&used).await? {
            let mut callers = filter(&ids, now.minus(RECENT), now, DAY, Some(UsageGroup::Application));
            callers.version = Some(version.id);
            let ending = self
                .deprecated(tx, caller, known, &own, &version, &callers)
                .await?;
            home.matters.extend(ending);
        }
        Ok(())
    }

    /// Who called a version that is on its way out.
    async fn deprecated(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        known: &mut Known,
        own: &[ApplicationCard],
        version: &ApiVersion,
        callers: &UsageFilter,
    ) -> Result<Vec<Matter>> {
        let Some(end) = &version.deprecation else {
            return Ok(Vec::new());
        };
        let api = known.api(tx, version.api_id).await?;
        known.versions(tx, api.id).await?;
        let successor = known.label(api.id, end.successor);
        let calls = self.calls_by_application(caller, callers).await?;
        let told = own.iter().map(|card| DeprecatedUse {
            application: named(&card.application),
            api: Named {
                slug: api.slug.clone(),
                name: api.name.clone(),
            },
            version: version.label.clone(),
            calls: calls_of(&calls, card.application.id),
            sunset_at: end.sunset_at,
            successor: successor.clone(),
        });
        let any = told.filter(|used| used.calls > 0);
        Ok(any.map(Matter::DeprecatedUsed).collect())
    }

    async fn calls_by_application(
        &self,
        caller: &Caller,
        filter: &UsageFilter,
    ) -> Result<Vec<(ApplicationId, u64)>> {
        let sums = self.0.parts.store.usage(caller.tenant_id, filter).await?;
        Ok(sums
            .into_iter()
            .filter_map(|sum| match sum.group {
                Some(GroupKey::Id(id)) => Some((ApplicationId::from_uuid(id), sum.value.requests)),
                _ => None,
            })
            .collect())
    }

    async fn nearly_used_up(&self, live: &[(Named, SubscriptionView)]) -> Vec<Matter> {
        let working: Vec<_> = live
            .iter()
            .filter(|(_, view)| {
                matches!(
                    view.subscription.state,
                    SubscriptionState::Active | SubscriptionState::Closing
                )
            })
            .collect();
        let wanted: Vec<_> = working
            .iter()
            .map(|(_, view)| (&view.subscription, view.limits.as_slice()))
            .collect();
        let standings = self.0.standings(&wanted).await;
        let mut matters = Vec::new();
        for ((of, view), standings) in working.into_iter().zip(standings) {
            let fullest = standings
                .into_iter()
                .filter(|standing| standing.limit.kind == LimitKind::Quota)
                .filter_map(|standing| Some((standing.whole(), standing.counter?)))
                .filter(|(whole, counter)| share(counter.used, *whole) >= NEARLY_USED_UP)
                .max_by_key(|(whole, counter)| share(counter.used, *whole));
            matters.extend(fullest.map(|(whole, counter)| Matter::QuotaHigh {
                application: of.clone(),
                subscription: view.subscription.id,
                api: view.api.name.clone(),
                used: counter.used,
                amount: whole,
                resets_at: counter.resets_at,
            }));
        }
        matters
    }
}

fn filter(
    applications: &[ApplicationId],
    from: Timestamp,
    to: Timestamp,
    step: Duration,
    group_by: Option<UsageGroup>,
) -> UsageFilter {
    UsageFilter {
        api: None,
        version: None,
        operation: None,
        plan: None,
        application: None,
        credential: None,
        status: None,
        source: None,
        from,
        to,
        step,
        group_by,
        view: Some(TrafficView {
            applications: applications.to_vec(),
            apis: Vec::<ApiId>::new(),
        }),
    }
}

fn calls_of(calls: &[(ApplicationId, u64)], application: ApplicationId) -> u64 {
    calls
        .iter()
        .filter(|(of, _)| *of == application)
        .map(|(_, made)| made)
        .sum()
}

fn share(used: u64, whole: u64) -> u64 {
    let share = (u128::from(used) * 100).checked_div(u128::from(whole));
    share.and_then(|share| u64::try_from(share).ok()).unwrap_or(0)
}

fn ending(of: &Named, credential: &Credential, now: Timestamp) -> Option<Matter> {
    let (at, rotating) = match credential.state {
        CredentialState::Rotating => (credential.grace_until?, true),
        CredentialState::Active => (credential.expires_at?, false),
        _ => return None,
    };
    let soon = at > now && at.since(now) <= KEY_ENDS_WITHIN;
    // An old key that nobody has used since its successor was made may just end.
    let missed = !rotating
        || credential
            .last_used_at
            .is_some_and(|used| used > credential.updated_at);
    let end = || KeyEnd {
        application: of.clone(),
        key: credential.id,
        label: credential
            .name
            .as_ref()
            .map_or_else(|| credential.hint.prefix.clone(), ToString::to_string),
        at,
        rotating,
    };
    (soon && missed).then(|| Matter::KeyEnds(end()))
}

fn told(of: &Named, view: &SubscriptionView, recent: bool) -> Option<Matter> {
    let subscription = &view.subscription;
    let (application, id, api) = (of.clone(), subscription.id, view.api.name.clone());
    let said = subscription.reason.as_ref().map(ToString::to_string);
    match subscription.state {
        SubscriptionState::Pending => Some(Matter::Waiting {
            application,
            subscription: id,
            api,
            since: subscription.created_at,
        }),
        SubscriptionState::Suspended => Some(Matter::Suspended {
            application,
            subscription: id,
            api,
            reason: said,
        }),
        SubscriptionState::Rejected if recent => Some(Matter::Answered {
            application,
            subscription: id,
            api,
            granted: false,
            comment: said,
            at: subscription.updated_at,
        }),
        // A granted request is news until something else happens to the subscription.
        SubscriptionState::Active
            if recent
                && view.plan.approval == ApprovalMode::Manual
                && !subscription.paused
                && subscription.updated_at > subscription.created_at =>
        {
            Some(Matter::Answered {
                application,
                subscription: id,
                api,
                granted: true,
                comment: said,
                at: subscription.updated_at,
            })
        }
        _ => None,
    }
}

/// What stops working comes first, then what was decided, then what waits.
fn urgency(matter: &Matter) -> (u8, Timestamp) {
    let first = Timestamp::default();
    match matter {
        Matter::Suspended { .. } => (0, first),
        Matter::KeyEnds(end) => (1, end.at),
        Matter::QuotaHigh { resets_at, .. } => (2, *resets_at),
        Matter::Answered {
            granted: false, at, ..
        } => (3, *at),
        Matter::DeprecatedUsed(used) => (4, used.sunset_at),
        Matter::Answered { at, .. } => (5, *at),
        Matter::Waiting { since, .. } => (6, *since),
    }
}
