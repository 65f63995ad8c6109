//! Links that are handed over or mailed, and the first run.

use std::time::Duration;

use gatewright_model::account::LinkPurpose;
use gatewright_model::permission::{Permission, Role};
use gatewright_model::text::Name;

use crate::accounts::NewAdmin;
use crate::caller::Caller;
use crate::sessions::Client;
use crate::users::NewMembership;

use super::{ADMIN, OTHER, PASSWORD, World, code, email, password, secret_in, shown};

#[tokio::test]
async fn without_mail_an_administrator_hands_links_over() {
    let world = World::with_admin().await;
    let admin = world.admin().await;
    let accounts = world.control.accounts();
    let bo = world.add_user("bo@example.com", None).await;
    assert_eq!(
        code(world.sign_in("bo@example.com", OTHER).await),
        "sign_in_failed"
    );
    assert_eq!(code(accounts.reset_link(&admin, bo).await), "no_password");
    let first = accounts.invite(&admin, bo).await.unwrap();
    let second = accounts.invite(&admin, bo).await.unwrap();
    let (first, second) = (shown(&first, "/invite/"), shown(&second, "/invite/"));
    let client = Client::default();
    let older = accounts.accept_invitation(&world.tenant, &first, None, password(OTHER), &client);
    assert_eq!(code(older.await), "link_invalid");
    let view = accounts.link(&world.tenant, LinkPurpose::Invite, &second).await;
    assert_eq!(view.unwrap().unwrap().email, email("bo@example.com"));
    let other_page = accounts.link(&world.tenant, LinkPurpose::Reset, &second).await;
    assert_eq!(other_page.unwrap(), None);
    let name = Name::parse("Bo").ok();
    let opened = accounts
        .accept_invitation(&world.tenant, &second, name, password(OTHER), &client)
        .await
        .unwrap();
    let rights = &opened.view.caller.rights;
    assert!(
        rights.anywhere(Permission::ApplicationsWrite),
        "a team of their own"
    );
    let again = accounts.accept_invitation(&world.tenant, &second, None, password(OTHER), &client);
    assert_eq!(code(again.await), "link_invalid");
    assert_eq!(code(accounts.invite(&admin, bo).await), "has_password");

    assert_eq!(
        code(
            accounts
                .forgot(&world.tenant, email("bo@example.com"), &client)
                .await
        ),
        "no_mail"
    );
    let link = accounts.reset_link(&admin, bo).await.unwrap();
    world.turn(Duration::from_secs(86_400));
    let stale = shown(&link, "/reset/");
    let late = accounts.reset(&world.tenant, &stale, password(PASSWORD), &client);
    assert_eq!(code(late.await), "link_invalid");
    let link = accounts.reset_link(&admin, bo).await.unwrap();
    let fresh = shown(&link, "/reset/");
    accounts
        .reset(&world.tenant, &fresh, password(PASSWORD), &client)
        .await
        .unwrap();
    assert!(!world.is_alive(&opened).await);
    world.sign_in("bo@example.com", PASSWORD).await.unwrap();
}

#[tokio::test]
async fn nobody_takes_an_account_that_may_do_more() {
    let world = World::with_admin().await;
    let admin = world.admin().await;
    world.add_user("bo@example.com", Some(OTHER)).await;
    let owner = NewMembership {
        user: email("bo@example.com").into(),
        role: Role::Owner,
        team: None,
    };
    world.control.users().add_member(&admin, owner).await.unwrap();
    let bo = world.sign_in("bo@example.com", OTHER).await.unwrap().view.caller;
    let accounts = world.control.accounts();
    let root = admin.user_id.unwrap();
    assert_eq!(code(accounts.reset_link(&bo, root).await), "forbidden");
    assert_eq!(code(accounts.reset_link(&admin, root).await), "own_account");
    let of_bo = bo.user_id.unwrap();
    let narrow = Caller {
        rights: bo
            .rights
            .clone()
            .limited_to([Permission::MembersWrite].into_iter().collect()),
        ..bo.clone()
    };
    let ed = world.add_user("ed@example.com", Some(OTHER)).await;
    assert_eq!(code(accounts.reset_link(&narrow, ed).await), "ok");
    let of_owner = accounts
        .reset_link(
            &Caller {
                user_id: None,
                ..narrow
            },
            of_bo,
        )
        .await;
    assert_eq!(code(of_owner), "forbidden");
}

#[tokio::test]
async fn a_forgotten_password_is_reset_by_mail() {
    let world = World::with_mail().await;
    let accounts = world.control.accounts();
    let client = Client::default();
    let stranger = email("nobody@example.com");
    assert_eq!(
        code(accounts.forgot(&world.tenant, stranger, &client).await),
        "ok"
    );
    assert_eq!(world.letters().await, []);
    accounts
        .forgot(&world.tenant, email(ADMIN), &client)
        .await
        .unwrap();
    let letters = world.letters().await;
    let [letter] = letters.as_slice() else {
        panic!("one letter")
    };
    assert_eq!(letter.to, email(ADMIN));
    assert!(
        letter.text.contains("http://portal.test/reset/"),
        "{}",
        letter.text
    );
    let link = secret_in(&letter.text, "/reset/");
    accounts
        .reset(&world.tenant, &link, password(OTHER), &client)
        .await
        .unwrap();
    let told = world.letters().await;
    assert!(told.iter().any(|letter| letter.subject.contains("was changed")));
    let again = accounts.reset(&world.tenant, &link, password(PASSWORD), &client);
    assert_eq!(code(again.await), "link_invalid");
    for _ in 0..2 {
        accounts
            .forgot(&world.tenant, email(ADMIN), &client)
            .await
            .unwrap();
    }
    let flood = accounts.forgot(&world.tenant, email(ADMIN), &client).await;
    assert_eq!(code(flood), "too_many_attempts");
}

#[tokio::test]
async fn the_first_run_is_open_once() {
    let world = World::empty().await;
    let setup = world.control.setup();
    let older = setup.new_link().await.unwrap().unwrap();
    let newer = setup.new_link().await.unwrap().unwrap();
    let (older, newer) = (
        secret_in(older.expose(), "?secret="),
        secret_in(newer.expose(), "?secret="),
    );
    assert!(!setup.is_open(&older).await.unwrap() && setup.is_open(&newer).await.unwrap());
    let admin = || NewAdmin {
        name: Name::parse("Ana").unwrap(),
        email: email(ADMIN),
        password: password(PASSWORD),
    };
    let client = Client::default();
    assert_eq!(
        code(setup.complete(&older, admin(), &client).await),
        "setup_closed"
    );
    let opened = setup.complete(&newer, admin(), &client).await.unwrap();
    assert!(opened.view.person.platform_admin && world.is_alive(&opened).await);
    assert_eq!(
        code(setup.complete(&newer, admin(), &client).await),
        "setup_closed"
    );
    assert!(setup.new_link().await.unwrap().is_none());
    world.sign_in(ADMIN, PASSWORD).await.unwrap();
}
