//! What the gateway's refusals mean to the one who called, and what to do next.

/// Where a call was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stop {
    /// The message itself.
    Message,
    /// No API, version or operation.
    Route,
    /// The key.
    Key,
    /// The subscription.
    Access,
    /// A limit.
    Limits,
    /// The server behind the API.
    Upstream,
}

/// Where the next step leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// To the documentation of the version.
    Documentation,
    /// To the keys of the application.
    Keys,
    /// To the subscription, or to the API where there is none.
    Access,
    /// To the figures.
    Usage,
    /// Nowhere.
    Nowhere,
}

/// A refusal in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) stop: Stop,
    /// What happened.
    pub(super) what: &'static str,
    /// What to do.
    pub(super) next: &'static str,
    pub(super) lead: Lead,
}

const fn refusal(stop: Stop, what: &'static str, next: &'static str, lead: Lead) -> Refusal {
    Refusal {
        stop,
        what,
        next,
        lead,
    }
}

/// The words for a code of the gateway.
pub(super) fn explain(code: &str) -> Refusal {
    match code {
        "no_route" | "no_operation" | "method_not_allowed" | "version_retired" | "version_blocked" => {
            route(code)
        }
        "key_missing" | "key_invalid" => key(code),
        "subscription_missing"
        | "subscription_pending"
        | "subscription_suspended"
        | "subscription_paused"
        | "subscription_expired"
        | "application_suspended" => access(code),
        "rate_limited" | "quota_exceeded" | "limit_unavailable" => limits(code),
        "upstream_unreachable" | "upstream_invalid" | "upstream_timeout" | "circuit_open" => upstream(code),
        _ => message(code),
    }
}

fn route(code: &str) -> Refusal {
    let stop = Stop::Route;
    match code {
        "no_operation" => refusal(
            stop,
            "The API has no operation at this path.",
            "Compare the path with the documentation, parameters included.",
            Lead::Documentation,
        ),
        "method_not_allowed" => refusal(
            stop,
            "The path exists, but not with this method.",
            "Use one of the methods that the documentation names.",
            Lead::Documentation,
        ),
        "version_retired" => refusal(
            stop,
            "This version has ended.",
            "Move to its successor.",
            Lead::Documentation,
        ),
        "version_blocked" => refusal(
            stop,
            "Its provider has stopped this version for the moment.",
            "Try again later; the provider's reason stands in the answer.",
            Lead::Documentation,
        ),
        _ => refusal(
            stop,
            "No API stands at this address.",
            "Check the base address and the version in it.",
            Lead::Documentation,
        ),
    }
}

fn key(code: &str) -> Refusal {
    if code == "key_missing" {
        return refusal(
            Stop::Key,
            "The call carried no key.",
            "Send the key in the header X-API-Key, or as Authorization: Bearer.",
            Lead::Keys,
        );
    }
    refusal(
        Stop::Key,
        "The key is unknown, expired, switched off or revoked.",
        "Compare its beginning with the list of keys; make a new one if it has ended.",
        Lead::Keys,
    )
}

fn access(code: &str) -> Refusal {
    let (what, next) = match code {
        "subscription_pending" => (
            "Access was asked for and is not decided yet.",
            "Wait for the decision; it appears on “My work”.",
        ),
        "subscription_suspended" => (
            "The provider has suspended the access of this application.",
            "Read the reason with the subscription and settle it with the provider.",
        ),
        "subscription_paused" => (
            "The subscription is paused by its own team.",
            "Let it go on when it should work again.",
        ),
        "subscription_expired" => ("The access has run out.", "Ask for access again."),
        "application_suspended" => (
            "The application is suspended, and with it all of its keys.",
            "Ask an owner of this tenant to activate it.",
        ),
        _ => (
            "The application has no access to this version.",
            "Get access under one of the plans that cover it.",
        ),
    };
    refusal(Stop::Access, what, next, Lead::Access)
}

fn limits(code: &str) -> Refusal {
    let (what, next) = match code {
        "rate_limited" => (
            "Calls came faster than the plan allows.",
            "Wait as long as Retry-After says, and spread calls out.",
        ),
        "quota_exceeded" => (
            "The quota of the plan is used up.",
            "Wait until it starts anew, or get access under a larger plan.",
        ),
        _ => (
            "Nobody could say what is left of a limit that must not be passed unmetered.",
            "Try again in a few seconds.",
        ),
    };
    refusal(Stop::Limits, what, next, Lead::Usage)
}

fn upstream(code: &str) -> Refusal {
    let (what, next) = match code {
        "upstream_timeout" => (
            "The server behind the API did not answer in time.",
            "Try again; if it happens again, tell the provider the request id.",
        ),
        "upstream_invalid" => (
            "The server behind the API sent something that is no answer.",
            "Tell the provider the request id.",
        ),
        "circuit_open" => (
            "The server behind the API failed often and is given a rest.",
            "Try again in some seconds.",
        ),
        _ => (
            "The server behind the API could not be reached.",
            "Try again; if it happens again, tell the provider the request id.",
        ),
    };
    refusal(Stop::Upstream, what, next, Lead::Nowhere)
}

fn message(code: &str) -> Refusal {
    let (what, next) = match code {
        "payload_too_large" => ("The body is larger than the gateway takes.", "Send less at once."),
        "uri_too_long" | "headers_too_large" => (
            "The address or the headers are longer than the gateway takes.",
            "Move what is long into the body.",
        ),
        "request_timeout" => (
            "The message took too long to arrive.",
            "Try again on a better line.",
        ),
        "overloaded" | "not_ready" => (
            "The gateway had more to do than it could, or was just starting.",
            "Try again in some seconds.",
        ),
        _ => (
            "The message breaks a rule of HTTP.",
            "The answer names the rule; check the client.",
        ),
    };
    refusal(Stop::Message, what, next, Lead::Nowhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_the_contract_is_explained_at_its_place() {
        for (code, stop) in [
            ("no_route", Stop::Route),
            ("version_retired", Stop::Route),
            ("key_invalid", Stop::Key),
            ("subscription_pending", Stop::Access),
            ("quota_exceeded", Stop::Limits),
            ("upstream_timeout", Stop::Upstream),
            ("bad_request", Stop::Message),
        ] {
            let words = explain(code);
            assert_eq!(words.stop, stop, "{code}");
            assert!(words.what.ends_with('.') && words.next.ends_with('.'), "{code}");
        }
    }
}
