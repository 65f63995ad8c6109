//! The page for a failure before tenant and visitor are known: the store is
//! away, or there is no such tenant. It is rendered from the request alone.

use std::sync::Arc;

use askama::Template;
use axum::extract::Request;
use axum::response::Response;
use gatewright_webkit::problem::Problem;
use gatewright_webkit::request_id::RequestId;
use http::uri::PathAndQuery;
use http::{Method, StatusCode};

use super::told::Told;
use super::{FailureFragment, finish};
use crate::assets::Assets;
use crate::cookies;
use crate::page::Page;
use crate::shell::Shell;
use crate::visit::{is_fragment, theme_of};

#[derive(Template)]
#[template(path = "layout/failure_early.html")]
struct EarlyPage<'a> {
    shell: Shell,
    status: u16,
    told: &'a Told,
    request_id: Option<&'a str>,
    next: Next<'a>,
}

/// The one step that a page like this can offer.
enum Next<'a> {
    /// The same address once more.
    Again(&'a str),
    /// What was sent may not be sent again unseen.
    Start,
}

/// What a request says about the one who sent it, without asking the store.
#[derive(Debug, Clone)]
pub(crate) struct Stranger {
    request_id: Option<String>,
    fragment: bool,
    theme: &'static str,
    address: Option<String>,
}

impl Stranger {
    /// Reads the head of a request.
    pub(crate) fn of(request: &Request) -> Self {
        let address = request.uri().path_and_query().map(PathAndQuery::as_str);
        Self {
            request_id: request
                .extensions()
                .get::<RequestId>()
                .map(|id| id.as_str().to_owned()),
            fragment: is_fragment(request.headers()),
            theme: theme_of(cookies::read(request.headers(), cookies::THEME).as_deref()),
            // Two slashes in front would lead to another host.
            address: address
                .filter(|address| request.method() == Method::GET && !address.starts_with("//"))
                .map(str::to_owned),
        }
    }
}

/// The page for a failure before the tenant is known.
pub(crate) fn without_visit(assets: &Arc<Assets>, stranger: &Stranger, problem: &Problem) -> Response {
    let told = Told::of(problem);
    let request_id = stranger.request_id.as_deref();
    if let Some(cause) = problem.cause() {
        tracing::error!(
            { "request.id" } = request_id.unwrap_or(""),
            error = cause,
            "a page failed on our side"
        );
    }
    if stranger.fragment {
        let fragment = FailureFragment {
            told: &told,
            request_id,
        };
        return finish(Page::html(&fragment), problem);
    }
    let again = stranger.address.as_deref().filter(|_| may_pass(problem.status()));
    let page = EarlyPage {
        shell: Shell::bare(Arc::clone(assets), told.heading.to_owned(), stranger.theme),
        status: problem.status().as_u16(),
        told: &told,
        request_id,
        next: again.map_or(Next::Start, Next::Again),
    };
    finish(Page::html(&page), problem)
}

/// Whether the same request may succeed later.
fn may_pass(status: StatusCode) -> bool {
    status.is_server_error()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;

    async fn answer(request: http::request::Builder) -> (Response, String) {
        let request = request.body(Body::empty()).unwrap();
        let response = crate::before_the_store().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        (Response::from_parts(head, Body::empty()), text)
    }

    #[tokio::test]
    async fn without_a_store_a_page_says_so_names_its_request_and_offers_the_address_again() {
        let (response, text) = answer(http::Request::get("/console/logs?q=a%26b")).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "5");
        let id = response.headers()["x-request-id"].to_str().unwrap();
        assert!(text.contains(&format!("<code>{id}</code>")), "{text}");
        assert!(
            text.contains(r#"href="/console/logs?q=a%26b">Try again"#),
            "{text}"
        );
        for dead in ["/sign-in", "name=\"q\""] {
            assert!(!text.contains(dead), "{dead} cannot work without a store");
        }
    }

    #[tokio::test]
    async fn what_was_sent_or_leads_elsewhere_is_not_offered_again() {
        for request in [
            http::Request::post("/sign-in"),
            http::Request::get("//elsewhere.example/"),
        ] {
            let (_, text) = answer(request).await;
            assert!(
                !text.contains("Try again</a>") && !text.contains("elsewhere"),
                "{text}"
            );
            assert!(text.contains(r#"href="/">To the first page"#), "{text}");
        }
    }

    #[tokio::test]
    async fn a_part_of_a_page_fails_as_a_part() {
        let (response, text) = answer(http::Request::get("/apis").header("hx-request", "true")).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            text.contains(r#"role="alert""#) && !text.contains("<html"),
            "{text}"
        );
    }
}
