//! What every aggregate relies on: values survive, conflicts are named, a
//! rollback leaves nothing, streams and bulks work.

use futures_util::TryStreamExt;
use gatewright_model::id::EntityId;
use gatewright_model::page::{PageRequest, PageSize};

use crate::conn::Scope;
use crate::error::{Rule, StoreError};
use crate::testing::sample::{World, credential, entry, hash, id, tenant};
use crate::testing::{NOW, store_test};

store_test! {
    async fn values_survive(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut tx = store.read(world.scope()).await.unwrap();
        // uuid, time, JSON, words, NULL and text in one round trip each.
        assert_eq!(tx.tenants().find(world.tenant.id).await.unwrap(), Some(world.tenant.clone()));
        assert_eq!(tx.teams().find(world.team.id).await.unwrap(), Some(world.team.clone()));
        assert_eq!(tx.users().find_by_email(&world.user.email).await.unwrap(), Some(world.user.clone()));
        assert_eq!(tx.users().password_hash(world.user.id).await.unwrap().as_deref(), Some("$argon2id$x"));
        assert_eq!(tx.apis().find_by_slug(&world.api.slug).await.unwrap(), Some(world.api.clone()));
        assert_eq!(tx.versions().find(world.version.id).await.unwrap(), Some(world.version.clone()));
        assert_eq!(tx.plans().find(world.plan.id).await.unwrap(), Some(world.plan.clone()));
        assert_eq!(tx.applications().find(world.application.id).await.unwrap(), Some(world.application.clone()));
        assert_eq!(tx.subscriptions().find(world.subscription.id).await.unwrap(), Some(world.subscription.clone()));
        assert_eq!(tx.credentials().find_by_hash(&world.credential.hash).await.unwrap(), Some(world.credential.clone()));
        assert_eq!(tx.credentials().find(id()).await.unwrap(), None);
    }
}

store_test! {
    async fn conflicts_name_their_rule(store: Store) {
        let world = World::make(&store, "acme").await;
        let begin = || store.begin(world.scope());
        let error = store.begin(Scope::System).await.unwrap().tenants().insert(&tenant("acme")).await.unwrap_err();
        assert_eq!(error.rule(), Some(Rule::TenantSlug));

        let mut twin = world.api.clone();
        twin.id = id();
        twin.context_path = "/other".parse().unwrap();
        let error = begin().await.unwrap().apis().insert(&twin).await.unwrap_err();
        assert_eq!(error.rule(), Some(Rule::ApiSlug));
        twin.slug = "other".parse().unwrap();
        twin.context_path = world.api.context_path.clone();
        let error = begin().await.unwrap().apis().insert(&twin).await.unwrap_err();
        assert_eq!(error.rule(), Some(Rule::ApiContextPath));

        let mut again = world.subscription.clone();
        again.id = id();
        let error = begin().await.unwrap().subscriptions().insert(&again).await.unwrap_err();
        assert_eq!(error.rule(), Some(Rule::LiveSubscription));
        let mut twin = world.team.clone();
        twin.slug = "other".parse().unwrap();
        let error = begin().await.unwrap().teams().insert(&twin).await.unwrap_err();
        assert_eq!(error.rule(), Some(Rule::PrimaryKey));

        let mut lost = world.application.clone();
        (lost.id, lost.team_id) = (id(), id());
        lost.slug = "lost".parse().unwrap();
        let error = begin().await.unwrap().applications().insert(&lost).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    }
}

store_test! {
    async fn a_rollback_and_a_drop_leave_nothing(store: Store) {
        let world = World::make(&store, "acme").await;
        for rolled_back in [true, false] {
            let mut tx = store.begin(world.scope()).await.unwrap();
            tx.credentials().insert(&credential(&world.application)).await.unwrap();
            tx.audit(entry(world.tenant.id, "credential.issue"));
            if rolled_back {
                tx.rollback().await.unwrap();
            } else {
                drop(tx);
            }
        }
        let mut tx = store.read(world.scope()).await.unwrap();
        assert_eq!(tx.credentials().of_application(world.application.id).await.unwrap().len(), 1);
        assert_eq!(tx.audit_events().verify(world.tenant.id).await.unwrap().checked, 1);
    }
}

store_test! {
    async fn a_changed_row_is_stale(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut tx = store.begin(world.scope()).await.unwrap();
        let mut first = world.api.clone();
        first.name = "First".parse().unwrap();
        let first = tx.apis().update(&first).await.unwrap();
        assert_eq!(first.row_version, 2);
        tx.commit(NOW).await.unwrap();

        let mut tx = store.begin(world.scope()).await.unwrap();
        let late = tx.apis().update(&world.api).await.unwrap_err();
        assert!(matches!(late, StoreError::Stale));
        drop(tx);
        let mut tx = store.read(world.scope()).await.unwrap();
        assert_eq!(tx.apis().find(world.api.id).await.unwrap(), Some(first));
    }
}

store_test! {
    async fn bulks_are_written_streamed_and_paged(store: Store) {
        let world = World::make(&store, "acme").await;
        let many: Vec<_> = (0..4_000).map(|_| credential(&world.application)).collect();
        let mut tx = store.begin(world.scope()).await.unwrap();
        tx.insert_all(&many).await.unwrap();
        tx.conn.commit().await.unwrap();

        let mut tx = store.read(world.scope()).await.unwrap();
        let select = tx.select::<gatewright_model::consumer::Credential>();
        let streamed: Vec<_> = tx.conn.stream(&select).try_collect().await.unwrap();
        assert_eq!(streamed.len(), 4_001);

        let mut seen = std::collections::BTreeSet::new();
        let mut page = PageRequest { size: PageSize::new(200).unwrap(), after: None };
        loop {
            let found = tx.credentials().list(world.application.id, page).await.unwrap();
            assert!(found.items.is_sorted_by_key(|credential| std::cmp::Reverse(credential.id.uuid())));
            seen.extend(found.items.iter().map(|credential| credential.id));
            page.after = found.next;
            if page.after.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 4_001);
    }
}

store_test! {
    async fn a_reading_transaction_sees_one_state_and_writes_nothing(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut reading = store.read(world.scope()).await.unwrap();
        assert_eq!(reading.tokens().list(None, PageRequest::default()).await.unwrap().items.len(), 0);
        let mut tx = store.begin(world.scope()).await.unwrap();
        let mut changed = world.api.clone();
        changed.name = "Changed".parse().unwrap();
        tx.apis().update(&changed).await.unwrap();
        tx.commit(NOW).await.unwrap();
        assert_eq!(reading.apis().find(world.api.id).await.unwrap(), Some(world.api.clone()));
        reading.credentials().insert(&credential(&world.application)).await.unwrap_err();
    }
}

store_test! {
    async fn a_value_that_cannot_be_read_names_its_place(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut tx = store.begin(world.scope()).await.unwrap();
        let mut update = sea_query::Query::update();
        update.table("credential").value("hash", vec![1_u8, 2]);
        tx.conn.execute(&update).await.unwrap();
        let corrupt = tx.credentials().find(world.credential.id).await.unwrap_err();
        let StoreError::Corrupt { table, column, row } = corrupt else { panic!("{corrupt:?}") };
        assert_eq!((table, column), ("credential", "hash"));
        assert_eq!(row, world.credential.id.uuid().to_string());
    }
}

store_test! {
    async fn tokens_are_found_stamped_and_revoked(store: Store) {
        use gatewright_model::tenancy::ManagementToken;
        use gatewright_model::permission::Permission;
        use std::time::Duration;
        let world = World::make(&store, "acme").await;
        let secret = hash();
        let token = ManagementToken {
            id: id(),
            tenant_id: world.tenant.id,
            user_id: world.user.id,
            name: "ci".parse().unwrap(),
            scopes: vec![Permission::ApisRead, Permission::UsageRead],
            hint: world.credential.hint.clone(),
            expires_at: Some(NOW),
            revoked_at: None,
            last_used_at: None,
            created_at: NOW,
        };
        let mut tx = store.begin(world.scope()).await.unwrap();
        tx.tokens().insert(&token, &secret).await.unwrap();
        tx.commit(NOW).await.unwrap();
        store.stamp_token_use(token.id, NOW).await.unwrap();
        store.stamp_token_use(token.id, NOW.plus(Duration::from_secs(30))).await.unwrap();
        let mut tx = store.begin(Scope::System).await.unwrap();
        let found = tx.tokens().find_by_hash(&secret).await.unwrap().unwrap();
        assert_eq!(found, ManagementToken { last_used_at: Some(NOW), ..token.clone() });
        assert!(tx.tokens().revoke(token.id, NOW).await.unwrap());
        assert!(!tx.tokens().revoke(token.id, NOW).await.unwrap());
    }
}
