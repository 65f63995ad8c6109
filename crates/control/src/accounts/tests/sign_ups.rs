//! Accounts that people ask for, and the traces that all of it leaves.

use gatewright_model::account::SignUpState;
use gatewright_model::page::PageRequest;
use gatewright_model::permission::Permission;
use gatewright_model::tenancy::SignUpMode;

use crate::accounts::{NewSignUp, SignedUp};
use crate::error::Error;
use crate::sessions::Client;

use super::{ADMIN, OTHER, PASSWORD, World, bo, code, email, password, secret_in, shown};

#[tokio::test]
async fn an_open_sign_up_lets_people_in_with_a_team() {
    let world = World::with_admin().await.signing_up(SignUpMode::Open);
    let accounts = world.control.accounts();
    let client = Client::default();
    let signed_up = accounts.sign_up(&world.tenant, bo(Some(OTHER)), &client).await;
    let SignedUp::In(opened) = signed_up.unwrap() else {
        panic!("is let in")
    };
    assert!(world.is_alive(&opened).await);
    let rights = &opened.view.caller.rights;
    assert!(rights.anywhere(Permission::CredentialsWrite) && !rights.anywhere(Permission::ApisWrite));
    let again = accounts.sign_up(&world.tenant, bo(Some(OTHER)), &client).await;
    assert_eq!(code(again), "email_taken");
    let without = accounts.sign_up(&world.tenant, bo(None), &client).await;
    assert!(matches!(without, Err(Error::Invalid(_))));
    let world = world.signing_up(SignUpMode::Off);
    let accounts = world.control.accounts();
    let off = accounts.sign_up(&world.tenant, bo(Some(OTHER)), &client);
    assert_eq!(code(off.await), "sign_up_off");
}

#[tokio::test]
async fn a_sign_up_waits_for_somebody_who_agrees() {
    let world = World::with_admin().await;
    assert_eq!(world.tenant.settings.sign_up, SignUpMode::Approval);
    let accounts = world.control.accounts();
    let client = Client::default();
    for _ in 0..2 {
        let waits = accounts.sign_up(&world.tenant, bo(Some(OTHER)), &client).await;
        assert!(matches!(waits.unwrap(), SignedUp::Waiting));
    }
    // A known address gets the same answer and changes nothing.
    let known = NewSignUp {
        email: email(ADMIN),
        ..bo(Some(OTHER))
    };
    let waits = accounts.sign_up(&world.tenant, known, &client).await.unwrap();
    assert!(matches!(waits, SignedUp::Waiting));
    assert_eq!(
        code(world.sign_in("bo@example.com", OTHER).await),
        "sign_in_failed"
    );

    let admin = world.admin().await;
    assert_eq!(accounts.waiting_sign_ups(&admin).await.unwrap(), 1);
    let page = PageRequest::default();
    let waiting = accounts
        .sign_ups(&admin, Some(SignUpState::Waiting), page)
        .await
        .unwrap();
    let [asked] = waiting.items.as_slice() else {
        panic!("one waits")
    };
    let approved = accounts.approve(&admin, asked.id).await.unwrap();
    assert_eq!(approved.state, SignUpState::Approved);
    assert_eq!(code(accounts.approve(&admin, asked.id).await), "illegal");
    assert_eq!(code(accounts.reject(&admin, asked.id).await), "illegal");
    let bo = world.sign_in("bo@example.com", OTHER).await.unwrap().view;
    assert_eq!(Some(bo.person.id), approved.user_id);
    assert_eq!(code(accounts.sign_ups(&bo.caller, None, page).await), "forbidden");
    assert_eq!(accounts.waiting_sign_ups(&bo.caller).await.unwrap(), 0);
}

#[tokio::test]
async fn with_mail_the_address_is_confirmed_first() {
    let world = World::with_mail().await.signing_up(SignUpMode::Open);
    let accounts = world.control.accounts();
    let client = Client::default();
    let asked = accounts
        .sign_up(&world.tenant, bo(Some(PASSWORD)), &client)
        .await
        .unwrap();
    assert!(matches!(asked, SignedUp::CheckMail));
    let letters = world.letters().await;
    let link = secret_in(&letters[0].text, "/verify/");
    assert!(
        !letters[0].text.contains("Bo Lee"),
        "a stranger's words are not mailed on"
    );
    assert_eq!(
        code(world.sign_in("bo@example.com", PASSWORD).await),
        "sign_in_failed"
    );
    let done = accounts
        .finish_sign_up(&world.tenant, &link, password(OTHER), &client)
        .await;
    assert!(matches!(done.unwrap(), SignedUp::In(_)));
    let again = accounts
        .finish_sign_up(&world.tenant, &link, password(OTHER), &client)
        .await;
    assert_eq!(code(again), "link_invalid");
    world.sign_in("bo@example.com", OTHER).await.unwrap();
    let known = accounts.sign_up(&world.tenant, bo(None), &client).await.unwrap();
    assert!(matches!(known, SignedUp::CheckMail));
    let letters = world.letters().await;
    assert!(letters[0].text.contains("has one already"), "{}", letters[0].text);
}

#[tokio::test]
async fn administrators_are_mailed_about_who_waits() {
    let world = World::with_mail().await;
    world.add_user("ed@example.com", Some(OTHER)).await;
    let accounts = world.control.accounts();
    let client = Client::default();
    accounts.sign_up(&world.tenant, bo(None), &client).await.unwrap();
    let link = secret_in(&world.letters().await[0].text, "/verify/");
    let done = accounts
        .finish_sign_up(&world.tenant, &link, password(OTHER), &client)
        .await;
    assert!(matches!(done.unwrap(), SignedUp::Waiting));
    let letters = world.letters().await;
    let [letter] = letters.as_slice() else {
        panic!("one letter, to the owner alone: {letters:?}")
    };
    assert_eq!(letter.to, email(ADMIN));
    assert!(
        letter.text.contains("http://portal.test/console/users"),
        "{}",
        letter.text
    );
    assert!(
        !letter.text.contains("Bo Lee") && !letter.text.contains("bo@example.com"),
        "a stranger's words are not mailed on"
    );
    // Who waits already asks again: nobody is told twice.
    accounts.sign_up(&world.tenant, bo(None), &client).await.unwrap();
    let link = secret_in(&world.letters().await[0].text, "/verify/");
    accounts
        .finish_sign_up(&world.tenant, &link, password(OTHER), &client)
        .await
        .unwrap();
    assert_eq!(world.letters().await, []);
}

#[tokio::test]
async fn each_change_leaves_a_trace() {
    let world = World::with_admin().await;
    let accounts = world.control.accounts();
    let client = Client::default();
    let admin = world.admin().await;
    let bo_id = world.add_user("ed@example.com", None).await;
    let link = accounts.invite(&admin, bo_id).await.unwrap();
    let opened = accounts
        .accept_invitation(
            &world.tenant,
            &shown(&link, "/invite/"),
            None,
            password(OTHER),
            &client,
        )
        .await
        .unwrap();
    accounts
        .sign_up(&world.tenant, bo(Some(OTHER)), &client)
        .await
        .unwrap();
    let waiting = accounts
        .sign_ups(&admin, None, PageRequest::default())
        .await
        .unwrap();
    accounts.reject(&admin, waiting.items[0].id).await.unwrap();
    world.control.sessions().sign_out(&opened.secret).await.unwrap();
    let actions = world.actions().await;
    for action in [
        "session.begin",
        "session.end",
        "user.invite",
        "user.accept",
        "team.create",
        "sign_up.request",
        "sign_up.reject",
    ] {
        assert!(
            actions.iter().any(|done| done == action),
            "{action} in {actions:?}"
        );
    }
}
