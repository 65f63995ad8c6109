//! Signing in, sessions, and how often a password may be tried.

use std::sync::Arc;
use std::time::Duration;

use gatewright_model::permission::Role;
use gatewright_model::tenancy::{UserState, UserVerb};
use gatewright_model::text::Name;

use crate::if_match::IfMatch;
use crate::users::{NewMembership, UserPatch};

use super::{ADMIN, OTHER, PASSWORD, World, code, email, from, password, secret};

#[tokio::test]
async fn a_session_lives_until_it_is_idle_or_old_or_ended() {
    let world = World::with_admin().await;
    let opened = world.sign_in(" ANA@example.com ", PASSWORD).await.unwrap();
    assert!(opened.view.fresh && opened.view.console && opened.view.person.platform_admin);
    for _ in 0..8 {
        world.turn(Duration::from_secs(20 * 60));
        assert!(world.is_alive(&opened).await);
    }
    let view = world.control.sessions().authenticate(&opened.secret, None).await;
    let view = view.unwrap().unwrap();
    assert!(!view.fresh && view.console, "{view:?}");
    world.turn(Duration::from_secs(31 * 60));
    // Nor does a look at the portal open the console again.
    for _ in 0..2 {
        let view = world.control.sessions().authenticate(&opened.secret, None).await;
        assert!(!view.unwrap().unwrap().console);
    }
    world.turn(Duration::from_secs(13 * 3_600));
    assert!(!world.is_alive(&opened).await, "it was idle for too long");

    let busy = world.sign_in(ADMIN, PASSWORD).await.unwrap();
    for _ in 0..15 {
        world.turn(Duration::from_secs(11 * 3_600));
        assert!(world.is_alive(&busy).await);
    }
    world.turn(Duration::from_secs(4 * 3_600));
    assert!(!world.is_alive(&busy).await, "it was used for a week");

    let ended = world.sign_in(ADMIN, PASSWORD).await.unwrap();
    world.control.sessions().sign_out(&ended.secret).await.unwrap();
    world.control.sessions().sign_out(&ended.secret).await.unwrap();
    assert!(!world.is_alive(&ended).await);
    for garbage in ["", "x", &"0".repeat(64)] {
        let found = world
            .control
            .sessions()
            .authenticate(&secret(garbage), None)
            .await;
        assert!(found.unwrap().is_none());
    }
    world.control.forget_accounts().await.unwrap();
}

#[tokio::test]
async fn whoever_may_not_sign_in_has_no_session() {
    let world = World::with_admin().await;
    let id = world.add_user("bo@example.com", Some(OTHER)).await;
    let opened = world.sign_in("bo@example.com", OTHER).await.unwrap();
    let suspend = UserPatch {
        name: None,
        verb: Some(UserVerb::Suspend),
    };
    let admin = world.admin().await;
    let users = world.control.users();
    users.update(&admin, id, suspend, IfMatch::ANY).await.unwrap();
    assert!(!world.is_alive(&opened).await);
    assert_eq!(
        code(world.sign_in("bo@example.com", OTHER).await),
        "sign_in_failed"
    );
    for (who, with) in [
        (ADMIN, "wrong horse"),
        ("nobody@example.com", OTHER),
        ("no address", ""),
    ] {
        assert_eq!(code(world.sign_in(who, with).await), "sign_in_failed", "{who}");
    }
}

#[tokio::test]
async fn people_see_and_end_their_own_sessions() {
    let world = World::with_admin().await;
    world.add_user("bo@example.com", Some(OTHER)).await;
    let one = world.sign_in("bo@example.com", OTHER).await.unwrap();
    let two = world.sign_in("bo@example.com", OTHER).await.unwrap();
    let three = world.sign_in("bo@example.com", OTHER).await.unwrap();
    let bo = &one.view.caller;
    let sessions = world.control.sessions();
    assert_eq!(sessions.list(bo).await.unwrap().len(), 3);
    let admin = world.sign_in(ADMIN, PASSWORD).await.unwrap();
    assert_eq!(code(sessions.revoke(bo, admin.view.id).await), "missing");
    let of_admin = sessions.list_of(bo, admin.view.person.id).await;
    assert_eq!(code(of_admin), "forbidden");
    sessions.revoke(bo, two.view.id).await.unwrap();
    assert!(!world.is_alive(&two).await);
    assert_eq!(sessions.revoke_others(bo, one.view.id).await.unwrap(), 1);
    assert!(world.is_alive(&one).await && !world.is_alive(&three).await);
    let ended = sessions.revoke_all(&admin.view.caller, one.view.person.id).await;
    assert_eq!(ended.unwrap(), 1);
    assert!(!world.is_alive(&one).await);
}

#[tokio::test]
async fn nobody_shuts_out_somebody_who_may_do_more() {
    let world = World::with_admin().await;
    let admin = world.sign_in(ADMIN, PASSWORD).await.unwrap();
    let users = world.control.users();
    let sessions = world.control.sessions();
    let mut ids = Vec::new();
    for (address, role) in [
        ("bo@example.com", Role::Owner),
        ("cy@example.com", Role::Developer),
    ] {
        ids.push(world.add_user(address, Some(OTHER)).await);
        let membership = NewMembership {
            user: email(address).into(),
            role,
            team: None,
        };
        users.add_member(&admin.view.caller, membership).await.unwrap();
    }
    let owner = world.sign_in("bo@example.com", OTHER).await.unwrap();
    let developer = world.sign_in("cy@example.com", OTHER).await.unwrap();
    let bo = &owner.view.caller;
    let suspended = || UserPatch {
        name: None,
        verb: Some(UserVerb::Suspend),
    };
    // An owner runs the tenant, not the installation.
    let above = admin.view.person.id;
    assert_eq!(
        code(users.update(bo, above, suspended(), IfMatch::ANY).await),
        "forbidden"
    );
    let renamed = UserPatch {
        name: Some(Name::parse("Eve").unwrap()),
        verb: None,
    };
    assert_eq!(
        code(users.update(bo, above, renamed, IfMatch::ANY).await),
        "forbidden"
    );
    assert_eq!(code(sessions.revoke(bo, admin.view.id).await), "forbidden");
    assert_eq!(code(sessions.revoke_all(bo, above).await), "forbidden");
    assert!(world.is_alive(&admin).await);

    sessions.revoke(bo, developer.view.id).await.unwrap();
    assert!(!world.is_alive(&developer).await);
    let cy = ids[1];
    users.update(bo, cy, suspended(), IfMatch::ANY).await.unwrap();
    let bo = ids[0];
    let done = users
        .update(&admin.view.caller, bo, suspended(), IfMatch::ANY)
        .await;
    assert_eq!(done.unwrap().state, UserState::Suspended);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_guesses_are_a_handful() {
    let world = Arc::new(World::with_admin().await);
    let guesses = (0..1_000).map(|at| {
        let world = Arc::clone(&world);
        // From as many addresses: the account itself is protected.
        let client = from(&format!("192.0.{}.{}", at / 250, at % 250));
        tokio::spawn(async move {
            let guess = format!("guess number {at}");
            code(world.sign_in_from(ADMIN, &guess, client).await)
        })
    });
    let mut answers = std::collections::BTreeMap::<_, usize>::new();
    for guess in guesses.collect::<Vec<_>>() {
        *answers.entry(guess.await.unwrap()).or_default() += 1;
    }
    let tried = answers.get("sign_in_failed").copied().unwrap_or(0);
    assert_eq!(tried, 5, "{answers:?}");
    assert!(
        answers
            .keys()
            .all(|code| ["sign_in_failed", "too_many_attempts", "too_busy"].contains(code)),
        "{answers:?}"
    );

    let blocked = world.sign_in(ADMIN, PASSWORD).await.unwrap_err();
    assert!(
        blocked.to_string().contains("try again in 6 seconds, at "),
        "{blocked}"
    );
    // What was turned away did not count: the first wait is still the shortest.
    world.turn(Duration::from_secs(6));
    world.sign_in(ADMIN, PASSWORD).await.unwrap();
    assert!(world.actions().await.contains(&"user.sign_in_blocked".to_owned()));
}

#[tokio::test]
async fn waits_grow_and_an_unknown_account_waits_as_long() {
    let world = World::with_admin().await;
    for who in [ADMIN, "nobody@example.com"] {
        for _ in 0..5 {
            assert_eq!(code(world.sign_in(who, "wrong horse").await), "sign_in_failed");
        }
        for wait in [5, 10, 20] {
            assert_eq!(code(world.sign_in(who, "wrong horse").await), "too_many_attempts");
            world.turn(Duration::from_secs(wait));
            assert_eq!(
                code(world.sign_in(who, "wrong horse").await),
                "sign_in_failed",
                "{who} after {wait}"
            );
        }
    }
    world.turn(Duration::from_secs(86_400));
    assert_eq!(code(world.sign_in(ADMIN, "wrong horse").await), "sign_in_failed");
    assert_eq!(code(world.sign_in(ADMIN, "wrong horse").await), "sign_in_failed");
}

#[tokio::test]
async fn one_address_does_not_try_many_accounts() {
    let world = World::with_admin().await;
    for at in 0..30 {
        let who = format!("nobody{at}@example.com");
        let tried = world.sign_in_from(&who, "wrong horse", from("192.0.2.1")).await;
        assert_eq!(code(tried), "sign_in_failed");
    }
    let blocked = world.sign_in_from(ADMIN, PASSWORD, from("192.0.2.1")).await;
    assert_eq!(code(blocked), "too_many_attempts");
    world
        .sign_in_from(ADMIN, PASSWORD, from("192.0.2.2"))
        .await
        .unwrap();
}

#[tokio::test]
async fn strangers_who_guess_do_not_lock_the_owner_out() {
    let world = World::with_admin().await;
    world
        .sign_in_from(ADMIN, PASSWORD, from("192.0.2.1"))
        .await
        .unwrap();
    for _ in 0..5 {
        let guess = world
            .sign_in_from(ADMIN, "wrong horse", from("198.51.100.1"))
            .await;
        assert_eq!(code(guess), "sign_in_failed");
    }
    let elsewhere = world.sign_in_from(ADMIN, PASSWORD, from("198.51.100.2")).await;
    assert_eq!(code(elsewhere), "too_many_attempts");
    world
        .sign_in_from(ADMIN, PASSWORD, from("192.0.2.1"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_changed_password_ends_every_other_session() {
    let world = World::with_admin().await;
    let here = world.sign_in(ADMIN, PASSWORD).await.unwrap();
    let there = world.sign_in(ADMIN, PASSWORD).await.unwrap();
    let caller = &here.view.caller;
    let accounts = world.control.accounts();
    let wrong = accounts.change_password(caller, Some(here.view.id), secret("wrong horse"), password(OTHER));
    assert_eq!(code(wrong.await), "wrong_password");
    accounts
        .change_password(caller, Some(here.view.id), secret(PASSWORD), password(OTHER))
        .await
        .unwrap();
    assert!(world.is_alive(&here).await && !world.is_alive(&there).await);
    assert_eq!(code(world.sign_in(ADMIN, PASSWORD).await), "sign_in_failed");
    world.sign_in(ADMIN, OTHER).await.unwrap();
}
