//! Who a caller is, and which plan lets it in. The order is that of governance,
//! section 4.4: form and checksum of the key (nothing is looked up for garbage),
//! the key, its state and time, the application, the subscription.

use std::sync::Arc;

use gatewright_model::console_token::{self, ConsoleGrant, ConsoleSigner};
use gatewright_model::consumer::{ApplicationState, SubscriptionState};
use gatewright_model::id::{ApiId, ApplicationId, CredentialId, PlanVersionId, SubscriptionId, TenantId};
use gatewright_model::plan::{Security, grants};
use gatewright_model::secret::{SecretHasher, SecretKind, recognise};
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::CallSource;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::compiled::{CompiledApi, CompiledPlan, CompiledVersion, Keyed, VersionRoute};
use crate::rejection::Rejection;
use crate::runtime::{CallerKeys, KeyLocation};
use crate::subjects::{ApplicationRecord, CredentialRecord, Subjects, SubscriptionRecord};

/// What a caller must have proof for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted {
    /// The tenant whose keys count.
    pub(crate) tenant: TenantId,
    /// The API that is called.
    pub(crate) api: ApiId,
}

/// The field that is ours alone.
pub(crate) const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What a caller presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Presented<'h> {
    /// Something that is meant to be a key.
    key: Option<&'h [u8]>,
    /// Something that looks like a token of the try-it console, whether or not keys are read here.
    token: Option<&'h [u8]>,
    /// Where keys stood.
    pub(crate) location: KeyLocation,
}

/// Who was let in, and how.
#[derive(Debug)]
pub(crate) enum Entry<'c> {
    /// Nobody in particular, under a plan that needs no key.
    Anonymous(&'c Arc<CompiledPlan>),
    /// An application under a subscription.
    Subscribed(Subscribed<'c>),
}

/// An application that holds a subscription.
#[derive(Debug)]
pub(crate) struct Subscribed<'c> {
    pub(crate) plan: &'c Arc<CompiledPlan>,
    pub(crate) pinned: PlanVersionId,
    pub(crate) subscription: SubscriptionRecord,
}

/// The caller as far as it was recognised.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    proof: Proof,
    pub(crate) application_id: ApplicationId,
    pub(crate) application: ApplicationRecord,
}

/// What a caller proved itself by.
#[derive(Debug, Clone, Copy)]
enum Proof {
    /// A key: any subscription of its application counts.
    Key(CredentialId),
    /// A console token: one subscription counts.
    Console(SubscriptionId),
}

impl Caller {
    /// The key; a console token is none.
    pub(crate) const fn credential_id(&self) -> Option<CredentialId> {
        match self.proof {
            Proof::Key(id) => Some(id),
            Proof::Console(_) => None,
        }
    }

    /// Where the call comes from.
    pub(crate) const fn source(&self) -> CallSource {
        match self.proof {
            Proof::Key(_) => CallSource::Client,
            Proof::Console(_) => CallSource::Console,
        }
    }

    /// Whether the subscription may let this caller in.
    fn may_use(&self, subscription: SubscriptionId) -> bool {
        match self.proof {
            Proof::Key(_) => true,
            Proof::Console(only) => only == subscription,
        }
    }
}

/// Finds the key. `X-API-Key` goes before `Authorization: Bearer`; a field that
/// is not read but holds one of our secrets is named all the same, so that none
/// of them reaches an upstream.
pub(crate) fn presented(headers: &HeaderMap, keyed: Keyed) -> Presented<'_> {
    let mut api_keys = headers.get_all(API_KEY).iter();
    let api_key = api_keys.next().map(HeaderValue::as_bytes);
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    let bearer = authorizations.next().and_then(|value| bearer(value.as_bytes()));
    // Two keys are none: who called must not depend on who reads first.
    let ambiguous = api_keys.next().is_some() || (api_key.is_none() && authorizations.next().is_some());
    let ours = |key: &Option<&[u8]>| key.is_some_and(is_ours);
    let (key, in_api_key, in_authorization) = match (keyed, api_key) {
        (Keyed::Only, Some(key)) => (Some(key), true, ours(&bearer)),
        (Keyed::Only, None) => (bearer, false, bearer.is_some()),
        (Keyed::Optional, _) => (
            api_key
                .filter(|key| is_ours(key))
                .or(bearer.filter(|key| is_ours(key))),
            ours(&api_key),
            ours(&bearer),
        ),
        (Keyed::No, _) => (None, ours(&api_key), ours(&bearer)),
    };
    Presented {
        key: if ambiguous {
            key.map(|_| b"".as_slice())
        } else {
            key
        },
        token: api_key.filter(|key| !ambiguous && key.starts_with(console_token::PREFIX.as_bytes())),
        location: match (in_api_key, in_authorization) {
            (false, false) => KeyLocation::Nowhere,
            (true, false) => KeyLocation::ApiKey,
            (false, true) => KeyLocation::Authorization,
            (true, true) => KeyLocation::Both,
        },
    }
}

/// The token of `Bearer token` (RFC 6750, section 2.1; the scheme in any case, RFC 9110, section 11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"Bearer ")
        .then(|| token.trim_ascii())
        .filter(|token| !token.is_empty())
}

/// Whether it looks like a secret that Gatewright makes, for whatever purpose.
pub(crate) fn is_ours(key: &[u8]) -> bool {
    let begins = |kind: SecretKind| key.starts_with(kind.prefix().as_bytes());
    key.starts_with(console_token::PREFIX.as_bytes()) || SecretKind::ALL.into_iter().any(begins)
}

impl Presented<'_> {
    /// Whether a call without a key is a try from the portal, which says so by a
    /// token of its own. Such a token is no key: it opens nothing.
    pub(crate) fn is_keyless_try(&self, keys: &CallerKeys, api: ApiId, now: Timestamp) -> bool {
        let token = self.token.and_then(|token| std::str::from_utf8(token).ok());
        token.is_some_and(|token| keys.console.verify_keyless(token, now) == Some(api))
    }

    /// The same call without its key.
    pub(crate) const fn without_key(self) -> Self {
        Self { key: None, ..self }
    }
}

/// Recognises the caller. `Ok(None)` when nothing was presented that has to be a key.
///
/// # Errors
/// One answer for every key that does not work, whatever the reason.
pub(crate) fn identify(
    subjects: &Subjects,
    keys: &CallerKeys,
    presented: Presented<'_>,
    wanted: Wanted,
    now: Timestamp,
) -> Result<Option<Caller>, Rejection> {
    let Some(key) = presented.key else {
        return Ok(None);
    };
    caller(subjects, keys, key, wanted, now)
        .map(Some)
        .ok_or(Rejection::KeyInvalid)
}

fn caller(
    subjects: &Subjects,
    keys: &CallerKeys,
    key: &[u8],
    wanted: Wanted,
    now: Timestamp,
) -> Option<Caller> {
    let text = std::str::from_utf8(key).ok()?;
    let (proof, application_id) = if text.starts_with(console_token::PREFIX) {
        let grant = grant(&keys.console, text, wanted.api, now)?;
        (Proof::Console(grant.subscription_id), grant.application_id)
    } else {
        let credential = credential(subjects, &keys.credentials, text, wanted.tenant, now)?;
        (Proof::Key(credential.id), credential.application_id)
    };
    let application = subjects.application(application_id)?;
    let usable = application.head.as_ref()?.state != ApplicationState::Archived;
    usable.then_some(Caller {
        proof,
        application_id,
        application,
    })
}

/// What a console token grants here. The API says of which tenant it is.
fn grant(signer: &ConsoleSigner, token: &str, api: ApiId, now: Timestamp) -> Option<ConsoleGrant> {
    signer.verify(token, now).filter(|grant| grant.api_id == api)
}

fn credential(
    subjects: &Subjects,
    hasher: &SecretHasher,
    text: &str,
    tenant: TenantId,
    now: Timestamp,
) -> Option<CredentialRecord> {
    match recognise(text).ok()? {
        SecretKind::LiveKey | SecretKind::TestKey => {}
        SecretKind::ManagementToken => return None,
    }
    subjects
        .credential(&hasher.hash(text))
        .filter(|credential| credential.tenant_id() == tenant && credential.works(now))
}

/// Finds the plan under which a caller comes in.
///
/// # Errors
/// When no plan lets it in; of several subscriptions the one speaks that is
/// nearest to working.
pub(crate) fn enter<'c>(
    api: &'c CompiledApi,
    route: &'c VersionRoute,
    caller: Option<&Caller>,
    now: Timestamp,
) -> Result<Entry<'c>, Rejection> {
    let refused = match caller.map(|caller| subscribed(api, &route.version, caller, now)) {
        Some(Ok(subscribed)) => return Ok(Entry::Subscribed(subscribed)),
        Some(Err(refused)) => refused,
        None => Rejection::KeyMissing,
    };
    // A keyless plan lets everybody in, so it also lets in whose key opens nothing.
    route.keyless.as_ref().map(Entry::Anonymous).ok_or(refused)
}

fn subscribed<'c>(
    api: &'c CompiledApi,
    version: &CompiledVersion,
    caller: &Caller,
    now: Timestamp,
) -> Result<Subscribed<'c>, Rejection> {
    let application = &caller.application;
    let suspended = application
        .head
        .as_ref()
        .is_none_or(|head| head.state != ApplicationState::Active);
    let mut best: Option<Subscribed<'c>> = None;
    let mut refused = Rejection::SubscriptionMissing;
    let usable = application.subscriptions.iter();
    for subscription in usable.filter(|subscription| caller.may_use(subscription.id)) {
        let Some(plan) = reaching(api, version, subscription) else {
            continue;
        };
        match verdict(subscription, now) {
            // The newest one that works: who moves up to a larger plan means that one.
            Ok(())
                if best
                    .as_ref()
                    .is_none_or(|best| is_newer(subscription, &best.subscription)) =>
            {
                best = Some(Subscribed {
                    plan,
                    pinned: subscription.plan_version_id(),
                    subscription: *subscription,
                });
            }
            Err(reason) if nearness(&reason) > nearness(&refused) => refused = reason,
            Ok(()) | Err(_) => {}
        }
    }
    match best {
        Some(_) if suspended => Err(Rejection::ApplicationSuspended),
        Some(best) => Ok(best),
        None => Err(refused),
    }
}

/// The plan of a subscription, when it reaches this version.
fn reaching<'c>(
    api: &'c CompiledApi,
    version: &CompiledVersion,
    subscription: &SubscriptionRecord,
) -> Option<&'c Arc<CompiledPlan>> {
    let plan = api.plan(subscription.plan_id())?;
    let granted = grants(
        &plan.coverage,
        version.id,
        version.state,
        version.deprecated_at,
        subscription.created_at,
    );
    (granted && plan.security == Security::ApiKey).then_some(plan)
}

fn is_newer(a: &SubscriptionRecord, b: &SubscriptionRecord) -> bool {
    (a.created_at, a.id) > (b.created_at, b.id)
}

/// Whether a subscription works. Time is asked here as well, because the worker
/// that moves states may be late.
fn verdict(subscription: &SubscriptionRecord, now: Timestamp) -> Result<(), Rejection> {
    use SubscriptionState as S;
    match subscription.state {
        S::Active if subscription.has_ended(now) => Err(Rejection::SubscriptionExpired),
        S::Closing if subscription.has_ended(now) => Err(Rejection::SubscriptionMissing),
        S::Active | S::Closing if subscription.paused => Err(Rejection::SubscriptionPaused),
        S::Active | S::Closing => Ok(()),
        S::Suspended => Err(Rejection::SubscriptionSuspended),
        S::Pending => Err(Rejection::SubscriptionPending),
        S::Expired => Err(Rejection::SubscriptionExpired),
        S::Closed | S::Rejected | S::Withdrawn => Err(Rejection::SubscriptionMissing),
    }
}

/// How near to working a refusal is: what one switch would mend goes first.
const fn nearness(rejection: &Rejection) -> u8 {
    match rejection {
        Rejection::SubscriptionPaused => 4,
        Rejection::SubscriptionSuspended => 3,
        Rejection::SubscriptionPending => 2,
        Rejection::SubscriptionExpired => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        fields.iter().map(pair).collect()
    }

    #[test]
    fn a_key_is_taken_from_either_field_and_from_one_only() {
        for (fields, key, location) in [
            (vec![("x-api-key", "a")], Some("a"), KeyLocation::ApiKey),
            (
                vec![("authorization", "bEARER  b ")],
                Some("b"),
                KeyLocation::Authorization,
            ),
            // A second credential is the upstream's, unless it is one of ours.
            (
                vec![("x-api-key", "a"), ("authorization", "Bearer jwt")],
                Some("a"),
                KeyLocation::ApiKey,
            ),
            (
                vec![("x-api-key", "a"), ("authorization", "Bearer gw_live_b")],
                Some("a"),
                KeyLocation::Both,
            ),
            (vec![("authorization", "Basic dTpw")], None, KeyLocation::Nowhere),
            (
                vec![("x-api-key", "a"), ("x-api-key", "b")],
                Some(""),
                KeyLocation::ApiKey,
            ),
            (vec![], None, KeyLocation::Nowhere),
        ] {
            let headers: HeaderMap = {
                let mut map = HeaderMap::new();
                for (name, value) in &fields {
                    map.append(*name, HeaderValue::from_str(value).unwrap());
                }
                map
            };
            let found = presented(&headers, Keyed::Only);
            assert_eq!(
                (found.key, found.location),
                (key.map(str::as_bytes), location),
                "{fields:?}"
            );
        }
    }

    #[test]
    fn under_a_keyless_plan_only_our_own_secrets_are_held_back() {
        let foreign = headers(&[("x-api-key", "theirs"), ("authorization", "Bearer jwt")]);
        for keyed in [Keyed::No, Keyed::Optional] {
            let found = presented(&foreign, keyed);
            assert_eq!((found.key, found.location), (None, KeyLocation::Nowhere));
        }
        let ours = headers(&[("x-api-key", "gw_live_x"), ("authorization", "Bearer gwm_y")]);
        let found = presented(&ours, Keyed::No);
        assert_eq!((found.key, found.location), (None, KeyLocation::Both));
        assert_eq!(
            presented(&ours, Keyed::Optional).key,
            Some(b"gw_live_x".as_slice())
        );
    }
}
