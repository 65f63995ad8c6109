//! The walls between tenants, and that there are two.

use gatewright_model::page::PageRequest;
use sea_query::Query;

use crate::api::ApiFilter;
use crate::conn::{Access, Scope};
use crate::error::StoreError;
use crate::schema::TABLES;
use crate::testing::sample::{World, credential, entry};
use crate::testing::{Fresh, NOW, store_test};

store_test! {
    async fn a_tenant_sees_and_writes_only_its_own(store: Store) {
        let ours = World::make(&store, "ours").await;
        let theirs = World::make(&store, "theirs").await;
        let mut tx = store.begin(ours.scope()).await.unwrap();
        assert_eq!(tx.apis().find(theirs.api.id).await.unwrap(), None);
        assert_eq!(tx.apis().lock(theirs.api.id).await.unwrap(), None);
        assert_eq!(tx.tenants().find(theirs.tenant.id).await.unwrap(), None);
        assert_eq!(tx.plans().find(theirs.plan.id).await.unwrap(), None);
        assert_eq!(tx.credentials().find_by_hash(&theirs.credential.hash).await.unwrap(), None);
        assert_eq!(tx.subscriptions().live_of_plan(theirs.plan.id).await.unwrap(), []);
        assert_eq!(tx.users().password_hash(theirs.user.id).await.unwrap(), None);
        assert_eq!(tx.upstreams().find(theirs.version.id).await.unwrap(), None);
        let listed = tx.apis().list(&ApiFilter::default(), PageRequest::default()).await.unwrap();
        assert_eq!(listed.items, std::slice::from_ref(&ours.api));
        assert!(matches!(tx.apis().update(&theirs.api).await, Err(StoreError::Stale)));
        let foreign = tx.credentials().insert(&credential(&theirs.application)).await;
        assert!(matches!(foreign, Err(StoreError::ForeignTenant { table: "credential" })));
        tx.audit(entry(theirs.tenant.id, "theirs"));
        assert!(matches!(tx.commit(NOW).await, Err(StoreError::ForeignTenant { table: "audit_event" })));
    }
}

store_test! {
    async fn no_row_points_into_another_tenant(store: Store) {
        let ours = World::make(&store, "ours").await;
        let theirs = World::make(&store, "theirs").await;
        let mut tx = store.begin(Scope::System).await.unwrap();
        let mut crossing = credential(&ours.application);
        crossing.application_id = theirs.application.id;
        let refused = tx.credentials().insert(&crossing).await.unwrap_err();
        assert!(matches!(refused, StoreError::Refused(_)), "{refused:?}");
    }
}

/// Row-level security stands even when a statement forgets the tenant.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_guards_every_table_by_itself() {
    let Some(fresh) = Fresh::postgres().await else {
        return;
    };
    let ours = World::make(&fresh.store, "ours").await;
    let theirs = World::make(&fresh.store, "theirs").await;
    let mut tx = fresh.store.begin(ours.scope()).await.unwrap();
    for table in TABLES {
        let owner = match table.name {
            "tenant" => "id",
            _ if table.columns.iter().any(|(column, _)| *column == "tenant_id") => "tenant_id",
            _ => continue,
        };
        let mut select = Query::select();
        select.column(owner).from(table.name);
        let owners: Vec<gatewright_model::id::TenantId> = tx
            .conn
            .fetch_all(&select)
            .await
            .unwrap()
            .iter()
            .map(|row| row.take(table.name, owner).unwrap())
            .collect();
        assert!(
            owners.iter().all(|owner| *owner == ours.tenant.id),
            "{}",
            table.name
        );
    }
    let mut select = Query::select();
    select.column("id").from("credential");
    assert_eq!(tx.conn.fetch_all(&select).await.unwrap().len(), 1);
    drop(tx);

    // Writing over the wall is refused too.
    let mut conn = fresh
        .store
        .control
        .begin(ours.scope(), Access::Write)
        .await
        .unwrap();
    let crossing = credential(&theirs.application);
    let rows = std::iter::once(crate::row::Record::values(&crossing));
    let columns = <gatewright_model::consumer::Credential as crate::row::Record>::COLUMNS;
    let insert = crate::tx::insert_into("credential", columns, rows);
    let refused = conn.execute(&insert).await.unwrap_err();
    assert!(matches!(refused, StoreError::Refused(_)), "{refused:?}");
    drop(conn);
    fresh.drop().await;
}

store_test! {
    async fn the_audit_trail_only_grows(store: Store) {
        let world = World::make(&store, "ours").await;
        for statement in ["update", "delete"] {
            let mut tx = store.begin(world.scope()).await.unwrap();
            let refused = if statement == "update" {
                tx.conn.execute(Query::update().table("audit_event").value("action", "x")).await
            } else {
                tx.conn.execute(Query::delete().from_table("audit_event")).await
            };
            let refused = refused.unwrap_err();
            assert!(matches!(refused, StoreError::Refused(_)), "{statement}: {refused:?}");
        }
    }
}
