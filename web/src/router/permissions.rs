//! Every page asked as every kind of caller, against `docs/permissions.md`.

use std::collections::BTreeSet;
use std::time::Duration;

use gatewright_control::credentials::NewCredential;
use gatewright_control::subscriptions::NewSubscription;
use gatewright_control::teams::NewTeam;
use gatewright_control::users::NewMembership;
use gatewright_model::consumer::CredentialKind;
use gatewright_model::permission::Role;
use gatewright_model::reference::Ref;
use gatewright_model::state::Word;
use gatewright_model::tenancy::TeamKind;
use gatewright_model::text::{Email, Name, Slug};
use gatewright_testkit::permissions::{KINDS, Rule, table};

use super::routes_with_access;
use crate::testing::{Reply, TestPortal, Visitor};

/// Ends the session that the rest of a walk needs.
const SIGN_OUT: &str = "/sign-out";
/// Longer than a password that was typed counts.
const A_WHILE: Duration = Duration::from_secs(6 * 60);

/// An address of the route that names nothing that exists.
fn nowhere(path: &str) -> String {
    let id = "01h2xcejqtf2nbrexx3vqjhp41";
    let parts = path.split('/').map(|part| match part {
        "{api}" | "{application}" | "{team}" | "{version}" | "{operation}" => "none".to_owned(),
        "{plan}" => format!("plan_{id}"),
        "{subscription}" => format!("sub_{id}"),
        "{credential}" => format!("key_{id}"),
        "{approval}" => format!("apr_{id}"),
        "{call}" => format!("call_{id}"),
        "{event}" => format!("aud_{id}"),
        "{user}" => format!("usr_{id}"),
        "{member}" => format!("mem_{id}"),
        "{session}" => format!("ses_{id}"),
        "{sign_up}" => format!("sup_{id}"),
        "{token}" => format!("tok_{id}"),
        "{node}" => format!("node_{id}"),
        other => other.replace(['{', '}'], ""),
    });
    parts.collect::<Vec<_>>().join("/")
}

async fn ask(visitor: &Visitor<'_>, method: &str, path: &str) -> Reply {
    if method == "GET" {
        visitor.get(path).await
    } else {
        visitor.post(path, &[]).await
    }
}

fn asks_for_the_password(reply: &Reply) -> bool {
    reply.text.contains("name=\"kept\"")
}

/// Somebody of each kind. The first administrator is left as one who only runs the installation.
async fn everybody(portal: &TestPortal) -> Vec<(&'static str, Visitor<'_>)> {
    let mut people = Vec::new();
    for kind in KINDS {
        let visitor = match kind {
            "visitor" => portal.visitor(),
            "none" => portal.user("none", None).await.0,
            "platform" => continue,
            role => portal.user(role, Some(Role::parse(role).unwrap())).await.0,
        };
        people.push((kind, visitor));
    }
    let admin = portal.admin_caller().await;
    let owner = portal.caller("owner@example.com").await;
    let users = portal.control.users();
    for held in users.held_by(&owner, admin.user_id.unwrap()).await.unwrap() {
        users.remove_member(&owner, held.id).await.unwrap();
    }
    people.push(("platform", portal.admin().await));
    people
}

#[test]
fn every_page_has_its_row_and_every_row_its_page() {
    let pages: BTreeSet<_> = routes_with_access()
        .iter()
        .map(|entry| format!("{} {}", entry.method, entry.path))
        .collect();
    let rows = table("Pages");
    let named: BTreeSet<_> = rows
        .iter()
        .map(|rule| format!("{} {}", rule.method, rule.path))
        .collect();
    let missing: Vec<_> = pages.difference(&named).collect();
    let gone: Vec<_> = named.difference(&pages).collect();
    assert!(missing.is_empty(), "without a row: {missing:#?}");
    assert!(gone.is_empty(), "rows without a page: {gone:#?}");
    assert_eq!(rows.len(), named.len(), "a row stands twice");
}

#[tokio::test]
async fn every_page_answers_every_kind_of_caller_as_the_table_says() {
    let portal = TestPortal::new().await;
    let people = everybody(&portal).await;
    let mut wrong = Vec::new();
    for rule in table("Pages").iter().filter(|rule| rule.path != SIGN_OUT) {
        for (kind, visitor) in &people {
            let reply = ask(visitor, rule.method, &nowhere(rule.path)).await;
            let to_sign_in =
                reply.status == 303 && reply.header("location").starts_with("/sign-in?return_to=");
            let right = match (rule.who.contains(kind), *kind) {
                (true, _) => reply.status != 403 && reply.status < 500 && !to_sign_in,
                (false, "visitor") => to_sign_in,
                (false, _) => reply.status == 403 && !asks_for_the_password(&reply),
            };
            if !right {
                let (method, path) = (rule.method, rule.path);
                wrong.push(format!("{method} {path} as {kind}: {}", reply.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn after_a_while_the_password_is_asked_for_where_the_table_says_so() {
    let portal = TestPortal::new().await;
    let people = everybody(&portal).await;
    portal.later(A_WHILE);
    let mut wrong = Vec::new();
    let rules = table("Pages");
    let posts = rules.iter().filter(|rule| rule.method == "POST");
    for rule in posts.filter(|rule| rule.path != SIGN_OUT) {
        for (kind, visitor) in &people {
            let reply = ask(visitor, rule.method, &nowhere(rule.path)).await;
            let expected = rule.password && rule.who.contains(kind);
            if asks_for_the_password(&reply) != expected {
                wrong.push(format!("{} as {kind}: {}", rule.path, reply.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(rules.iter().filter(|rule| rule.password).count() > 10);
}

/// Something of each kind that belongs to the default team, by parameter.
async fn things(portal: &TestPortal) -> Vec<(&'static str, String)> {
    let admin = portal.admin_caller().await;
    let (api, plan) = portal.published("shop").await;
    let application = portal.application("Till").await;
    let of = Ref::Id(application.id);
    let new = NewSubscription {
        plan_id: plan.id,
        reason: None,
    };
    let subscriptions = portal.control.subscriptions();
    let subscription = subscriptions.request(&admin, &of, new).await.unwrap();
    let new = NewCredential {
        kind: CredentialKind::ApiKey,
        name: None,
        not_before: None,
        expires_at: None,
    };
    let issued = portal
        .control
        .credentials()
        .issue(&admin, &of, new)
        .await
        .unwrap();
    vec![
        ("{api}", api.api.slug.to_string()),
        ("{version}", "v1".to_owned()),
        ("{plan}", plan.id.to_string()),
        ("{application}", application.slug.to_string()),
        ("{subscription}", subscription.id.to_string()),
        ("{credential}", issued.credential.id.to_string()),
        ("{team}", "default".to_owned()),
    ]
}

/// Somebody with a role in a team that owns none of these things.
async fn elsewhere<'p>(portal: &'p TestPortal, team: &Slug, role: Role) -> Visitor<'p> {
    let admin = portal.admin_caller().await;
    let name = format!("{}-elsewhere", role.as_str());
    let (visitor, _) = portal.user(&name, None).await;
    let membership = NewMembership {
        user: Email::parse(&format!("{name}@example.com")).unwrap().into(),
        role,
        team: Some(Ref::Slug(team.clone())),
    };
    portal
        .control
        .users()
        .add_member(&admin, membership)
        .await
        .unwrap();
    visitor
}

/// Pages of what belongs to a team: the documentation of a public API is everybody's.
fn is_of_a_team(rule: &Rule) -> bool {
    let inside = rule.path.starts_with("/console/") || rule.path.starts_with("/me/apps/");
    let named = [
        "{api}",
        "{application}",
        "{subscription}",
        "{credential}",
        "{team}",
    ];
    inside && named.iter().any(|name| rule.path.contains(name))
}

#[tokio::test]
async fn a_role_in_a_team_opens_nothing_of_another_team() {
    let portal = TestPortal::new().await;
    let things = things(&portal).await;
    let admin = portal.admin_caller().await;
    let team = Slug::parse("night-shift").unwrap();
    let new = NewTeam {
        slug: team.clone(),
        name: Name::parse("Night shift").unwrap(),
        kind: TeamKind::Both,
        contact: None,
    };
    portal.control.teams().create(&admin, new).await.unwrap();
    let (mut wrong, mut walked) = (Vec::new(), 0);
    for role in [Role::Developer, Role::Approver, Role::Publisher] {
        let visitor = elsewhere(&portal, &team, role).await;
        for rule in table("Pages").iter().filter(|rule| is_of_a_team(rule)) {
            let path = things.iter().fold(rule.path.to_owned(), |path, (name, value)| {
                path.replace(name, value)
            });
            let path = nowhere(&path);
            let reply = ask(&visitor, rule.method, &path).await;
            walked += 1;
            if !matches!(reply.status, 403 | 404) {
                wrong.push(format!("{} {path} as {role}: {}", rule.method, reply.status));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(walked > 150, "{walked}");
    portal
        .admin()
        .await
        .get("/console/apis/shop")
        .await
        .shows(&["Pets"]);
}
