//! Sessions, links, requests for accounts, and counts of tries.

use std::net::IpAddr;
use std::time::Duration;

use gatewright_model::account::{AccountLink, LinkPurpose, Session, SignUp, SignUpState};
use gatewright_model::page::PageRequest;
use gatewright_model::secret::SecretHash;

use crate::account::Attempt;
use crate::conn::Scope;
use crate::error::{Rule, StoreError};
use crate::testing::sample::{World, hash, id, tenant};
use crate::testing::{NOW, store_test};

fn session(world: &World) -> Session {
    Session {
        id: id(),
        hash: hash(),
        tenant_id: world.tenant.id,
        user_id: world.user.id,
        auth_epoch: 0,
        client: "Firefox".to_owned(),
        address: Some(IpAddr::from([192, 0, 2, 1])),
        created_at: NOW,
        last_seen_at: NOW,
        expires_at: NOW,
        console_until: NOW,
    }
}

fn sign_up(world: &World, email: &str) -> SignUp {
    SignUp {
        id: id(),
        tenant_id: world.tenant.id,
        email: email.parse().unwrap(),
        email_verified: true,
        name: "Bo".parse().unwrap(),
        state: SignUpState::Waiting,
        decided_by: None,
        decided_at: None,
        user_id: None,
        created_at: NOW,
    }
}

store_test! {
    async fn sessions_begin_and_end(store: Store) {
        let world = World::make(&store, "acme").await;
        let (one, other) = (session(&world), Session { address: None, ..session(&world) });
        let mut tx = store.begin(Scope::System).await.unwrap();
        tx.sessions().insert(&one).await.unwrap();
        tx.sessions().insert(&other).await.unwrap();
        let later = NOW.plus(Duration::from_secs(60));
        let seen = Session { last_seen_at: later, expires_at: later, console_until: later, auth_epoch: 1, ..one.clone() };
        tx.sessions().stamp_seen(&seen).await.unwrap();
        tx.sessions().set_epoch(one.id, 1).await.unwrap();
        assert_eq!(tx.sessions().find(&one.hash).await.unwrap(), Some(seen.clone()));
        assert_eq!(tx.sessions().find_by_id(one.id).await.unwrap(), Some(seen.clone()));
        assert_eq!(tx.sessions().of_user(world.user.id).await.unwrap(), [seen, other.clone()]);
        assert_eq!(tx.sessions().delete_expired(NOW).await.unwrap(), 0);
        assert_eq!(tx.sessions().delete_of_user(world.user.id, Some(other.id)).await.unwrap(), 1);
        assert!(tx.sessions().delete(other.id).await.unwrap());
        assert!(!tx.sessions().delete(other.id).await.unwrap());
        tx.sessions().insert(&one).await.unwrap();
        let twin = Session { id: id(), ..one };
        assert_eq!(tx.sessions().insert(&twin).await.unwrap_err().rule(), Some(Rule::SessionHash));
    }
}

store_test! {
    async fn somebody_waits_once_for_an_account(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut asked = sign_up(&world, "bo@acme.example");
        let mut tx = store.begin(world.scope()).await.unwrap();
        tx.sign_ups().insert(&asked, "$argon2id$z").await.unwrap();
        assert_eq!(tx.sign_ups().find_waiting(&asked.email).await.unwrap(), Some(asked.clone()));
        assert_eq!(tx.sign_ups().password_hash(asked.id).await.unwrap().as_deref(), Some("$argon2id$z"));
        assert_eq!(tx.sign_ups().count_waiting().await.unwrap(), 1);
        tx.commit(NOW).await.unwrap();

        let mut tx = store.begin(world.scope()).await.unwrap();
        let twin = sign_up(&world, "bo@acme.example");
        let twice = tx.sign_ups().insert(&twin, "x").await.unwrap_err();
        assert_eq!(twice.rule(), Some(Rule::WaitingSignUp));
        drop(tx);

        let mut tx = store.begin(world.scope()).await.unwrap();
        assert_eq!(tx.sign_ups().lock(asked.id).await.unwrap(), Some(asked.clone()));
        (asked.state, asked.decided_by, asked.decided_at) = (SignUpState::Rejected, Some(world.user.id), Some(NOW));
        tx.sign_ups().decide(&asked).await.unwrap();
        assert_eq!(tx.sign_ups().find(asked.id).await.unwrap(), Some(asked.clone()));
        assert_eq!(tx.sign_ups().password_hash(asked.id).await.unwrap(), None);
        // Whoever was rejected may ask again.
        tx.sign_ups().insert(&twin, "x").await.unwrap();
        let waiting = tx.sign_ups().list(Some(SignUpState::Waiting), PageRequest::default()).await.unwrap();
        assert_eq!(waiting.items, std::slice::from_ref(&twin));
        assert_eq!(tx.sign_ups().list(None, PageRequest::default()).await.unwrap().items.len(), 2);
        let later = NOW.plus(Duration::from_secs(1));
        assert_eq!(tx.sign_ups().delete_before(later).await.unwrap(), 2);
    }
}

store_test! {
    async fn a_link_is_taken_once_and_in_its_tenant(store: Store) {
        let world = World::make(&store, "acme").await;
        let stranger = World::make(&store, "other").await;
        let link = AccountLink {
            hash: hash(),
            tenant_id: world.tenant.id,
            purpose: LinkPurpose::Reset,
            user_id: Some(world.user.id),
            email: world.user.email.clone(),
            name: None,
            created_at: NOW,
            expires_at: NOW.plus(Duration::from_secs(60)),
        };
        let mut tx = store.begin(world.scope()).await.unwrap();
        tx.account_links().insert(&link).await.unwrap();
        tx.commit(NOW).await.unwrap();

        let mut tx = store.begin(stranger.scope()).await.unwrap();
        assert_eq!(tx.account_links().find(&link.hash).await.unwrap(), None);
        assert!(!tx.account_links().take(&link.hash).await.unwrap());
        let refused = tx.account_links().insert(&link).await.unwrap_err();
        assert!(matches!(refused, StoreError::ForeignTenant { table: "account_link" }));
        drop(tx);

        let mut tx = store.begin(world.scope()).await.unwrap();
        assert_eq!(tx.account_links().find(&link.hash).await.unwrap(), Some(link.clone()));
        assert_eq!(tx.account_links().delete_of(&link.email, &[LinkPurpose::Invite]).await.unwrap(), 0);
        assert!(tx.account_links().take(&link.hash).await.unwrap());
        assert!(!tx.account_links().take(&link.hash).await.unwrap());
        tx.account_links().insert(&link).await.unwrap();
        let both = [LinkPurpose::Invite, LinkPurpose::Reset];
        assert_eq!(tx.account_links().delete_of(&link.email, &both).await.unwrap(), 1);
        tx.account_links().insert(&link).await.unwrap();
        assert_eq!(tx.account_links().delete_expired(link.expires_at).await.unwrap(), 0);
        let later = link.expires_at.plus(Duration::from_secs(1));
        assert_eq!(tx.account_links().delete_expired(later).await.unwrap(), 1);
    }
}

store_test! {
    async fn tries_at_once_are_all_counted(store: Store) {
        let keys = [SecretHash([2; 32]), SecretHash([1; 32])];
        let tries = (0..20).map(|at| {
            let store = store.clone();
            // Both orders: nobody may wait in a circle.
            let order = if at % 2 == 0 { [keys[0], keys[1]] } else { [keys[1], keys[0]] };
            tokio::spawn(async move {
                let mut tx = store.begin(Scope::System).await.unwrap();
                for attempt in tx.attempts().lock(&order, NOW).await.unwrap() {
                    let more = Attempt { failures: attempt.failures + 1, ..attempt };
                    tx.attempts().put(&more).await.unwrap();
                }
                tx.commit(NOW).await.unwrap();
            })
        });
        for one in tries.collect::<Vec<_>>() {
            one.await.unwrap();
        }
        let mut tx = store.begin(Scope::System).await.unwrap();
        let known = tx.attempts().find(&keys).await.unwrap();
        assert!(known.len() == 2 && known.iter().all(|attempt| attempt.failures == 20), "{known:?}");
        tx.attempts().remove(&keys[0]).await.unwrap();
        assert_eq!(tx.attempts().delete_before(NOW).await.unwrap(), 0);
        assert_eq!(tx.attempts().delete_before(NOW.plus(Duration::from_secs(1))).await.unwrap(), 1);
    }
}

store_test! {
    async fn a_tenant_is_found_by_its_host(store: Store) {
        let acme = tenant("acme");
        let mut tx = store.begin(Scope::System).await.unwrap();
        tx.tenants().insert(&acme).await.unwrap();
        let found = tx.tenants().find_by_host("API.acme.example").await.unwrap();
        assert_eq!(found.map(|tenant| tenant.id), Some(acme.id));
        assert_eq!(tx.tenants().find_by_host("acme.example").await.unwrap(), None);
    }
}
