//! Trying calls from the portal. A call goes to the gateway like any other
//! call, to an address that is worked out here and never taken from a form,
//! with a token that is made for it: keys are stored as hashes, so nobody
//! could send one of them again.
//!
//! Nothing is written: the gateway records the call, marked as one from the
//! console, and counts it under the plan of the subscription.

mod exchange;
mod headers;
mod rate;

use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use gatewright_model::api::{Api, ApiVersion, Operation};
use gatewright_model::console_token::{ConsoleGrant, LIFETIME};
use gatewright_model::consumer::{Subscription, SubscriptionState};
use gatewright_model::id::{ApiId, SubscriptionId, TeamId, UserId};
use gatewright_model::invalid::Invalid;
use gatewright_model::permission::Permission;
use gatewright_model::plan::{Plan, PlanState, Security, grants};
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_model::secret::SecretText;
use gatewright_model::time::Timestamp;
use gatewright_store::{Named, Tx, Wanted};

use crate::caller::Caller;
use crate::catalog::sight::visible_version;
use crate::control::Control;
use crate::error::{Error, Result};
use crate::reader::Reader;
use crate::versions;

pub use exchange::{Answer, Ended, Failure, MAX_BODY, PATIENCE, SHOWN};
pub use headers::CallHeaders;
use rate::Who;

/// Use cases of the try-it console.
#[derive(Debug, Clone, Copy)]
pub struct Console<'c>(pub(crate) &'c Control);

/// A token for the gateway, which is shown to nobody.
#[derive(Debug, Clone)]
pub struct ConsoleToken {
    /// The token.
    pub secret: SecretText,
    /// From when on it is worth nothing.
    pub expires_at: Timestamp,
}

/// An operation of a version.
#[derive(Debug, Clone)]
pub struct Place {
    /// The API.
    pub api: Ref<ApiId>,
    /// The version.
    pub version: VersionRef,
    /// The name of the operation in addresses.
    pub operation: String,
}

/// How a reader can call a version.
#[derive(Debug, Clone)]
pub struct Ways {
    /// The API.
    pub api: Api,
    /// The version.
    pub version: ApiVersion,
    /// The operation.
    pub operation: Operation,
    /// Where the version is called, as people copy it.
    pub gateway_url: String,
    /// The plan that needs no key.
    pub keyless: Option<Plan>,
    /// The reader's subscriptions that open the version, newest first.
    pub subscriptions: Vec<Way>,
    /// Whether they belong to teams that the reader is not in, and acts for by a
    /// right in the whole tenant.
    pub of_others: bool,
    /// Those that would if somebody approved, resumed or unpaused them.
    pub stopped: Vec<Way>,
}

/// A subscription of one of the reader's applications.
#[derive(Debug, Clone)]
pub struct Way {
    /// The subscription.
    pub subscription: Subscription,
    /// The application that holds it.
    pub application: Named,
    /// The plan it is under.
    pub plan: Named,
}

/// By what a call proves who sends it.
#[derive(Debug, Clone)]
pub enum Proof {
    /// By nothing.
    Nothing,
    /// By a token that is made for it.
    Subscription(SubscriptionId),
    /// By a key that was typed for this one call.
    Key(SecretText),
}

/// A call as it was typed.
#[derive(Debug)]
pub struct Call {
    /// Its path below the version's address, encoded, with its leading slash.
    pub path: String,
    /// Its query, encoded, without the question mark.
    pub query: String,
    /// Its fields.
    pub headers: CallHeaders,
    /// Its body; empty for none.
    pub body: Bytes,
    /// By what it proves who sends it.
    pub proof: Proof,
}

/// From where a call is tried.
#[derive(Debug, Clone, Copy)]
pub struct Origin {
    /// The address of the browser.
    pub browser: IpAddr,
    /// Where the gateway of this process listens, when it runs one.
    pub local_gateway: Option<SocketAddr>,
}

impl Control {
    /// Use cases of the try-it console.
    #[must_use]
    pub const fn console(&self) -> Console<'_> {
        Console(self)
    }
}

impl Console<'_> {
    /// How the reader can call an operation.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Retired`], [`Error::SignInNeeded`].
    pub async fn ways(&self, reader: &Reader, place: &Place) -> Result<Ways> {
        let mut tx = self.0.read_as(reader).await?;
        let (api, version) = visible_version(&mut tx, reader, &place.api, &place.version).await?;
        let operation = operation(&mut tx, &version, &place.operation).await?;
        let plans = tx.plans().of_api(api.id).await?;
        let keyless = plans.iter().find(|plan| is_keyless(plan, &version)).cloned();
        let (subscriptions, stopped) = own(&mut tx, reader, &api, &version, &plans).await?;
        let tenant = tx.tenants().find(reader.tenant_id).await?;
        let tenant = tenant.ok_or(Error::missing("tenant"))?;
        Ok(Ways {
            gateway_url: versions::gateway_url_in(self.0, &tenant.slug, &api, &version.label),
            api,
            version,
            operation,
            keyless,
            subscriptions,
            of_others: reader
                .caller
                .as_ref()
                .is_some_and(|caller| own_teams(caller).is_empty()),
            stopped,
        })
    }

    /// Makes a token for a subscription of the caller's applications. Who may
    /// make keys for the application may: the token is one, for ten minutes.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::TooOften`].
    pub async fn mint(&self, caller: &Caller, subscription: SubscriptionId) -> Result<ConsoleToken> {
        let user = person(caller)?;
        self.0.admit_try(Who::User(user)).await?;
        self.token(caller, user, subscription).await
    }

    /// Sends a call through the gateway and waits for its answer.
    ///
    /// # Errors
    /// As [`Console::ways`] and [`Console::mint`]. That the gateway could not
    /// be reached is no error but an outcome.
    pub async fn run(
        &self,
        reader: &Reader,
        place: &Place,
        call: Call,
        origin: Origin,
    ) -> Result<std::result::Result<Answer, Failure>> {
        let user = reader.caller.as_ref().and_then(|caller| caller.user_id);
        let who = user.map_or_else(|| Who::Address(origin.browser), Who::User);
        self.0.admit_try(who).await?;
        let ways = self.ways(reader, place).await?;
        let key = match (&call.proof, &reader.caller) {
            (Proof::Nothing, _) if ways.keyless.is_some() => self.keyless_token(&ways.api),
            // Visitors call what is open to everybody, and nothing else.
            (_, None) => return Err(Error::SignInNeeded),
            // A call that must fail is not sent.
            (Proof::Nothing, Some(_)) => return Err(key_needed()),
            (Proof::Key(key), Some(_)) => key.clone(),
            (Proof::Subscription(id), Some(caller)) => self.token(caller, person(caller)?, *id).await?.secret,
        };
        let urls = self.0.urls();
        let path = ways.gateway_url.strip_prefix(&urls.gateway).unwrap_or("");
        let target = exchange::Target {
            public: &urls.gateway,
            local: origin.local_gateway,
            below: [path, &call.path].concat(),
        };
        Ok(exchange::send(&self.0.parts.fetcher, &target, &ways.operation.method, call, &key).await)
    }

    /// Says of a call without a key that it comes from here. Nobody else can:
    /// what a try counts as must not be a caller's choice.
    fn keyless_token(&self, api: &Api) -> SecretText {
        let expires_at = self.0.now().plus(LIFETIME);
        let signer = self.0.parts.master_key.console_signer();
        signer.sign_keyless(api.id, expires_at, self.0.parts.entropy.as_ref())
    }

    /// Seals what the browser of a reader keeps for them. `place` says whose it
    /// is and what for: it opens for nothing else.
    #[must_use]
    pub fn seal(&self, place: &str, plain: &[u8]) -> String {
        let parts = &self.0.parts;
        let place = ["try/", place].concat();
        parts.master_key.seal_text(&place, plain, parts.entropy.as_ref())
    }

    /// Opens what [`Console::seal`] made for the same place.
    #[must_use]
    pub fn open(&self, place: &str, sealed: &str) -> Option<Vec<u8>> {
        let place = ["try/", place].concat();
        self.0.parts.master_key.open_text(&place, sealed).ok()
    }

    async fn token(
        &self,
        caller: &Caller,
        user_id: UserId,
        subscription: SubscriptionId,
    ) -> Result<ConsoleToken> {
        let mut tx = self.0.read(caller).await?;
        let missing = || Error::missing("subscription");
        let found = tx.subscriptions().find(subscription).await?.ok_or_else(missing)?;
        let application = tx
            .applications()
            .find(found.application_id)
            .await?
            .ok_or_else(missing)?;
        let (read, wanted) = (Permission::ApplicationsRead, Permission::CredentialsWrite);
        caller.require_known(read, wanted, application.team_id, "subscription")?;
        let expires_at = self.0.now().plus(LIFETIME);
        let grant = ConsoleGrant {
            subscription_id: found.id,
            application_id: found.application_id,
            api_id: found.api_id,
            user_id,
            expires_at,
        };
        let signer = self.0.parts.master_key.console_signer();
        Ok(ConsoleToken {
            secret: signer.sign(&grant, self.0.parts.entropy.as_ref()),
            expires_at,
        })
    }
}

fn key_needed() -> Error {
    let rule = "must be given: no plan opens this version without one";
    Error::field("/key", Invalid::new("key_needed", rule))
}

fn person(caller: &Caller) -> Result<UserId> {
    caller.user_id.ok_or(Error::Forbidden {
        permission: Permission::CredentialsWrite,
    })
}

async fn operation(tx: &mut Tx, version: &ApiVersion, slug: &str) -> Result<Operation> {
    let missing = || Error::missing("operation");
    let revision = version.revision_id.ok_or_else(missing)?;
    let found = tx.revisions().operation_by_slug(revision, slug).await?;
    found.ok_or_else(missing)
}

/// As the gateway sees it: such a plan opens the version to everybody.
fn is_keyless(plan: &Plan, version: &ApiVersion) -> bool {
    plan.security == Security::Keyless
        && matches!(plan.state, PlanState::Published | PlanState::Deprecated)
        && plan.versions.includes(version.id)
}

/// The reader's live subscriptions that reach the version: those that work and
/// those that something stops.
async fn own(
    tx: &mut Tx,
    reader: &Reader,
    api: &Api,
    version: &ApiVersion,
    plans: &[Plan],
) -> Result<(Vec<Way>, Vec<Way>)> {
    let Some(caller) = &reader.caller else {
        return Ok((Vec::new(), Vec::new()));
    };
    let teams = teams_to_call_for(caller);
    let live = tx.subscriptions().held_by(teams.as_deref(), api.id).await?;
    let wanted = Wanted {
        applications: live.iter().map(|found| found.application_id).collect(),
        plans: live.iter().map(|found| found.plan_id).collect(),
        ..Wanted::default()
    };
    let names = tx.names().of(&wanted).await?;
    let ways = live.into_iter().filter_map(|subscription| {
        let plan = plans.iter().find(|plan| plan.id == subscription.plan_id)?;
        reaches(plan, version, &subscription).then_some(())?;
        Some(Way {
            application: names.applications.get(&subscription.application_id)?.clone(),
            plan: names.plans.get(&plan.id)?.clone(),
            subscription,
        })
    });
    Ok(ways.partition(|way| works(&way.subscription)))
}

/// The caller's own teams, as far as the caller makes keys for them.
fn own_teams(caller: &Caller) -> Vec<TeamId> {
    let may = |team: &TeamId| caller.rights.in_team(Permission::CredentialsWrite, *team);
    caller.rights.teams().into_iter().filter(may).collect()
}

/// The teams for which the caller makes keys: their own before all others of
/// the tenant. `None` for the whole tenant.
fn teams_to_call_for(caller: &Caller) -> Option<Vec<TeamId>> {
    let own = own_teams(caller);
    if own.is_empty() {
        caller.rights.teams_with(Permission::CredentialsWrite)
    } else {
        Some(own)
    }
}

fn reaches(plan: &Plan, version: &ApiVersion, subscription: &Subscription) -> bool {
    let since = version.deprecation.as_ref().map(|end| end.deprecated_at);
    plan.security == Security::ApiKey
        && grants(
            &plan.versions,
            version.id,
            version.state,
            since,
            subscription.created_at,
        )
}

const fn works(subscription: &Subscription) -> bool {
    use SubscriptionState as S;
    matches!(subscription.state, S::Active | S::Closing) && !subscription.paused
}
