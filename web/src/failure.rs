//! What a person sees when a request is refused or fails: what happened, the
//! id to quote, and one next step. These pages need neither store nor session.

pub(crate) mod early;
mod told;

use askama::Template;
use axum::response::{IntoResponse, Response};
use gatewright_webkit::problem::Problem;
use http::header::{LOCATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::failure::told::Told;
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
    told: &'a Told,
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
    told: &'a Told,
    request_id: Option<&'a str>,
}

/// The page for a refusal.
pub(crate) fn present(visit: &Visit, method: &Method, problem: &Problem) -> Response {
    if problem.status() == StatusCode::UNAUTHORIZED {
        return sign_in_first(visit, method);
    }
    let mut told = Told::of(problem);
    if visit.is_fragment() {
        let fragment = FailureFragment {
            told: &told,
            request_id: visit.request_id(),
        };
        return finish(Page::html(&fragment), problem);
    }
    let next = successor(visit, &problem.to_json(None));
    if next.is_some() {
        told.advice = "A newer version replaces it.";
    }
    let page = FailurePage {
        shell: visit.shell(told.heading),
        status: problem.status().as_u16(),
        told: &told,
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

fn successor(visit: &Visit, body: &serde_json::Value) -> Option<Successor> {
    let next = body.get("successor")?;
    let api = next.get("api")?.as_str()?;
    let version = next.get("version")?.as_str()?;
    Some(Successor {
        href: format!("{}/apis/{api}/v/{version}/reference", visit.base()),
        label: format!("Use version {version}"),
    })
}
