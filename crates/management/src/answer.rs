//! What handlers answer with: the status, the headers and the body that the
//! conventions ask for, as types.

use axum::response::{IntoResponse, Response};
use gatewright_model::page::Page;
use gatewright_webkit::body::json_response;
use gatewright_webkit::entity_tag;
use gatewright_webkit::problem::Problem;
use http::header::{CONTENT_TYPE, ETAG, LOCATION};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use crate::schema::{ObjectShape, Presence, Schemas, Shape};

/// How an answer is described.
pub(crate) struct Described {
    pub(crate) status: StatusCode,
    pub(crate) about: &'static str,
    pub(crate) media_type: &'static str,
    pub(crate) schema: Option<RefOr<Schema>>,
    pub(crate) headers: &'static [(&'static str, &'static str)],
}

/// An answer of a handler that went well.
pub(crate) trait Answer: IntoResponse {
    /// What it looks like.
    fn describe(schemas: &mut Schemas) -> Described;
}

const JSON: &str = "application/json";
const ETAG_ABOUT: (&str, &str) = ("ETag", "The version of the object, for If-Match.");

fn json<T: Serialize>(status: StatusCode, body: &T) -> Response {
    match serde_json::to_vec(body) {
        Ok(text) => json_response(status, text),
        Err(error) => Problem::internal(error.to_string()).into_response(),
    }
}

fn tagged(mut response: Response, row_version: Option<i64>) -> Response {
    if let Some(row_version) = row_version {
        response.headers_mut().insert(ETAG, entity_tag::of(row_version));
    }
    response
}

/// 200 with an object.
pub(crate) struct Found<T> {
    body: T,
    row_version: Option<i64>,
}

impl<T> Found<T> {
    /// An object that nobody changes with a condition.
    pub(crate) const fn plain(body: T) -> Self {
        Self {
            body,
            row_version: None,
        }
    }

    /// An object with its version.
    pub(crate) const fn tagged(body: T, row_version: i64) -> Self {
        Self {
            body,
            row_version: Some(row_version),
        }
    }
}

impl<T: Serialize> IntoResponse for Found<T> {
    fn into_response(self) -> Response {
        tagged(json(StatusCode::OK, &self.body), self.row_version)
    }
}

impl<T: Serialize + Shape> Answer for Found<T> {
    fn describe(schemas: &mut Schemas) -> Described {
        let schema = Some(T::schema(schemas));
        let headers = &[ETAG_ABOUT];
        Described {
            status: StatusCode::OK,
            about: "The object.",
            media_type: JSON,
            schema,
            headers,
        }
    }
}

/// 201 with an object and its address.
pub(crate) struct Created<T> {
    location: String,
    found: Found<T>,
}

impl<T> Created<T> {
    /// An object that now stands at `collection/id`.
    pub(crate) fn at(collection: &str, id: impl std::fmt::Display, found: Found<T>) -> Self {
        Self {
            location: format!("{}/{collection}/{id}", crate::router::PREFIX),
            found,
        }
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = tagged(
            json(StatusCode::CREATED, &self.found.body),
            self.found.row_version,
        );
        // Ids and labels are ASCII without blanks, so they always make a header value.
        if let Ok(location) = HeaderValue::from_str(&self.location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

impl<T: Serialize + Shape> Answer for Created<T> {
    fn describe(schemas: &mut Schemas) -> Described {
        let schema = Some(T::schema(schemas));
        let headers = &[("Location", "The address of the new object."), ETAG_ABOUT];
        Described {
            status: StatusCode::CREATED,
            about: "The new object.",
            media_type: JSON,
            schema,
            headers,
        }
    }
}

/// 200 with a page of a list.
#[derive(Serialize)]
pub(crate) struct Listed<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl<T> Listed<T> {
    /// A page, each item rendered.
    pub(crate) fn page<U>(page: Page<U>, render: impl FnMut(U) -> T) -> Self {
        let next_cursor = page.next.map(|cursor| cursor.to_string());
        Self {
            items: page.items.into_iter().map(render).collect(),
            next_cursor,
        }
    }

    /// A list that fits one page.
    pub(crate) const fn whole(items: Vec<T>) -> Self {
        Self {
            items,
            next_cursor: None,
        }
    }
}

impl<T: Serialize> IntoResponse for Listed<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self)
    }
}

impl<T: Shape> Shape for Listed<T> {
    fn schema(schemas: &mut Schemas) -> RefOr<Schema> {
        ObjectShape::new(schemas, "A page of a list.")
            .member::<Vec<T>>("items", "The items.", Presence::Always)
            .member::<Option<String>>(
                "next_cursor",
                "Where the next page begins; null on the last.",
                Presence::Always,
            )
            .build()
    }
}

impl<T: Serialize + Shape> Answer for Listed<T> {
    fn describe(schemas: &mut Schemas) -> Described {
        let schema = Some(Self::schema(schemas));
        Described {
            status: StatusCode::OK,
            about: "A page of the list.",
            media_type: JSON,
            schema,
            headers: &[],
        }
    }
}

/// 204.
pub(crate) struct Deleted;

impl IntoResponse for Deleted {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl Answer for Deleted {
    fn describe(_: &mut Schemas) -> Described {
        let about = "It is gone.";
        Described {
            status: StatusCode::NO_CONTENT,
            about,
            media_type: JSON,
            schema: None,
            headers: &[],
        }
    }
}

/// 200 with bytes as they were given to us.
pub(crate) struct Raw {
    pub(crate) media_type: &'static str,
    pub(crate) bytes: Vec<u8>,
}

impl IntoResponse for Raw {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, self.media_type)], self.bytes).into_response()
    }
}

impl Answer for Raw {
    fn describe(_: &mut Schemas) -> Described {
        let about = "The bytes as they were imported; JSON or YAML, as the media type says.";
        Described {
            status: StatusCode::OK,
            about,
            media_type: "*/*",
            schema: None,
            headers: &[],
        }
    }
}
