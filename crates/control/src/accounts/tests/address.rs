//! Another address for an account.

use std::time::Duration;

use gatewright_model::account::LinkPurpose;
use gatewright_model::permission::{Permission, Role};

use super::{ADMIN, OTHER, PASSWORD, World, code, email, password, secret, secret_in};
use crate::caller::Caller;
use crate::mail::Letter;
use crate::sessions::Client;
use crate::users::NewMembership;

const NEW: &str = "ana@example.org";

/// The letter to an address; letters of one moment wait in no order.
fn letter_to<'l>(letters: &'l [Letter], address: &str) -> &'l Letter {
    let mut theirs = letters.iter().filter(|letter| letter.to == email(address));
    theirs.next().unwrap_or_else(|| panic!("no letter to {address}"))
}

#[tokio::test]
async fn the_new_address_confirms_and_the_old_one_is_told() {
    let world = World::with_mail().await;
    let admin = world.admin().await;
    let accounts = world.control.accounts();
    let client = Client::default();
    let ask = |to| accounts.ask_for_address(&admin, email(to), &client);
    assert_eq!(code(ask(ADMIN).await), "same_address");
    ask("first@example.org").await.unwrap();
    let letters = world.letters().await;
    let first = secret_in(&letter_to(&letters, "first@example.org").text, "/verify/");
    ask(NEW).await.unwrap();
    let letters = world.letters().await;
    assert_eq!(letters.len(), 2, "{letters:?}");
    let notice = letter_to(&letters, ADMIN);
    assert!(!notice.text.contains("/verify/"), "{}", notice.text);
    let link = secret_in(&letter_to(&letters, NEW).text, "/verify/");
    let confirm = |link| accounts.confirm_address(&world.tenant, link, &client);
    assert_eq!(
        code(confirm(&first).await),
        "link_invalid",
        "the newest link counts"
    );
    // The link confirms an address; it makes no account.
    let sign_up = accounts.finish_sign_up(&world.tenant, &link, password(OTHER), &client);
    assert_eq!(code(sign_up.await), "link_invalid");
    confirm(&link).await.unwrap();
    assert_eq!(code(confirm(&link).await), "link_invalid");
    let letters = world.letters().await;
    assert_eq!(letters.len(), 2, "{letters:?}");
    for told in [ADMIN, NEW] {
        assert!(letter_to(&letters, told).text.contains("another address"));
    }
    assert_eq!(code(world.sign_in(ADMIN, PASSWORD).await), "sign_in_failed");
    world.sign_in(NEW, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_new_password_or_a_day_ends_the_link() {
    let world = World::with_mail().await;
    let admin = world.admin().await;
    let accounts = world.control.accounts();
    let client = Client::default();
    for late in [false, true] {
        accounts
            .ask_for_address(&admin, email(NEW), &client)
            .await
            .unwrap();
        let letters = world.letters().await;
        let link = secret_in(&letter_to(&letters, NEW).text, "/verify/");
        if late {
            world.turn(Duration::from_secs(86_400));
        } else {
            let (old, new) = (secret(PASSWORD), password(OTHER));
            accounts.change_password(&admin, None, old, new).await.unwrap();
        }
        let view = accounts.link(&world.tenant, LinkPurpose::Verify, &link).await;
        assert_eq!(view.unwrap(), None);
    }
}

#[tokio::test]
async fn who_asks_is_not_told_about_others_accounts() {
    let world = World::with_mail().await;
    let admin = world.admin().await;
    world.add_user("bo@example.com", Some(OTHER)).await;
    let accounts = world.control.accounts();
    let client = Client::default();
    let taken = email("bo@example.com");
    accounts
        .ask_for_address(&admin, taken.clone(), &client)
        .await
        .unwrap();
    let letters = world.letters().await;
    let letter = letter_to(&letters, "bo@example.com");
    assert!(!letter.text.contains("/verify/"), "{}", letter.text);
    // A mailbox is not flooded.
    let mut codes = Vec::new();
    for _ in 0..4 {
        let again = accounts.ask_for_address(&admin, taken.clone(), &client);
        codes.push(code(again.await));
    }
    assert_eq!(codes.last(), Some(&"too_many_attempts"), "{codes:?}");
}

#[tokio::test]
async fn an_administrator_changes_only_the_addresses_of_who_may_do_no_more() {
    let world = World::with_admin().await;
    let admin = world.admin().await;
    let accounts = world.control.accounts();
    let client = Client::default();
    let without = accounts.ask_for_address(&admin, email(NEW), &client).await;
    assert_eq!(code(without), "no_mail");
    let bo = world.add_user("bo@example.com", Some(OTHER)).await;
    assert_eq!(
        code(accounts.set_address(&admin, bo, email(ADMIN)).await),
        "email_taken"
    );
    let changed = accounts.set_address(&admin, bo, email(NEW)).await.unwrap();
    assert_eq!(changed.email, email(NEW));
    let owner = NewMembership {
        user: email(NEW).into(),
        role: Role::Owner,
        team: None,
    };
    world.control.users().add_member(&admin, owner).await.unwrap();
    let narrow = Caller {
        user_id: None,
        rights: admin
            .rights
            .clone()
            .limited_to([Permission::MembersWrite].into_iter().collect()),
        ..admin.clone()
    };
    let back = email("bo@example.com");
    assert_eq!(
        code(accounts.set_address(&narrow, bo, back.clone()).await),
        "forbidden"
    );
    let own = accounts.set_address(&admin, admin.user_id.unwrap(), back).await;
    assert_eq!(code(own), "ok", "there is no mail to confirm it by");
    let control = world.control.sending_mail();
    let accounts = control.accounts();
    let own = accounts.set_address(&admin, admin.user_id.unwrap(), email("c@example.com"));
    assert_eq!(code(own.await), "own_account");
}
