//! One call in words: which steps it passed, where it ended and why, and what
//! to do about it.

use gatewright_control::calls::StoredCall;
use gatewright_control::names::{Names, Wanted};

use crate::next_step::NextStep;

/// What became of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Passed.
    Passed,
    /// The call ended here.
    Ended,
    /// Never reached.
    Skipped,
}

impl Verdict {
    /// The tone of its mark.
    pub(crate) const fn tone(self) -> &'static str {
        match self {
            Self::Passed => "ok",
            Self::Ended => "danger",
            Self::Skipped => "muted",
        }
    }

    /// Its icon.
    pub(crate) const fn icon(self) -> &'static str {
        match self {
            Self::Passed => "circle-check",
            Self::Ended => "circle-x",
            Self::Skipped => "circle-minus",
        }
    }

    /// In words, for those who see no colours.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Ended => "ended here",
            Self::Skipped => "not reached",
        }
    }
}

/// One step of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// What was done.
    pub(crate) title: &'static str,
    /// With which result.
    pub(crate) text: String,
    /// What became of it.
    pub(crate) verdict: Verdict,
}

/// Why a call was refused, and the next step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Advice {
    /// What happened.
    pub(crate) what: &'static str,
    /// What to do.
    pub(crate) next: &'static str,
    /// Where that is done, if it is done here.
    pub(crate) step: Option<NextStep>,
}

/// The steps of a call, in the order in which the gateway takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Route,
    Authenticate,
    Authorize,
    Limit,
    Upstream,
    Answer,
}

/// A refusal: its code, where it happens, what it means, what to do, and where.
type Refusal = (&'static str, Stage, &'static str, &'static str, Option<NextStep>);

/// Every refusal of the gateway.
const REFUSALS: &[Refusal] = &[
    (
        "no_route",
        Stage::Route,
        "No API stands at this address.",
        "Compare the address with the base URL on the API's page.",
        Some(NextStep::Api),
    ),
    (
        "bad_request",
        Stage::Route,
        "The request is not well-formed HTTP.",
        "Look at what the client sends; the detail of the answer names the fault.",
        None,
    ),
    (
        "uri_too_long",
        Stage::Route,
        "The address is too long.",
        "Send long values in the body.",
        None,
    ),
    (
        "headers_too_large",
        Stage::Route,
        "The headers are too large or too many.",
        "Send fewer headers and cookies.",
        None,
    ),
    (
        "expectation_failed",
        Stage::Route,
        "The Expect header asks for something that the gateway does not do.",
        "Leave the header out, or send 100-continue.",
        None,
    ),
    (
        "request_timeout",
        Stage::Route,
        "The request did not arrive in time.",
        "Send it faster, or in smaller pieces.",
        None,
    ),
    (
        "not_ready",
        Stage::Route,
        "The gateway had no configuration yet.",
        "Try again in a moment.",
        None,
    ),
    (
        "version_unavailable",
        Stage::Route,
        "This version cannot be served as it is configured.",
        "Tell the owner of the API.",
        None,
    ),
    (
        "no_operation",
        Stage::Route,
        "The API has no operation with this path.",
        "Look the path up in the reference; mind the version in front of it.",
        Some(NextStep::Reference),
    ),
    (
        "method_not_allowed",
        Stage::Route,
        "The path exists, but not with this method.",
        "Use one of the methods that the Allow header names.",
        Some(NextStep::Reference),
    ),
    (
        "key_missing",
        Stage::Authenticate,
        "No key came with the call.",
        "Send the key in the X-API-Key header, or as Authorization: Bearer.",
        Some(NextStep::Access),
    ),
    (
        "key_invalid",
        Stage::Authenticate,
        "The key is unknown, malformed, revoked, expired or disabled.",
        "Check that the whole key is sent, and its state on the application's page.",
        Some(NextStep::Keys),
    ),
    (
        "subscription_missing",
        Stage::Authorize,
        "The application has no subscription to this API.",
        "Request access on the API's page.",
        Some(NextStep::Access),
    ),
    (
        "subscription_pending",
        Stage::Authorize,
        "The subscription waits for a decision.",
        "Wait for the approver, or ask the owner of the API.",
        Some(NextStep::Subscription),
    ),
    (
        "subscription_paused",
        Stage::Authorize,
        "The application's owners switched the subscription off.",
        "Switch it on again on the subscription's page.",
        Some(NextStep::Subscription),
    ),
    (
        "subscription_suspended",
        Stage::Authorize,
        "The subscription is suspended.",
        "The reason stands on the subscription's page.",
        Some(NextStep::Subscription),
    ),
    (
        "subscription_expired",
        Stage::Authorize,
        "The subscription has ended.",
        "Request access anew.",
        Some(NextStep::Access),
    ),
    (
        "version_retired",
        Stage::Authorize,
        "This version was retired.",
        "Move to its successor.",
        Some(NextStep::Api),
    ),
    (
        "version_blocked",
        Stage::Authorize,
        "The publisher blocked this version for now.",
        "The reason stands on the API's page; try again later.",
        Some(NextStep::Api),
    ),
    (
        "rate_limited",
        Stage::Limit,
        "More calls came at once than the plan's rate allows.",
        "Wait as long as Retry-After says, and spread the calls.",
        Some(NextStep::Limits),
    ),
    (
        "quota_exceeded",
        Stage::Limit,
        "The plan's quota of this period is used up.",
        "Wait for the next period, or choose a larger plan.",
        Some(NextStep::Limits),
    ),
    (
        "overloaded",
        Stage::Limit,
        "The gateway had too much to do.",
        "Try again in a moment.",
        None,
    ),
    (
        "limit_unavailable",
        Stage::Limit,
        "The limit could not be counted, and its plan says to refuse then.",
        "Try again in a moment.",
        None,
    ),
    (
        "payload_too_large",
        Stage::Limit,
        "The body is larger than the gateway lets through.",
        "Send less at once.",
        None,
    ),
    (
        "upstream_unreachable",
        Stage::Upstream,
        "The service behind the API could not be reached.",
        "Try again; tell the owner if it goes on.",
        None,
    ),
    (
        "upstream_invalid",
        Stage::Upstream,
        "The service behind the API gave an answer that is no HTTP.",
        "Tell the owner of the API.",
        None,
    ),
    (
        "upstream_timeout",
        Stage::Upstream,
        "The service behind the API did not answer in time.",
        "Try again; ask for less at once if that is possible.",
        None,
    ),
    (
        "circuit_open",
        Stage::Upstream,
        "The service behind the API failed too often and is left alone for a moment.",
        "Try again in a moment.",
        None,
    ),
];

/// Everything that can be said about a call without looking at its body.
#[derive(Debug, Clone)]
pub(crate) struct Explained {
    /// The steps, in order.
    pub(crate) steps: Vec<Step>,
    /// Why it was refused.
    pub(crate) advice: Option<Advice>,
}

/// The names that [`explain`] uses.
pub(crate) fn wanted(call: &StoredCall) -> Wanted {
    Wanted {
        apis: call.api_id.into_iter().collect(),
        versions: call.version_id.into_iter().collect(),
        plans: call.plan_id.into_iter().collect(),
        applications: call.application_id.into_iter().collect(),
        credentials: call.credential_id.into_iter().collect(),
        ..Wanted::default()
    }
}

/// Tells the story of a call.
pub(crate) fn explain(call: &StoredCall, names: &Names) -> Explained {
    let refusal = call.refusal.as_deref();
    let known = REFUSALS.iter().find(|(code, ..)| Some(*code) == refusal);
    let ended = match (known, refusal) {
        (Some((_, stage, ..)), _) => *stage,
        // A refusal that this list does not know ended the call before the upstream.
        (None, Some(_)) => Stage::Limit,
        (None, None) => Stage::Answer,
    };
    let step = |stage: Stage, title, passed: String| {
        let (verdict, text) = match stage.cmp(&ended) {
            std::cmp::Ordering::Less => (Verdict::Passed, passed),
            std::cmp::Ordering::Equal if refusal.is_none() => (Verdict::Passed, passed),
            std::cmp::Ordering::Equal => (
                Verdict::Ended,
                known.map_or_else(
                    || refusal.unwrap_or("").to_owned(),
                    |(_, _, what, ..)| (*what).to_owned(),
                ),
            ),
            std::cmp::Ordering::Greater => (Verdict::Skipped, String::new()),
        };
        Step { title, text, verdict }
    };
    let steps = vec![
        step(Stage::Route, "Find the operation", route(call, names)),
        step(Stage::Authenticate, "Check the key", key(call, names)),
        step(Stage::Authorize, "Check the subscription", plan(call, names)),
        step(
            Stage::Limit,
            "Count against the limits",
            "Within every limit.".to_owned(),
        ),
        step(Stage::Upstream, "Call the service behind the API", upstream(call)),
        step(Stage::Answer, "Answer", answer(call)),
    ];
    Explained {
        steps,
        advice: known.map(advised),
    }
}

fn route(call: &StoredCall, names: &Names) -> String {
    let api = call.api_id.and_then(|id| names.apis.get(&id));
    let version = call.version_id.and_then(|id| names.versions.get(&id));
    match (api, version, &call.operation) {
        (Some(api), Some(version), Some(operation)) => format!("{operation} of {} {version}.", api.name),
        (Some(api), Some(version), None) => format!("{} {version}.", api.name),
        (Some(api), None, _) => format!("{}.", api.name),
        _ => "An API that is gone by now.".to_owned(),
    }
}

fn key(call: &StoredCall, names: &Names) -> String {
    let application = call.application_id.and_then(|id| names.applications.get(&id));
    let prefix = call.credential_id.and_then(|id| names.credentials.get(&id));
    match (application, prefix) {
        (Some(application), Some(prefix)) => format!("{prefix}… of {}.", application.name),
        (Some(application), None) => format!("{}, from the console.", application.name),
        (None, _) => "No key is asked for.".to_owned(),
    }
}

fn plan(call: &StoredCall, names: &Names) -> String {
    call.plan_id
        .and_then(|id| names.plans.get(&id))
        .map_or_else(String::new, |plan| format!("Plan {}.", plan.name))
}

fn upstream(call: &StoredCall) -> String {
    let time = crate::filters::duration(milliseconds(call.upstream_us));
    match &call.target {
        Some(target) => format!("{target} took {time}."),
        None => "Nothing had to be called.".to_owned(),
    }
}

fn answer(call: &StoredCall) -> String {
    let size = crate::filters::with_unit(u32::try_from(call.bytes_out).map_or(f64::MAX, f64::from));
    let time = crate::filters::duration(milliseconds(call.duration_us));
    let whole = if call.complete {
        ""
    } else {
        " It broke off before its end."
    };
    format!("Status {}, {size}, {time} in all.{whole}", call.status)
}

/// Microseconds as milliseconds; more than an hour is cut.
fn milliseconds(us: u64) -> f64 {
    f64::from(u32::try_from(us).unwrap_or(u32::MAX)) / 1000.0
}

/// What a refusal means and what to do, by its code.
pub(crate) fn advice(code: &str) -> Option<Advice> {
    REFUSALS.iter().find(|(known, ..)| *known == code).map(advised)
}

const fn advised((_, _, what, next, step): &Refusal) -> Advice {
    Advice {
        what,
        next,
        step: *step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The codes that the gateway refuses with, read from its one list.
    fn codes_of_the_gateway() -> Vec<&'static str> {
        const SOURCE: &str = include_str!("../../crates/gateway/src/rejection.rs");
        let code = |line: &'static str| {
            let text = line.trim().strip_prefix('"')?.strip_suffix("\",")?;
            let is_code = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            (is_code && text.contains('_')).then_some(text)
        };
        SOURCE.lines().filter_map(code).collect()
    }

    #[test]
    fn every_refusal_of_the_gateway_is_explained() {
        let codes = codes_of_the_gateway();
        assert!(codes.len() >= 20, "{codes:?}");
        for code in codes {
            let advice = advice(code).unwrap_or_else(|| panic!("{code} is not explained"));
            // Who has asked, or was let in once, does not ask for access again.
            let held = [
                "subscription_pending",
                "subscription_paused",
                "subscription_suspended",
            ];
            assert_eq!(
                advice.step == Some(NextStep::Subscription),
                held.contains(&code),
                "{code}"
            );
        }
    }
}
