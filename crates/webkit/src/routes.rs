//! The list of routes. It takes only handlers whose first argument says who
//! may call them, so a route without an access rule does not compile:
//!
//! ```compile_fail
//! use gatewright_control::Control;
//! use gatewright_webkit::routes::Routes;
//! use http::Method;
//!
//! async fn open_to_everybody_by_mistake() {}
//!
//! fn list(routes: Routes<Control>, bounds: gatewright_webkit::rules::Bounds) -> Routes<Control> {
//!     routes.on(Method::GET, "/secrets", open_to_everybody_by_mistake, bounds)
//! }
//! ```
//!
//! ```
//! use gatewright_control::Control;
//! use gatewright_webkit::authorized::Authorized;
//! use gatewright_webkit::permit::AuditRead;
//! use gatewright_webkit::routes::Routes;
//! use http::Method;
//!
//! async fn audited(_: Authorized<AuditRead>) {}
//!
//! fn list(routes: Routes<Control>, bounds: gatewright_webkit::rules::Bounds) -> Routes<Control> {
//!     routes.on(Method::GET, "/secrets", audited, bounds)
//! }
//! ```

use std::fmt;

use axum::Router;
use axum::extract::FromRef;
use axum::handler::Handler;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, on};
use gatewright_control::Control;
use gatewright_model::permission::Permission;
use http::Method;

use crate::authorized::{Authorized, Public, SignedIn};
use crate::idempotency::{Guarded, once};
use crate::permit::Demand;
use crate::rules::{Bounds, hold};

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Everybody with a valid token.
    SignedIn,
    /// Holders of one of these permissions.
    AnyOf(&'static [Permission]),
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Public => f.write_str("public"),
            Self::SignedIn => f.write_str("any token"),
            Self::AnyOf(permissions) => {
                let words: Vec<_> = permissions.iter().map(Permission::to_string).collect();
                f.write_str(&words.join(" or "))
            }
        }
    }
}

/// A first argument that says who may call.
pub trait NamesAccess {
    /// Who may.
    const ACCESS: Access;
}

impl<D: Demand> NamesAccess for Authorized<D> {
    const ACCESS: Access = Access::AnyOf(D::ANY_OF);
}

impl NamesAccess for SignedIn {
    const ACCESS: Access = Access::SignedIn;
}

impl NamesAccess for Public {
    const ACCESS: Access = Access::Public;
}

/// The arguments of a handler, the first of which says who may call. The first
/// member of the tuple is axum's own marker.
pub trait Arguments {
    /// Who may.
    const ACCESS: Access;
}

macro_rules! arguments {
    ($(($($rest:ident),*);)+) => {$(
        impl<M, First: NamesAccess, $($rest),*> Arguments for (M, First, $($rest,)*) {
            const ACCESS: Access = First::ACCESS;
        }
    )+};
}

arguments! {
    ();
    (A);
    (A, B);
    (A, B, C);
    (A, B, C, D);
    (A, B, C, D, E);
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The method.
    pub method: Method,
    /// The template.
    pub path: String,
    /// Who may call it.
    pub access: Access,
}

type Step<S> = Box<dyn FnOnce(Router<S>, &S) -> Router<S> + Send>;

/// A router under construction. Its handlers get their state at the end, so
/// that the list can be read without one.
pub struct Routes<S> {
    steps: Vec<Step<S>>,
    entries: Vec<Entry>,
}

impl<S> Default for Routes<S> {
    fn default() -> Self {
        Self {
            steps: Vec::new(),
            entries: Vec::new(),
        }
    }
}

impl<S> fmt::Debug for Routes<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Routes").field(&self.entries).finish()
    }
}

impl<S> Routes<S>
where
    S: Clone + Send + Sync + 'static,
    Control: FromRef<S>,
{
    /// Adds a route. POSTs honour `Idempotency-Key`.
    #[must_use]
    pub fn on<H, T>(mut self, method: Method, path: &str, handler: H, bounds: Bounds) -> Self
    where
        H: Handler<T, S>,
        T: Arguments + 'static,
    {
        self.entries.push(Entry {
            method: method.clone(),
            path: path.to_owned(),
            access: T::ACCESS,
        });
        let path = path.to_owned();
        self.steps.push(Box::new(move |router, state| {
            let mut route = on(filter(&method), handler).layer(from_fn_with_state(bounds, hold));
            if method == Method::POST {
                let (control, any_of) = (Control::from_ref(state), demanded(T::ACCESS));
                let guarded = Guarded {
                    control,
                    any_of,
                    bounds,
                };
                route = route.layer(from_fn_with_state(guarded, once));
            }
            router.route(&path, route)
        }));
        self
    }

    /// What was added, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The finished router.
    pub fn into_router(self, state: S) -> Router {
        let router = self
            .steps
            .into_iter()
            .fold(Router::new(), |router, step| step(router, &state));
        router.with_state(state)
    }
}

fn filter(method: &Method) -> MethodFilter {
    match *method {
        Method::POST => MethodFilter::POST,
        Method::PUT => MethodFilter::PUT,
        Method::PATCH => MethodFilter::PATCH,
        Method::DELETE => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    }
}

const fn demanded(access: Access) -> &'static [Permission] {
    match access {
        Access::AnyOf(permissions) => permissions,
        Access::Public | Access::SignedIn => &[],
    }
}
