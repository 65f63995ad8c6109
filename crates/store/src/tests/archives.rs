//! Archives: from either database into either database, whole or not at all.

use gatewright_model::snapshot::PartKind;
use uuid::Uuid;

use super::traffic::{call, rollup};
use crate::archive::{ArchiveFacts, BackupOptions};
use crate::call::CallFilter;
use crate::conn::Scope;
use crate::error::{Rule, StoreError};
use crate::meta::MetaKey;
use crate::store::Store;
use crate::testing::sample::{World, credential, operation, revision, upstream};
use crate::testing::{Fresh, NOW, store_test};

async fn filled(store: &Store) -> World {
    let world = World::make(store, "acme").await;
    let mut tx = store.begin(world.scope()).await.unwrap();
    let document = revision(&world.version, b"{}", 1);
    tx.revisions()
        .insert(&document, b"{}".to_vec(), &[operation(1)])
        .await
        .unwrap();
    let mut version = world.version.clone();
    version.revision_id = Some(document.id);
    tx.versions().update(&version).await.unwrap();
    tx.upstreams().put(version.id, &upstream()).await.unwrap();
    tx.put_part(PartKind::Api, Uuid::from_u128(1), Some(vec![0, 255, 10]));
    tx.commit(NOW).await.unwrap();
    let calls = [call(&world, NOW, 200, 1_000)];
    store
        .write_traffic(Uuid::from_u128(1), &calls, &[rollup(&calls[0])], NOW)
        .await
        .unwrap();
    world
}

async fn backup(store: &Store, calls: bool) -> Vec<u8> {
    let mut archive = Vec::new();
    store
        .backup(&mut archive, BackupOptions { calls }, NOW)
        .await
        .unwrap();
    archive
}

async fn check_copy(copy: &Store, world: &World, head: i64) {
    let mut tx = copy.begin(world.scope()).await.unwrap();
    assert_eq!(tx.head().await.unwrap(), head);
    assert_eq!(
        tx.tenants().find(world.tenant.id).await.unwrap(),
        Some(world.tenant.clone())
    );
    assert_eq!(
        tx.plans().find(world.plan.id).await.unwrap(),
        Some(world.plan.clone())
    );
    assert_eq!(
        tx.upstreams().find(world.version.id).await.unwrap(),
        Some(upstream())
    );
    assert_eq!(
        tx.credentials()
            .find_by_hash(&world.credential.hash)
            .await
            .unwrap(),
        Some(world.credential.clone())
    );
    let verdict = tx.audit_events().verify(world.tenant.id).await.unwrap();
    assert_eq!((verdict.checked, verdict.broken_at), (1, None));
    // Work goes on where it stopped.
    tx.credentials()
        .insert(&credential(&world.application))
        .await
        .unwrap();
    assert_eq!(tx.commit(NOW).await.unwrap(), Some(head + 1));
    check_rest(copy, world).await;
}

async fn check_rest(copy: &Store, world: &World) {
    let calls = copy
        .calls(world.tenant.id, &CallFilter::default(), Default::default())
        .await
        .unwrap();
    assert_eq!(calls.items.len(), 1);
    let mut tx = copy.read(Scope::System).await.unwrap();
    let manifest = tx.snapshots().manifest(None).await.unwrap();
    let parts = tx.snapshots().parts(&[manifest.parts[0].hash]).await.unwrap();
    assert_eq!(parts[0].1, [0, 255, 10]);
}

store_test! {
    async fn either_database_restores_it(store: Store) {
        let world = filled(&store).await;
        let head = store.read(Scope::System).await.unwrap().head().await.unwrap();
        let archive = backup(&store, true).await;
        assert_eq!(archive, backup(&store, true).await, "the same store gives the same archive");
        let sqlite = Fresh::sqlite().await;
        let rows = sqlite.store.restore(&mut archive.as_slice()).await.unwrap();
        assert!(rows > 20, "{rows}");
        check_copy(&sqlite.store, &world, head).await;
        let full = sqlite.store.restore(&mut archive.as_slice()).await.unwrap_err();
        assert!(matches!(full, StoreError::Archive(_)), "{full:?}");
        sqlite.drop().await;
        if let Some(postgres) = Fresh::postgres().await {
            postgres.store.restore(&mut archive.as_slice()).await.unwrap();
            check_copy(&postgres.store, &world, head).await;
            postgres.drop().await;
        }
    }
}

store_test! {
    async fn a_cut_or_foreign_archive_leaves_nothing(store: Store) {
        let source = Fresh::sqlite().await;
        filled(&source.store).await;
        let archive = backup(&source.store, false).await;
        let foreign = b"not an archive".to_vec();
        for broken in [archive[..archive.len() / 2].to_vec(), archive[..archive.len() - 20].to_vec(), foreign, Vec::new()] {
            let refused = store.restore(&mut broken.as_slice()).await.unwrap_err();
            assert!(matches!(refused, StoreError::Archive(_)), "{refused:?}");
        }
        store.restore(&mut archive.as_slice()).await.unwrap();
        let twice = World::make(&store, "other").await;
        let mut tx = store.begin(Scope::System).await.unwrap();
        let clash = tx.tenants().insert(&twice.tenant).await.unwrap_err();
        assert_eq!(clash.rule().map(|rule| rule == Rule::PrimaryKey || rule == Rule::TenantSlug), Some(true));
        source.drop().await;
    }
}

#[tokio::test]
async fn an_archive_tells_of_its_key_before_anything_is_written() {
    let fresh = Fresh::sqlite().await;
    filled(&fresh.store).await;
    let mut tx = fresh.store.begin(Scope::System).await.unwrap();
    tx.meta().set(MetaKey::MasterKeyCheck, "abc").await.unwrap();
    tx.commit(NOW).await.unwrap();
    let archive = backup(&fresh.store, false).await;
    let facts = ArchiveFacts::read(&mut archive.as_slice()).await.unwrap();
    assert_eq!(facts.master_key_check.as_deref(), Some("abc"));
    let cut = &archive[..archive.len() / 2];
    for broken in [cut, b"no archive".as_slice(), b""] {
        let refusal = ArchiveFacts::read(&mut &*broken).await.unwrap_err();
        assert!(matches!(refusal, StoreError::Archive(_)), "{refusal}");
    }
    fresh.drop().await;
}
