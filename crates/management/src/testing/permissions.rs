//! Every route asked as every kind of caller, against `docs/permissions.md`.

use std::collections::BTreeSet;

use gatewright_control::Caller;
use gatewright_control::passwords::Password;
use gatewright_control::users::{NewMembership, NewUser};
use gatewright_model::permission::Role;
use gatewright_model::state::Word;
use gatewright_model::text::{Email, Name, Slug};
use gatewright_testkit::permissions::{KINDS, table};
use http::{Method, StatusCode};
use serde_json::json;

use super::Fixture;

/// A kind of caller, with the token and the id of somebody of that kind.
struct Somebody {
    kind: &'static str,
    token: String,
    id: String,
}

async fn somebody(api: &Fixture, system: &Caller, kind: &'static str) -> Somebody {
    let email = Email::parse(&format!("{kind}@example.com")).unwrap();
    let new = NewUser {
        email: email.clone(),
        name: Name::parse(kind).unwrap(),
        password: Some(Password::parse("long enough").unwrap()),
    };
    let user = api.control.users().create(system, new).await.unwrap();
    if let Ok(role) = Role::parse(kind) {
        let membership = NewMembership {
            user: email.clone().into(),
            role,
            team: None,
        };
        api.control.users().add_member(system, membership).await.unwrap();
    }
    let name = Name::parse("t").unwrap();
    let tenant = Slug::parse("default").unwrap();
    let token = api
        .control
        .create_token_for(&tenant, &email, name, Vec::new(), None)
        .await
        .unwrap();
    Somebody {
        kind,
        token: token.expose().to_owned(),
        id: user.id.to_string(),
    }
}

/// Somebody of each kind but visitors, who have no token. The first
/// administrator is left as one who only runs the installation.
async fn everybody(api: &Fixture) -> Vec<Somebody> {
    let system = api.control.command_line_caller(None).await.unwrap();
    let mut people = Vec::new();
    for kind in KINDS {
        if !matches!(kind, "visitor" | "platform") {
            people.push(somebody(api, &system, kind).await);
        }
    }
    let admin = api.get("/whoami").await.expect(StatusCode::OK);
    let id = admin["user_id"].as_str().unwrap().to_owned();
    let users = api.control.users();
    for held in users.held_by(&system, id.parse().unwrap()).await.unwrap() {
        users.remove_member(&system, held.id).await.unwrap();
    }
    people.push(Somebody {
        kind: "platform",
        token: api.admin.clone(),
        id,
    });
    people
}

/// An address of the route that names nothing that exists, or oneself where everybody may.
fn address(path: &str, own: Option<&str>) -> String {
    let id = "01h2xcejqtf2nbrexx3vqjhp41";
    let parts = path.split('/').map(|part| match part {
        "{user}" => own.map_or_else(|| format!("usr_{id}"), str::to_owned),
        "{api}" | "{application}" | "{team}" | "{version}" | "{tenant}" | "{role}" => "none".to_owned(),
        "{plan}" => format!("plan_{id}"),
        "{subscription}" => format!("sub_{id}"),
        "{credential}" => format!("key_{id}"),
        "{approval}" => format!("apr_{id}"),
        "{call}" => format!("call_{id}"),
        "{event}" => format!("aud_{id}"),
        "{token}" => format!("tok_{id}"),
        "{member}" => format!("mem_{id}"),
        "{session}" => format!("ses_{id}"),
        "{sign_up}" => format!("sup_{id}"),
        "{node}" => format!("node_{id}"),
        "{seq}" => "999".to_owned(),
        other => other.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

#[test]
fn every_route_has_its_row_and_every_row_its_route() {
    let routes: BTreeSet<_> = crate::routes_with_access()
        .iter()
        .map(|entry| format!("{} {}", entry.method, entry.path.trim_start_matches("/api/v1")))
        .collect();
    let rows = table("Management API");
    let named: BTreeSet<_> = rows
        .iter()
        .map(|rule| format!("{} {}", rule.method, rule.path))
        .collect();
    let missing: Vec<_> = routes.difference(&named).collect();
    let gone: Vec<_> = named.difference(&routes).collect();
    assert!(missing.is_empty(), "without a row: {missing:#?}");
    assert!(gone.is_empty(), "rows without a route: {gone:#?}");
    assert_eq!(rows.len(), named.len(), "a row stands twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_answers_every_kind_of_caller_as_the_table_says() {
    let api = Fixture::new().await;
    let people = everybody(&api).await;
    let mut wrong = Vec::new();
    for rule in table("Management API") {
        let method: Method = rule.method.parse().unwrap();
        for who in &people {
            let own = rule.who.contains(&"none").then_some(who.id.as_str());
            let path = address(rule.path, own);
            let body = (method != Method::GET).then(|| json!({}));
            let reply = api.call(&who.token, method.clone(), &path, &[], body).await;
            let right = if rule.who.contains(&who.kind) {
                !matches!(reply.status, 401 | 403) && reply.status < 500
            } else {
                reply.status == 403
            };
            if !right {
                wrong.push(format!("{method} {path} as {}: {}", who.kind, reply.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
