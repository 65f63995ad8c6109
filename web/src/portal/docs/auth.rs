//! How to prove who is calling, and what a refusal means.

use askama::Template;
use axum::extract::State;
use gatewright_control::docs::Overview;
use gatewright_model::id::ApiId;
use gatewright_model::reference::{Ref, VersionRef};
use gatewright_openapi::docs::head::{ErrorAnswer, Scheme};
use gatewright_openapi::docs::samples::Call;
use gatewright_webkit::authorized::Public;
use gatewright_webkit::path::At;
use gatewright_webkit::problem::Problem;

use super::frame::{self, Frame, Tab};
use super::twin;
use crate::app::App;
use crate::markdown::SafeHtml;
use crate::page::Page;
use crate::portal::first_call::{self, KeyIn};
use crate::shell::Shell;
use crate::visit::Visit;

#[derive(Template)]
#[template(path = "portal/docs/auth.html")]
struct AuthPage {
    shell: Shell,
    frame: Frame,
    header: String,
    bearer: String,
    schemes: Vec<Scheme>,
}

#[derive(Template)]
#[template(path = "portal/docs/errors.html")]
struct ErrorsPage {
    shell: Shell,
    frame: Frame,
    refusals: &'static [Refusal],
    answers: Vec<ErrorAnswer>,
}

/// A refusal by the gateway (`product.md` 5).
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: &'static str,
    pub(super) meaning: &'static str,
    pub(super) advice: &'static str,
}

const fn refusal(status: u16, code: &'static str, meaning: &'static str, advice: &'static str) -> Refusal {
    Refusal {
        status,
        code,
        meaning,
        advice,
    }
}

const REFUSALS: &[Refusal] = &[
    refusal(
        401,
        "key_missing",
        "No key came with the call.",
        "Send it in the header X-API-Key.",
    ),
    refusal(
        401,
        "key_invalid",
        "The key is unknown, malformed, revoked, expired or disabled.",
        "Check for a typing error, or issue a new key.",
    ),
    refusal(
        403,
        "subscription_missing",
        "The key’s application has no subscription to this API.",
        "Get access, then call again with the same key.",
    ),
    refusal(
        403,
        "subscription_pending",
        "The subscription waits for approval.",
        "Wait for the decision; you can follow it under your subscriptions.",
    ),
    refusal(
        403,
        "subscription_suspended",
        "The subscription is suspended for now.",
        "Look at the reason on its page, or ask the owner.",
    ),
    refusal(
        403,
        "subscription_expired",
        "The subscription has ended.",
        "Ask for access again.",
    ),
    refusal(
        404,
        "no_route",
        "No API has this path.",
        "Copy the base URL from this page.",
    ),
    refusal(
        404,
        "no_operation",
        "The API has no operation with this path.",
        "Compare the path with the reference.",
    ),
    refusal(
        405,
        "method_not_allowed",
        "The path is there, the method is not.",
        "The header Allow names the methods there are.",
    ),
    refusal(
        410,
        "version_retired",
        "This version has ended.",
        "Move to the successor that the answer names.",
    ),
    refusal(
        413,
        "body_too_large",
        "The request is larger than the gateway takes.",
        "Send less at once.",
    ),
    refusal(
        429,
        "rate_limited",
        "Too many calls in a short time.",
        "Wait as long as Retry-After says.",
    ),
    refusal(
        429,
        "quota_exceeded",
        "The quota of the plan is used up.",
        "Wait for the reset that the answer names, or choose a larger plan.",
    ),
    refusal(
        502,
        "upstream_unreachable",
        "The server behind the gateway cannot be reached.",
        "Try again; if it goes on, tell the owner the request id.",
    ),
    refusal(
        502,
        "upstream_invalid",
        "The server behind the gateway sent something that is not HTTP.",
        "Tell the owner the request id.",
    ),
    refusal(
        503,
        "version_blocked",
        "The owner has stopped this version for now.",
        "Read the reason in the answer.",
    ),
    refusal(
        503,
        "overloaded",
        "The gateway has too much to do.",
        "Wait as long as Retry-After says.",
    ),
    refusal(
        503,
        "circuit_open",
        "The server behind the gateway failed too often and is being rested.",
        "Wait as long as Retry-After says.",
    ),
    refusal(
        504,
        "upstream_timeout",
        "The server behind the gateway took too long.",
        "Try again later; the call may have had an effect.",
    ),
];

pub(super) async fn auth(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let docs = app.control.docs();
    let overview = docs.overview(&visit.reader(), &api, &version).await?;
    let call = docs.simplest_call(&visit.reader(), &api, &version).await?;
    let [header, bearer] = lines(&overview, call.as_ref());
    let page = Page::html(&AuthPage {
        shell: frame::shell(&visit, &overview.place, "Authentication", "/auth.md"),
        frame: Frame::new(&visit, &overview.place, Tab::Auth, "/auth"),
        header,
        bearer,
        schemes: overview.docs.head.schemes.clone(),
    });
    Ok(page?.revalidated(&visit))
}

pub(super) async fn auth_twin(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let docs = app.control.docs();
    let overview = docs.overview(&visit.reader(), &api, &version).await?;
    let call = docs.simplest_call(&visit.reader(), &api, &version).await?;
    Ok(twin::answer(
        &visit,
        twin::auth(&overview, &lines(&overview, call.as_ref())),
    ))
}

pub(super) async fn errors(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let docs = app.control.docs();
    let overview = docs.overview(&visit.reader(), &api, &version).await?;
    let page = Page::html(&ErrorsPage {
        shell: frame::shell(&visit, &overview.place, "Errors", "/errors.md"),
        frame: Frame::new(&visit, &overview.place, Tab::Errors, "/errors"),
        refusals: REFUSALS,
        answers: overview.docs.head.errors.clone(),
    });
    Ok(page?.revalidated(&visit))
}

pub(super) async fn errors_twin(
    _: Public,
    visit: Visit,
    State(app): State<App>,
    At((api, version)): At<(Ref<ApiId>, VersionRef)>,
) -> Result<Page, Problem> {
    let docs = app.control.docs();
    let overview = docs.overview(&visit.reader(), &api, &version).await?;
    Ok(twin::answer(&visit, twin::errors(&overview, REFUSALS)))
}

/// Calls that send a key in either way.
fn lines(overview: &Overview, call: Option<&Call>) -> [String; 2] {
    [KeyIn::Header, KeyIn::Bearer].map(|key| first_call::curl(call, &overview.place.base_url, key))
}

impl AuthPage {
    fn prose(&self, text: &Option<String>) -> SafeHtml {
        text.as_deref()
            .map(|text| SafeHtml::below(text, 3))
            .unwrap_or_default()
    }
}

impl ErrorsPage {
    fn prose(&self, text: &str) -> SafeHtml {
        SafeHtml::below(text, 3)
    }
}
