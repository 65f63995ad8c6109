//! The router of the pages.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::from_fn_with_state;
use gatewright_control::Control;
use gatewright_webkit::problem::Problem;
use gatewright_webkit::request_id::identify;
use gatewright_webkit::routes::Entry;
use gatewright_webkit::rules::{no_such_method, no_such_path, of_panic};
use tower::Layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;

use crate::app::{App, WebSettings};
use crate::assets::Assets;
use crate::failure::early::{self, Stranger};
use crate::pages::Pages;
use crate::visit::receive;
use crate::{account, assets, console, gallery, portal, security};

/// The portal and the console as a router.
pub fn router(control: Control, settings: WebSettings) -> Router {
    let ids = settings.request_ids.clone();
    let pages = all(Pages::new(&settings));
    let app = App {
        control,
        settings: Arc::new(settings),
        assets: Arc::new(Assets::load()),
    };
    let inner = pages
        .into_routes()
        .into_router(app.clone())
        .method_not_allowed_fallback(no_such_method)
        .fallback(no_such_path)
        .layer(DefaultBodyLimit::disable())
        .layer(CatchPanicLayer::custom(of_panic));
    // Visits are received before a route is looked for: the tenant's prefix is
    // taken off the path there.
    let received = from_fn_with_state(app, receive).layer(inner);
    Router::new()
        .fallback_service(received)
        .layer(CompressionLayer::new())
        .layer(from_fn_with_state(ids, identify))
}

/// What the listener of the pages answers until the store has been reached.
pub fn before_the_store() -> Router {
    let assets = Arc::new(Assets::load());
    let pages = Router::new().fallback(move |request: Request| {
        let assets = Arc::clone(&assets);
        async move {
            let mut response = if request.uri().path().starts_with(assets::PREFIX) {
                assets.answer(request.uri().path(), request.headers())
            } else {
                early::without_visit(&assets, &Stranger::of(&request), &Problem::unavailable())
            };
            security::harden(response.headers_mut(), false);
            response
        }
    });
    pages.layer(from_fn_with_state(WebSettings::default().request_ids, identify))
}

/// Every route with the one who may see it, in the order of the lists.
#[must_use]
pub fn routes_with_access() -> Vec<Entry> {
    all(Pages::new(&WebSettings::default()))
        .into_routes()
        .entries()
        .to_vec()
}

fn all(pages: Pages) -> Pages {
    gallery::routes(console::routes(portal::routes(account::routes(pages))))
}

#[cfg(test)]
mod tests {
    use gatewright_model::permission::Role;
    use gatewright_model::state::Word;
    use gatewright_webkit::routes::Access;
    use http::Method;

    use super::*;
    use crate::testing::{Reply, TestPortal, Visitor};

    /// An address of the route that names nothing that exists.
    fn address(path: &str) -> String {
        let id = "01h2xcejqtf2nbrexx3vqjhp41";
        let parts = path.split('/').map(|part| match part {
            "{api}" | "{application}" | "{team}" | "{version}" | "{op}" | "{name}" => "none".to_owned(),
            "{plan}" => format!("plan_{id}"),
            "{subscription}" => format!("sub_{id}"),
            "{credential}" => format!("key_{id}"),
            "{approval}" => format!("apr_{id}"),
            "{call}" => format!("call_{id}"),
            "{event}" => format!("aud_{id}"),
            "{user}" => format!("usr_{id}"),
            "{token}" => format!("tok_{id}"),
            "{node}" => format!("node_{id}"),
            other => other.replace(['{', '}'], ""),
        });
        parts.collect::<Vec<_>>().join("/")
    }

    async fn visit(visitor: &Visitor<'_>, entry: &Entry) -> Reply {
        let path = address(&entry.path);
        if entry.method == Method::GET {
            visitor.get(&path).await
        } else {
            visitor.post(&path, &[]).await
        }
    }

    #[tokio::test]
    async fn every_route_answers_every_role_as_its_access_says() {
        let portal = TestPortal::new().await;
        let mut people = Vec::new();
        for role in Role::ALL {
            let (visitor, caller) = portal.user(role.as_str(), Some(*role)).await;
            people.push((role.as_str(), visitor, Some(caller)));
        }
        let (nobody, caller) = portal.user("nobody", None).await;
        people.push(("nobody", nobody, Some(caller)));
        people.push(("visitor", portal.visitor(), None));
        // Signing out would end the session that the rest of the walk needs.
        let routes = routes_with_access();
        let walked: Vec<_> = routes.iter().filter(|entry| entry.path != "/sign-out").collect();
        let mut wrong = Vec::new();
        for entry in walked {
            for (name, visitor, caller) in &people {
                let reply = visit(visitor, entry).await;
                let to_sign_in = reply.status == 303 && reply.header("location").starts_with("/sign-in");
                let held = match (entry.access, caller) {
                    (Access::Public, _) => true,
                    (Access::SignedIn, caller) => caller.is_some(),
                    (Access::AnyOf(any), Some(caller)) => {
                        any.iter().any(|permission| caller.rights.anywhere(*permission))
                    }
                    (Access::AnyOf(_), None) => false,
                };
                let right = match (held, caller) {
                    (false, None) => to_sign_in,
                    (false, Some(_)) => reply.status == 403,
                    (true, _) => reply.status != 403 && reply.status < 500,
                };
                if !right {
                    wrong.push(format!(
                        "{} {} as {name}: {}",
                        entry.method, entry.path, reply.status
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
        assert!(routes.len() > 100, "{}", routes.len());
    }
}
