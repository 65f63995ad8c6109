//! What a handler answers: a rendered template, or a way elsewhere.

use askama::Template;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use gatewright_webkit::entity_tag;
use gatewright_webkit::problem::Problem;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, LOCATION, RETRY_AFTER, VARY};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::form::FormState;
use crate::visit::Visit;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// The answer of a page.
#[derive(Debug)]
pub(crate) struct Page {
    response: Response,
    /// What it says, where all of it is at hand.
    content: Option<Bytes>,
}

impl Page {
    /// Renders a template.
    ///
    /// # Errors
    /// A fault of ours, when a template fails.
    pub(crate) fn html<T: Template>(template: &T) -> Result<Self, Problem> {
        let text = template
            .render()
            .map_err(|error| Problem::internal(format!("a template failed: {error}")))?;
        let mut page = Self::of(HTML, text.into());
        page.response
            .headers_mut()
            .insert(VARY, HeaderValue::from_static("HX-Request, Cookie"));
        Ok(page)
    }

    /// Renders a page with a form. A refused form is answered with its own status.
    ///
    /// # Errors
    /// A fault of ours, when a template fails.
    pub(crate) fn form<T: Template>(template: &T, form: &FormState) -> Result<Self, Problem> {
        Self::forms(template, &[form])
    }

    /// Renders a page with several forms, one of which may have been refused.
    /// Where one was sent too often, it says how long to wait.
    ///
    /// # Errors
    /// A fault of ours, when a template fails.
    pub(crate) fn forms<T: Template>(template: &T, forms: &[&FormState]) -> Result<Self, Problem> {
        let mut page = Self::html(template)?;
        if forms.iter().any(|form| !form.is_ok()) {
            // The summary stands above the fields, and names them as they name
            // themselves: that is known once they have been rendered.
            page = Self::html(template)?;
        }
        let statuses = forms.iter().map(|form| form.status());
        let page = page.status(statuses.max().unwrap_or_default());
        Ok(match forms.iter().filter_map(|form| form.wait()).max() {
            Some(wait) => page.header(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1))),
            None => page,
        })
    }

    /// The text twin of a page.
    pub(crate) fn text(media_type: &'static str, text: String) -> Self {
        let mut page = Self::of(HeaderValue::from_static(media_type), text.into());
        // Who is signed in decides what there is to read.
        page.response
            .headers_mut()
            .insert(VARY, HeaderValue::from_static("Cookie"));
        page
    }

    fn of(media_type: HeaderValue, content: Bytes) -> Self {
        let mut response = Response::new(Body::from(content.clone()));
        response.headers_mut().insert(CONTENT_TYPE, media_type);
        Self {
            response,
            content: Some(content),
        }
    }

    /// Anything that is no HTML: a download.
    pub(crate) fn bytes(media_type: &'static str, body: impl Into<Body>) -> Self {
        let mut response = Response::new(body.into());
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        Self::from(response)
    }

    /// Sends the browser elsewhere with a GET. The path is ours: it is escaped
    /// where user input stands in it.
    pub(crate) fn see_other(path: &str) -> Self {
        let mut response = StatusCode::SEE_OTHER.into_response();
        let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
        response.headers_mut().insert(LOCATION, location);
        Self::from(response)
    }

    /// With a tag by which a browser asks whether the page still says the same
    /// (RFC 9110, section 13.1.2). It is made of what the page says: the name
    /// of who is signed in, colours, language and what may be seen stand in it, so that no
    /// reader's tag fits the page of another one. Whole pages of people who are
    /// signed in are kept by nobody (`security.md` 3.20).
    pub(crate) fn revalidated(self, visit: &Visit) -> Self {
        let Some(content) = self
            .content
            .as_ref()
            .filter(|_| self.response.status().is_success())
        else {
            return self;
        };
        let tag = entity_tag::of_content(content);
        let is_html = self.response.headers().get(CONTENT_TYPE) == Some(&HTML);
        let personal = is_html && !visit.is_fragment() && visit.session().is_some();
        self.tagged(
            visit,
            tag,
            if personal { "no-store" } else { "private, no-cache" },
        )
    }

    /// With this tag; without what it says when the browser knows that already.
    pub(crate) fn tagged(mut self, visit: &Visit, tag: HeaderValue, caching: &'static str) -> Self {
        if visit.knows(&tag) {
            *self.response.status_mut() = StatusCode::NOT_MODIFIED;
            *self.response.body_mut() = Body::empty();
            self.response.headers_mut().remove(CONTENT_LENGTH);
        }
        self.header(ETAG, tag)
            .header(CACHE_CONTROL, HeaderValue::from_static(caching))
    }

    /// With another status.
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        *self.response.status_mut() = status;
        self
    }

    /// With a header more.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.response.headers_mut().append(name, value);
        self
    }
}

impl From<Response> for Page {
    fn from(response: Response) -> Self {
        Self {
            response,
            content: None,
        }
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        self.response
    }
}
