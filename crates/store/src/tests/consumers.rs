//! The consumer's side: subscriptions, credentials, approvals, sessions.

use std::time::Duration;

use gatewright_model::approval::{Approval, ApprovalState, ApprovalSubject};
use gatewright_model::consumer::{CredentialState, SubscriptionState};
use gatewright_model::page::PageRequest;
use gatewright_model::permission::Role;
use gatewright_model::tenancy::Membership;

use crate::approval::ApprovalFilter;
use crate::error::Rule;
use crate::idempotency::{IdempotencyKey, StoredAnswer};
use crate::subscription::SubscriptionFilter;
use crate::testing::sample::{World, credential, id, subscription};
use crate::testing::{NOW, store_test};

store_test! {
    async fn one_live_subscription_at_a_time(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut tx = store.begin(world.scope()).await.unwrap();
        let mut closing = world.subscription.clone();
        closing.state = SubscriptionState::Closing;
        closing.closing_at = Some(NOW);
        let closing = tx.subscriptions().update(&closing).await.unwrap();
        assert_eq!(tx.subscriptions().due_closing(NOW, 10).await.unwrap(), std::slice::from_ref(&closing));
        assert_eq!(tx.subscriptions().find_live(world.application.id, world.plan.id).await.unwrap(), Some(closing.clone()));
        let mut closed = closing;
        closed.state = SubscriptionState::Closed;
        closed.updated_at = NOW;
        let closed = tx.subscriptions().update(&closed).await.unwrap();
        assert_eq!(tx.subscriptions().closed_at(world.api.id, NOW).await.unwrap(), std::slice::from_ref(&closed));
        assert_eq!(tx.subscriptions().live_of_application(world.application.id).await.unwrap(), []);
        let mut again = subscription(&world.application, &world.plan);
        again.ends_at = Some(NOW);
        tx.subscriptions().insert(&again).await.unwrap();
        assert_eq!(tx.subscriptions().due_end(NOW, 10).await.unwrap(), [again.clone()]);
        for (teams, found) in [(None, 2), (Some(vec![]), 0), (Some(vec![world.team.id]), 2)] {
            let filter = SubscriptionFilter { teams, ..SubscriptionFilter::default() };
            let listed = tx.subscriptions().list(&filter, PageRequest::default()).await.unwrap();
            assert_eq!(listed.items.len(), found);
        }
        let mut back = closed;
        back.state = SubscriptionState::Active;
        let clash = tx.subscriptions().update(&back).await.unwrap_err();
        assert_eq!(clash.rule(), Some(Rule::LiveSubscription));
    }
}

store_test! {
    async fn credentials_that_are_due_are_found(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut tx = store.begin(world.scope()).await.unwrap();
        let later = NOW.plus(Duration::from_secs(60));
        let mut due = Vec::new();
        let cases = [
            (CredentialState::Scheduled, Some(NOW), None, true),
            (CredentialState::Scheduled, Some(later), None, false),
            (CredentialState::Active, None, Some(NOW), true),
            (CredentialState::Active, None, Some(later), false),
            (CredentialState::Revoked, None, Some(NOW), false),
        ];
        for (state, not_before, expires_at, is_due) in cases {
            let mut one = credential(&world.application);
            (one.state, one.not_before, one.expires_at) = (state, not_before, expires_at);
            tx.credentials().insert(&one).await.unwrap();
            due.extend(is_due.then_some(one.id));
        }
        let mut rotating = world.credential.clone();
        rotating.state = CredentialState::Rotating;
        rotating.grace_until = Some(NOW);
        rotating.replaced_by = Some(due[1]);
        tx.credentials().update(&rotating).await.unwrap();
        due.push(rotating.id);
        due.sort();
        let mut found: Vec<_> = tx.credentials().due(NOW, 10).await.unwrap().iter().map(|one| one.id).collect();
        found.sort();
        assert_eq!(found, due);
        assert_eq!(tx.credentials().find_by_prefix("gw_live_abcd").await.unwrap().len(), 6);
    }
}

store_test! {
    async fn one_open_request_for_each_subject(store: Store) {
        let world = World::make(&store, "acme").await;
        let subject = ApprovalSubject::Subscription(world.subscription.id);
        let request = Approval {
            id: id(),
            tenant_id: world.tenant.id,
            team_id: world.team.id,
            api_id: world.api.id,
            subject,
            state: ApprovalState::Open,
            requested_by: Some(world.user.id),
            note: Some("please".parse().unwrap()),
            due_at: NOW,
            decided_by: None,
            decided_at: None,
            comment: None,
            created_at: NOW,
            row_version: 1,
        };
        let mut tx = store.begin(world.scope()).await.unwrap();
        tx.approvals().insert(&request).await.unwrap();
        let of_version = Approval { id: id(), subject: ApprovalSubject::Version(world.version.id), ..request.clone() };
        tx.approvals().insert(&of_version).await.unwrap();
        assert_eq!(tx.approvals().find_open(of_version.subject).await.unwrap(), Some(of_version.clone()));
        assert_eq!(tx.approvals().due(NOW, 10).await.unwrap().len(), 2);
        let filter = ApprovalFilter { state: Some(ApprovalState::Open), kind: Some(subject.kind()), teams: None };
        assert_eq!(tx.approvals().list(&filter, PageRequest::default()).await.unwrap().items, std::slice::from_ref(&request));
        tx.commit(NOW).await.unwrap();

        let mut tx = store.begin(world.scope()).await.unwrap();
        let second = tx.approvals().insert(&Approval { id: id(), ..request.clone() }).await.unwrap_err();
        assert_eq!(second.rule(), Some(Rule::OpenApprovalOfSubscription));
        drop(tx);
        let mut tx = store.begin(world.scope()).await.unwrap();
        let decided = Approval { state: ApprovalState::Approved, decided_at: Some(NOW), ..request.clone() };
        tx.approvals().update(&decided).await.unwrap();
        tx.approvals().insert(&Approval { id: id(), ..request }).await.unwrap();
    }
}

store_test! {
    async fn roles_and_passwords(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut tx = store.begin(world.scope()).await.unwrap();
        let owner = Membership {
            id: id(),
            tenant_id: world.tenant.id,
            user_id: world.user.id,
            team_id: None,
            role: Role::Owner,
            created_at: NOW,
        };
        tx.memberships().insert(&owner).await.unwrap();
        let in_team = Membership { id: id(), team_id: Some(world.team.id), role: Role::Developer, ..owner.clone() };
        tx.memberships().insert(&in_team).await.unwrap();
        assert_eq!(tx.memberships().active_owners().await.unwrap(), [world.user.id]);
        assert_eq!(tx.memberships().of_user(world.user.id).await.unwrap().len(), 2);
        let listed = tx.memberships().list(Some(world.team.id), PageRequest::default()).await.unwrap();
        assert_eq!(listed.items, std::slice::from_ref(&in_team));
        tx.users().set_password_hash(world.user.id, "$argon2id$y").await.unwrap();
        assert_eq!(tx.users().find(world.user.id).await.unwrap().unwrap().auth_epoch, 1);
        assert!(tx.memberships().delete(in_team.id).await.unwrap());
        let twin = tx.memberships().insert(&Membership { id: id(), ..owner }).await.unwrap_err();
        assert_eq!(twin.rule(), Some(Rule::MembershipInTenant));
    }
}

store_test! {
    async fn a_repeated_request_gets_the_same_answer(store: Store) {
        let world = World::make(&store, "acme").await;
        let key = IdempotencyKey {
            tenant: world.tenant.id,
            principal: "tok_1".to_owned(),
            method: "POST".to_owned(),
            path: "/api/v1/apis".to_owned(),
            key: "k".to_owned(),
        };
        let begin = |hash: u8, at| { let (store, key) = (&store, &key); async move { store.begin_idempotent(key, [hash; 32], at).await.unwrap() } };
        assert_eq!(begin(1, NOW).await, StoredAnswer::Fresh);
        assert_eq!(begin(1, NOW).await, StoredAnswer::InProgress);
        assert_eq!(begin(2, NOW).await, StoredAnswer::Mismatch);
        store.abandon_idempotent(&key, NOW).await.unwrap();
        assert_eq!(begin(2, NOW).await, StoredAnswer::Fresh);
        store.finish_idempotent(&key, NOW, 201, b"sealed").await.unwrap();
        assert_eq!(begin(2, NOW).await, StoredAnswer::Kept(b"sealed".to_vec()));
        let tomorrow = NOW.plus(Duration::from_secs(86_401));
        assert_eq!(begin(1, tomorrow).await, StoredAnswer::Fresh);
        assert_eq!(store.forget_idempotent(tomorrow.plus(Duration::from_secs(86_401))).await.unwrap(), 1);
    }
}
