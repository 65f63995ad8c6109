//! What a handler answers: a rendered template, or a way elsewhere.

use askama::Template;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use gatewright_webkit::problem::Problem;
use http::header::{CONTENT_TYPE, LOCATION, VARY};
use http::{HeaderName, HeaderValue, StatusCode};

use crate::form::FormState;

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// The answer of a page.
#[derive(Debug)]
pub(crate) struct Page(Response);

impl Page {
    /// Renders a template.
    ///
    /// # Errors
    /// A fault of ours, when a template fails.
    pub(crate) fn html<T: Template>(template: &T) -> Result<Self, Problem> {
        let text = template
            .render()
            .map_err(|error| Problem::internal(format!("a template failed: {error}")))?;
        let mut response = Response::new(Body::from(text));
        response.headers_mut().insert(CONTENT_TYPE, HTML);
        response
            .headers_mut()
            .insert(VARY, HeaderValue::from_static("HX-Request, Cookie"));
        Ok(Self(response))
    }

    /// Renders a page with a form. A refused form is answered with its own status.
    ///
    /// # Errors
    /// A fault of ours, when a template fails.
    pub(crate) fn form<T: Template>(template: &T, form: &FormState) -> Result<Self, Problem> {
        Ok(Self::html(template)?.status(form.status()))
    }

    /// Anything that is no HTML: a download, a text twin of a page.
    pub(crate) fn bytes(media_type: &'static str, body: impl Into<Body>) -> Self {
        let mut response = Response::new(body.into());
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        Self(response)
    }

    /// Sends the browser elsewhere with a GET. The path is ours: it is escaped
    /// where user input stands in it.
    pub(crate) fn see_other(path: &str) -> Self {
        let mut response = StatusCode::SEE_OTHER.into_response();
        let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/"));
        response.headers_mut().insert(LOCATION, location);
        Self(response)
    }

    /// With another status.
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        *self.0.status_mut() = status;
        self
    }

    /// With a header more.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().append(name, value);
        self
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        self.0
    }
}
