//! Who calls: the first argument of every handler.

use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::{FromRef, FromRequestParts};
use gatewright_control::{Caller, Control, Error};
use gatewright_model::audit::AuditSource;
use gatewright_model::text::Slug;
use http::StatusCode;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::permit::Demand;
use crate::problem::Problem;
use crate::request_id::RequestId;

/// The header by which a platform token chooses a tenant.
pub const TENANT_HEADER: &str = "gatewright-tenant";

/// A caller who holds what `D` demands.
#[derive(Debug)]
pub struct Authorized<D> {
    caller: Caller,
    demand: PhantomData<fn() -> D>,
}

impl<D> Deref for Authorized<D> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl<S, D> FromRequestParts<S> for Authorized<D>
where
    S: Send + Sync,
    D: Demand,
    Control: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = caller_of(parts, &Control::from_ref(state)).await?;
        require_any(&caller, D::ANY_OF)?;
        Ok(Self {
            caller,
            demand: PhantomData,
        })
    }
}

/// A caller of whom nothing but a valid token is asked.
#[derive(Debug)]
pub struct SignedIn(pub Caller);

impl<S> FromRequestParts<S> for SignedIn
where
    S: Send + Sync,
    Control: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        caller_of(parts, &Control::from_ref(state)).await.map(Self)
    }
}

/// Says that a route is open to everybody.
#[derive(Debug, Clone, Copy)]
pub struct Public;

impl<S: Send + Sync> FromRequestParts<S> for Public {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self)
    }
}

/// Refuses a caller who holds none of these anywhere.
pub(crate) fn require_any(
    caller: &Caller,
    any_of: &[gatewright_model::permission::Permission],
) -> Result<(), Problem> {
    if any_of
        .iter()
        .any(|permission| caller.rights.anywhere(*permission))
    {
        return Ok(());
    }
    match any_of.first() {
        Some(permission) => Err(Error::Forbidden {
            permission: *permission,
        }
        .into()),
        None => Ok(()),
    }
}

/// Authenticates once a request: what runs before the handler leaves the
/// caller in the request's extensions.
pub(crate) async fn caller_of(parts: &mut Parts, control: &Control) -> Result<Caller, Problem> {
    if let Some(caller) = parts.extensions.get::<Caller>() {
        return Ok(caller.clone());
    }
    let token = bearer(parts)?;
    let tenant = chosen_tenant(parts)?;
    let request_id = parts
        .extensions
        .get::<RequestId>()
        .map(|id| id.as_str().to_owned());
    let authenticated = control
        .tokens()
        .authenticate(token, tenant.as_ref(), AuditSource::Api, request_id)
        .await;
    let caller = authenticated.map_err(|error| match error {
        Error::NotFound { kind: "token" } => Problem::unauthenticated(
            "token_invalid",
            "the token is unknown, malformed, expired or revoked",
        ),
        other => other.into(),
    })?;
    parts.extensions.insert(caller.clone());
    Ok(caller)
}

fn bearer(parts: &Parts) -> Result<&str, Problem> {
    let missing = || {
        Problem::unauthenticated(
            "token_missing",
            "send a management token: Authorization: Bearer gwm_…",
        )
    };
    let value = parts.headers.get(AUTHORIZATION).ok_or_else(missing)?;
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(token.trim())
    } else {
        Err(missing())
    }
}

fn chosen_tenant(parts: &Parts) -> Result<Option<Slug>, Problem> {
    let mut values = parts.headers.get_all(TENANT_HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        let detail = "the header Gatewright-Tenant must be given at most once";
        return Err(Problem::new(StatusCode::BAD_REQUEST, "repeated_header", detail));
    }
    let slug = value.to_str().ok().and_then(|text| Slug::parse(text).ok());
    slug.map(Some).ok_or_else(|| Problem::not_found("tenant"))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        assert_eq!(
            bearer(&parts(&[("authorization", "bearer gwm_x")])).unwrap(),
            "gwm_x"
        );
        for headers in [
            &[][..],
            &[("authorization", "Basic abc")],
            &[("authorization", "gwm_x")],
        ] {
            assert_eq!(
                bearer(&parts(headers)).unwrap_err().code(),
                "token_missing",
                "{headers:?}"
            );
        }
    }

    #[test]
    fn a_tenant_that_cannot_exist_is_not_found() {
        assert_eq!(
            chosen_tenant(&parts(&[("gatewright-tenant", "acme")]))
                .unwrap()
                .unwrap()
                .as_str(),
            "acme"
        );
        assert_eq!(
            chosen_tenant(&parts(&[("gatewright-tenant", "A b")]))
                .unwrap_err()
                .code(),
            "not_found"
        );
        assert!(chosen_tenant(&parts(&[])).unwrap().is_none());
    }
}
