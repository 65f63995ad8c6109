//! Query parameters: read one by one into their types, all faults told at
//! once, unknown and repeated names refused.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use gatewright_model::invalid::{FieldErrors, Invalid};
use gatewright_model::page::{Cursor, PageRequest, PageSize};
use http::request::Parts;

use crate::problem::Problem;

/// The code of a problem with the query. Its `errors` name the parameters: `/limit`.
pub const INVALID_QUERY: &str = "invalid_query";

/// Reads the parameters of one query.
#[derive(Debug)]
pub struct QueryReader<'q> {
    pairs: Vec<(Cow<'q, str>, Cow<'q, str>)>,
    errors: FieldErrors,
}

impl<'q> QueryReader<'q> {
    /// Takes the query of an address, without its question mark.
    #[must_use]
    pub fn new(query: &'q str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes()).collect();
        Self {
            pairs,
            errors: FieldErrors::default(),
        }
    }

    /// Reads one parameter; an empty one counts as absent.
    pub fn take<T>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, Invalid>) -> Option<T> {
        self.take_given(name, |text| {
            if text.is_empty() {
                Ok(None)
            } else {
                read(text).map(Some)
            }
        })
        .flatten()
    }

    /// Reads one parameter, empty or not.
    pub fn take_given<T>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, Invalid>) -> Option<T> {
        let (values, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.pairs)
            .into_iter()
            .partition(|(key, _)| key == name);
        self.pairs = rest;
        let pointer = pointer(name);
        if values.len() > 1 {
            self.errors.add(
                &pointer,
                Invalid::new("repeated_parameter", "must be given at most once"),
            );
        }
        let (_, text) = values.first()?;
        self.errors.take(&pointer, read(text))
    }

    /// Reads `limit` and `cursor`.
    pub fn page(&mut self) -> PageRequest {
        let size = self.take("limit", |text| {
            text.parse().map_or_else(|_| PageSize::new(0), PageSize::new)
        });
        let after = self.take("cursor", str::parse::<Cursor>);
        PageRequest {
            size: size.unwrap_or(PageSize::DEFAULT),
            after,
        }
    }

    /// Refuses what was wrong and what nobody asked for.
    ///
    /// # Errors
    /// 422 `invalid_query`.
    pub fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in &self.pairs {
            self.errors.add(
                &pointer(name),
                Invalid::new("unknown_parameter", "is not a parameter of this address"),
            );
        }
        if self.errors.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(INVALID_QUERY, &self.errors))
        }
    }
}

fn pointer(name: &str) -> String {
    let mut pointer = String::from("/");
    pointer.push_str(&name.replace('~', "~0").replace('/', "~1"));
    pointer
}

/// Parameters of a query, read into fields.
pub trait FromQuery: Sized + Send {
    /// Takes its parameters; faults are kept by the reader.
    fn read(query: &mut QueryReader<'_>) -> Self;
}

/// No parameters of its own.
#[derive(Debug, Clone, Copy)]
pub struct NoFilter;

impl FromQuery for NoFilter {
    fn read(_: &mut QueryReader<'_>) -> Self {
        Self
    }
}

/// The parameters of an address that is no list.
#[derive(Debug, Clone, Copy)]
pub struct Query<F>(pub F);

impl<S: Send + Sync, F: FromQuery> FromRequestParts<S> for Query<F> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut query = QueryReader::new(parts.uri.query().unwrap_or(""));
        let fields = F::read(&mut query);
        query.finish()?;
        Ok(Self(fields))
    }
}

/// Which page of a list is wanted, and its filters.
#[derive(Debug, Clone, Copy)]
pub struct Listing<F> {
    /// The filters.
    pub filter: F,
    /// The page.
    pub page: PageRequest,
}

impl<S: Send + Sync, F: FromQuery> FromRequestParts<S> for Listing<F> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut query = QueryReader::new(parts.uri.query().unwrap_or(""));
        let page = query.page();
        let filter = F::read(&mut query);
        query.finish()?;
        Ok(Self { filter, page })
    }
}

#[cfg(test)]
mod tests {
    use gatewright_model::api::VersionState;

    use super::*;

    #[test]
    fn every_fault_is_told_at_once() {
        let mut query = QueryReader::new("limit=500&cursor=abc&state=gone&state=draft&colour=blue");
        let page = query.page();
        let state = query.take("state", str::parse::<VersionState>);
        assert_eq!((page, state), (PageRequest::default(), None));
        let body = query.finish().unwrap_err().to_json(None);
        let told: Vec<_> = body["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| (&error["pointer"], &error["code"]))
            .collect();
        let told = serde_json::to_value(told).unwrap();
        assert_eq!(
            told,
            serde_json::json!([
                ["/limit", "invalid_limit"],
                ["/cursor", "invalid_cursor"],
                ["/state", "repeated_parameter"],
                ["/state", "unknown_word"],
                ["/colour", "unknown_parameter"]
            ])
        );
    }

    #[test]
    fn a_good_query_is_read_and_empty_values_are_absent() {
        let mut query = QueryReader::new("limit=7&q=a%20b&state=");
        assert_eq!(query.page().size.get(), 7);
        assert_eq!(
            query.take("q", |text| Ok(text.to_owned())).as_deref(),
            Some("a b")
        );
        assert_eq!(query.take("state", str::parse::<VersionState>), None);
        assert!(query.finish().is_ok());
    }
}
