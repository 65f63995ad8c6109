//! What a person sees when a request is refused or fails: what happened, the
//! id to quote, and one next step. These pages need neither store nor session.

pub(crate) mod early;

use askama::Template;
use axum::response::{IntoResponse, Response};
use gatewright_webkit::problem::Problem;
use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::page::Page;
use crate::shell::Shell;
use crate::visit::Visit;

const HX_REDIRECT: HeaderName = HeaderName::from_static("hx-redirect");
/// A path in a query keeps its slashes readable.
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.');

#[derive(Template)]
#[template(path = "layout/failure.html")]
struct FailurePage<'a> {
    shell: Shell,
    status: u16,
    heading: &'static str,
    detail: &'a str,
    advice: &'static str,
    permission: Option<String>,
    request_id: Option<&'a str>,
    back: Option<&'a str>,
    successor: Option<Successor>,
    sign_in: bool,
}

/// What replaces a version that ended.
struct Successor {
    href: String,
    label: String,
}

#[derive(Template)]
#[template(path = "layout/failure_fragment.html")]
struct FailureFragment<'a> {
    heading: &'static str,
    detail: &'a str,
    request_id: Option<&'a str>,
}

/// The page for a refusal.
pub(crate) fn present(visit: &Visit, method: &Method, problem: &Problem) -> Response {
    if problem.status() == StatusCode::UNAUTHORIZED {
        return sign_in_first(visit, method);
    }
    let words = words(problem.status());
    let body = problem.to_json(None);
    let detail = detail_of(problem);
    if visit.is_fragment() {
        let fragment = FailureFragment {
            heading: words.0,
            detail: &detail,
            request_id: visit.request_id(),
        };
        return finish(Page::html(&fragment), problem);
    }
    let next = successor(visit, &body);
    let page = FailurePage {
        shell: visit.shell(words.0),
        status: problem.status().as_u16(),
        heading: words.0,
        detail: &detail,
        advice: if next.is_some() {
            "A newer version replaces it."
        } else {
            words.1
        },
        permission: body
            .get("permission")
            .and_then(serde_json::Value::as_str)
            .map(str::to_owned),
        request_id: visit.request_id(),
        back: visit.referer_path().filter(|_| method != Method::GET),
        successor: next,
        sign_in: visit.session().is_none(),
    };
    finish(Page::html(&page), problem)
}

/// Leads to the sign-in page and from there back.
pub(crate) fn sign_in_first(visit: &Visit, method: &Method) -> Response {
    let wanted = if *method == Method::GET && !visit.is_fragment() {
        match visit.query() {
            "" => visit.path().to_owned(),
            query => [visit.path(), "?", query].concat(),
        }
    } else {
        let path = visit.referer_path().unwrap_or("/");
        path.strip_prefix(visit.base()).unwrap_or(path).to_owned()
    };
    let wanted = utf8_percent_encode(&wanted, IN_QUERY).to_string();
    let target = [visit.base(), "/sign-in?return_to=", &wanted].concat();
    let target = HeaderValue::from_str(&target).unwrap_or(HeaderValue::from_static("/sign-in"));
    let (status, name) = if visit.is_fragment() {
        (StatusCode::OK, HX_REDIRECT)
    } else {
        (StatusCode::SEE_OTHER, LOCATION)
    };
    let mut response = status.into_response();
    response.headers_mut().insert(name, target);
    response
}

/// Tells the log what the visitor must not know.
pub(crate) fn log(visit: &Visit, problem: &Problem) {
    if let Some(cause) = problem.cause() {
        tracing::error!(
            { "request.id" } = visit.request_id().unwrap_or(""),
            { "http.path" } = visit.path(),
            error = cause,
            "a page failed on our side"
        );
    }
}

fn finish(page: Result<Page, Problem>, problem: &Problem) -> Response {
    match page {
        Ok(page) => {
            let mut response = page.status(problem.status()).into_response();
            let given = problem.clone().into_response();
            if let Some(value) = given.headers().get(RETRY_AFTER) {
                response.headers_mut().insert(RETRY_AFTER, value.clone());
            }
            response
        }
        Err(failed) => (failed.status(), "The page could not be shown.").into_response(),
    }
}

/// The detail of a problem as a sentence.
fn detail_of(problem: &Problem) -> String {
    let body = problem.to_json(None);
    let text = body
        .get("detail")
        .and_then(serde_json::Value::as_str)
        .unwrap_or("");
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.ends_with(['.', '?', ':']) { "" } else { "." };
    [&first, chars.as_str(), end].concat()
}

fn successor(visit: &Visit, body: &serde_json::Value) -> Option<Successor> {
    let next = body.get("successor")?;
    let api = next.get("api")?.as_str()?;
    let version = next.get("version")?.as_str()?;
    Some(Successor {
        href: format!("{}/apis/{api}/v/{version}/reference", visit.base()),
        label: format!("Use version {version}"),
    })
}

/// What happened, and what to do about it.
fn words(status: StatusCode) -> (&'static str, &'static str) {
    match status.as_u16() {
        400 => (
            "That request could not be read",
            "Go back and send the form again.",
        ),
        403 => (
            "You may not do this",
            "An owner of this tenant can give you a role that includes it.",
        ),
        404 => (
            "This page does not exist",
            "It may have been renamed or removed, or it is not open to you.",
        ),
        405 => ("That cannot be done here", "Open the page from the navigation."),
        409 | 412 => (
            "This is not possible right now",
            "Open the page again to see how things stand, then decide.",
        ),
        410 => ("This was retired", "Look for its successor in the catalogue."),
        413 => ("That is too large", "Send a smaller file or a smaller form."),
        415 | 422 => (
            "That input cannot be used",
            "Go back, correct it and send it again.",
        ),
        429 => ("That was too often", "Wait a moment, then try again."),
        503 => (
            "This is not available right now",
            "Try again in a few seconds; calls through the gateway go on.",
        ),
        _ => (
            "Something went wrong on our side",
            "Try again. If it happens again, tell an administrator the request id.",
        ),
    }
}
