//! The order of changes: numbers, deltas, snapshots, the audit chain, messages.

use std::collections::BTreeSet;

use gatewright_model::consumer::CredentialState;
use gatewright_model::id::{EntityId, OutboxId};
use gatewright_model::snapshot::{Delta, PartHash, PartKind};
use gatewright_model::time::Timestamp;
use serde_json::json;

use crate::change::OutboxEntry;
use crate::conn::Scope;
use crate::meta::MetaKey;
use crate::outbox::Topics;
use crate::testing::sample::{World, credential, entry, id};
use crate::testing::{NOW, store_test};

store_test! {
    async fn a_reader_that_saw_a_number_saw_everything_below(store: Store) {
        const WRITERS: usize = 8;
        const EACH: usize = 6;
        let world = World::make(&store, "acme").await;
        let mut tx = store.read(Scope::System).await.unwrap();
        let start = tx.head().await.unwrap();
        drop(tx);
        let application = world.application.clone();
        let scope = world.scope();
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                let (store, application) = (store.clone(), application.clone());
                tokio::spawn(async move {
                    let mut numbers = Vec::new();
                    for _ in 0..EACH {
                        let mut tx = store.begin(scope).await.unwrap();
                        tx.credentials().insert(&credential(&application)).await.unwrap();
                        numbers.push(tx.commit(NOW).await.unwrap().unwrap());
                    }
                    numbers
                })
            })
            .collect();
        let reader = {
            let store = store.clone();
            tokio::spawn(async move {
                let end = start + i64::try_from(WRITERS * EACH).unwrap();
                let (mut after, mut seen) = (start, Vec::new());
                while after < end {
                    let mut tx = store.read(Scope::System).await.unwrap();
                    let page = tx.deltas().since(after, 5).await.unwrap();
                    seen.extend(page.deltas.iter().map(Delta::seq));
                    after = page.range.through;
                    drop(tx);
                    tokio::task::yield_now().await;
                }
                seen
            })
        };
        let mut given = BTreeSet::new();
        for writer in writers {
            given.extend(writer.await.unwrap());
        }
        let expected: Vec<i64> = (start + 1..=start + i64::try_from(WRITERS * EACH).unwrap()).collect();
        assert_eq!(given.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(reader.await.unwrap(), expected);
        let mut tx = store.read(Scope::System).await.unwrap();
        assert_eq!(tx.audit_events().verify(world.tenant.id).await.unwrap().broken_at, None);
    }
}

store_test! {
    async fn a_page_of_deltas_never_cuts_a_change(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut tx = store.begin(world.scope()).await.unwrap();
        let before = tx.head().await.unwrap();
        let many: Vec<_> = (0..30).map(|_| credential(&world.application)).collect();
        for credential in &many {
            tx.credentials().insert(credential).await.unwrap();
        }
        let big = tx.commit(NOW).await.unwrap().unwrap();
        let mut tx = store.begin(world.scope()).await.unwrap();
        let mut revoked = many[0].clone();
        revoked.state = CredentialState::Revoked;
        tx.credentials().update(&revoked).await.unwrap();
        let last = tx.commit(NOW).await.unwrap().unwrap();

        let mut tx = store.read(Scope::System).await.unwrap();
        let first = tx.deltas().since(before, 10).await.unwrap();
        assert_eq!((first.deltas.len(), first.range.through, first.more), (29, big, true));
        let second = tx.deltas().since(first.range.through, 10).await.unwrap();
        assert_eq!((second.deltas.len(), second.range.through, second.more), (1, last, false));
        let Delta::Credential(delta) = &second.deltas[0] else { panic!() };
        assert_eq!((delta.id, delta.state, delta.seq), (revoked.id, CredentialState::Revoked, last));
        let empty = tx.deltas().since(last, 10).await.unwrap();
        assert_eq!((empty.deltas.len(), empty.range.through, empty.more), (0, last, false));

        let mut all = Vec::new();
        let head = tx.deltas().all(|delta| { all.push(delta); Ok(()) }).await.unwrap();
        assert_eq!(head, last);
        assert!(!all.iter().any(|delta| matches!(delta, Delta::Credential(one) if one.id == revoked.id)));
        assert_eq!(all.len(), 1 + 1 + 30);
    }
}

store_test! {
    async fn what_is_no_change_takes_no_number(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut tx = store.begin(Scope::System).await.unwrap();
        let before = tx.head().await.unwrap();
        tx.credentials().stamp_used(&[(world.credential.id, NOW)]).await.unwrap();
        tx.meta().set(MetaKey::InstallationId, "one").await.unwrap();
        assert_eq!(tx.commit(NOW).await.unwrap(), None);
        let mut tx = store.begin(Scope::System).await.unwrap();
        assert_eq!(tx.head().await.unwrap(), before);
        assert_eq!(tx.credentials().find(world.credential.id).await.unwrap().unwrap().last_used_at, Some(NOW));
        let [earlier, later] = [-1, 1].map(|by| Timestamp::from_millis(NOW.as_millis() + by));
        let second = credential(&world.application);
        tx.credentials().insert(&second).await.unwrap();
        tx.credentials().stamp_used(&[(world.credential.id, earlier), (second.id, later)]).await.unwrap();
        assert_eq!(tx.credentials().find(world.credential.id).await.unwrap().unwrap().last_used_at, Some(NOW));
        assert_eq!(tx.credentials().find(second.id).await.unwrap().unwrap().last_used_at, Some(later));
        assert_eq!(tx.meta().set_once(MetaKey::InstallationId, "two").await.unwrap(), "one");
        assert!(tx.meta().remove(MetaKey::InstallationId).await.unwrap());
        assert_eq!(tx.meta().get(MetaKey::InstallationId).await.unwrap(), None);
    }
}

store_test! {
    async fn the_chain_shows_a_forged_event(store: Store) {
        let world = World::make(&store, "acme").await;
        let other = World::make(&store, "other").await;
        for round in 0..3 {
            let mut tx = store.begin(world.scope()).await.unwrap();
            tx.audit(entry(world.tenant.id, &format!("thing.{round}")));
            tx.audit(entry(world.tenant.id, "thing.again"));
            tx.commit(NOW).await.unwrap();
        }
        let mut tx = store.read(world.scope()).await.unwrap();
        let verdict = tx.audit_events().verify(world.tenant.id).await.unwrap();
        assert_eq!((verdict.checked, verdict.broken_at), (7, None));
        let forged_at = tx.audit_events().list(&Default::default(), Default::default()).await.unwrap().items[2].seq;
        drop(tx);

        // Only who owns the tables can do this at all.
        let mut conn = store.control.begin_as_owner().await.unwrap();
        conn.run_fixed(match store.dialect() {
            crate::conn::Dialect::Postgres => "ALTER TABLE audit_event DISABLE TRIGGER audit_event_append_only",
            crate::conn::Dialect::Sqlite => "DROP TRIGGER audit_event_no_update",
        }).await.unwrap();
        let mut update = sea_query::Query::update();
        use sea_query::ExprTrait;
        update.table("audit_event").value("details", json!({"b": 2})).and_where(sea_query::Expr::col("seq").eq(forged_at))
            .and_where(crate::row::is("tenant_id", &world.tenant.id));
        assert_eq!(conn.execute(&update).await.unwrap(), 2);
        conn.commit().await.unwrap();
        let mut tx = store.read(Scope::System).await.unwrap();
        assert_eq!(tx.audit_events().verify(world.tenant.id).await.unwrap().broken_at, Some(forged_at));
        assert_eq!(tx.audit_events().verify(other.tenant.id).await.unwrap().broken_at, None);
    }
}

store_test! {
    async fn snapshots_are_parts_in_force(store: Store) {
        let world = World::make(&store, "acme").await;
        let (api, version) = (world.api.id.uuid(), world.version.id.uuid());
        let mut tx = store.begin(world.scope()).await.unwrap();
        assert_eq!(tx.snapshots().manifest(None).await.unwrap().seq, 0);
        tx.put_part(PartKind::Api, api, Some(b"api 1".to_vec()));
        tx.put_part(PartKind::Version, version, Some(b"version 1".to_vec()));
        tx.audit(entry(world.tenant.id, "version.publish"));
        let first = tx.commit(NOW).await.unwrap().unwrap();

        let mut tx = store.begin(world.scope()).await.unwrap();
        tx.put_part(PartKind::Api, api, Some(b"api 2".to_vec()));
        tx.put_part(PartKind::Version, version, Some(b"version 1".to_vec()));
        let second = tx.commit(NOW).await.unwrap().unwrap();

        let mut tx = store.begin(world.scope()).await.unwrap();
        tx.put_part(PartKind::Api, api, Some(b"api 2".to_vec()));
        tx.commit(NOW).await.unwrap().unwrap();

        let mut tx = store.begin(world.scope()).await.unwrap();
        tx.put_part(PartKind::Version, version, None);
        let third = tx.commit(NOW).await.unwrap().unwrap();

        let mut tx = store.begin(Scope::System).await.unwrap();
        let hashes = |manifest: gatewright_model::snapshot::Manifest| {
            (manifest.seq, manifest.parts.into_iter().map(|part| part.hash).collect::<Vec<_>>())
        };
        let (one, two, body) = (PartHash::of(b"api 1"), PartHash::of(b"api 2"), PartHash::of(b"version 1"));
        assert_eq!(hashes(tx.snapshots().manifest(Some(first)).await.unwrap()), (first, vec![one, body]));
        assert_eq!(hashes(tx.snapshots().manifest(Some(second)).await.unwrap()), (second, vec![two, body]));
        assert_eq!(hashes(tx.snapshots().manifest(None).await.unwrap()), (third, vec![two]));
        assert_eq!(tx.snapshots().head().await.unwrap(), third);
        assert_eq!(tx.snapshots().parts(&[two]).await.unwrap(), [(two, b"api 2".to_vec())]);
        let history = tx.snapshots().list(None, 10).await.unwrap();
        let lines: Vec<_> = history.iter().map(|line| (line.seq, line.cause.as_str(), line.changed)).collect();
        assert_eq!(lines, [(third, "system", 1), (second, "system", 1), (first, "version.publish", 2)]);

        assert_eq!(tx.snapshots().prune(2).await.unwrap(), 1);
        assert_eq!(hashes(tx.snapshots().manifest(Some(second)).await.unwrap()), (second, vec![two, body]));
        assert_eq!(tx.snapshots().parts(&[one]).await.unwrap(), []);
        assert_eq!(tx.snapshots().prune(1).await.unwrap(), 1);
        assert_eq!(hashes(tx.snapshots().manifest(None).await.unwrap()), (third, vec![two]));
    }
}

store_test! {
    async fn messages_are_claimed_once_and_come_back(store: Store) {
        use std::time::Duration;
        let world = World::make(&store, "acme").await;
        let mut tx = store.begin(world.scope()).await.unwrap();
        let ids: [OutboxId; 2] = [id(), id()];
        for id in ids {
            let (topic, payload) = ("thing.done".to_owned(), json!({"x": 1}));
            tx.outbox(OutboxEntry { id, tenant_id: world.tenant.id, topic, payload, created_at: NOW });
        }
        let seq = tx.commit(NOW).await.unwrap().unwrap();

        let later = NOW.plus(Duration::from_secs(60));
        let mut tx = store.begin(Scope::System).await.unwrap();
        let claimed = tx.outbox_messages().claim(Topics::AllBut("mail"), NOW, later, 10).await.unwrap();
        assert_eq!(claimed.len(), 2);
        assert!(claimed.iter().all(|message| message.seq == seq && message.attempts == 0));
        tx.commit(NOW).await.unwrap();

        let mut tx = store.begin(Scope::System).await.unwrap();
        assert_eq!(tx.outbox_messages().claim(Topics::AllBut("mail"), NOW, later, 10).await.unwrap(), []);
        tx.outbox_messages().remove(ids[0]).await.unwrap();
        tx.outbox_messages().retry(ids[1], later, "503").await.unwrap();
        let again = tx.outbox_messages().claim(Topics::AllBut("mail"), later, later, 10).await.unwrap();
        assert_eq!(again.len(), 1);
        assert_eq!((again[0].id, again[0].attempts, again[0].last_error.as_deref()), (ids[1], 1, Some("503")));
    }
}

store_test! {
    async fn nodes_report_and_are_forgotten(store: Store) {
        use crate::node::{GatewayNode, NodeState};
        use std::time::Duration;
        let mut node = GatewayNode {
            id: id(),
            name: "edge-1".to_owned(),
            version: "0.1.0".to_owned(),
            roles: vec!["gateway".to_owned()],
            state: NodeState::Starting,
            applied_seq: 0,
            applied_delta_seq: 0,
            problem: None,
            started_at: NOW,
            last_seen_at: NOW,
        };
        let mut tx = store.begin(Scope::System).await.unwrap();
        tx.nodes().report(&node).await.unwrap();
        node.state = NodeState::Serving;
        node.applied_seq = 7;
        node.last_seen_at = NOW.plus(Duration::from_secs(1));
        tx.nodes().report(&node).await.unwrap();
        assert_eq!(tx.nodes().seen_since(NOW).await.unwrap(), [node.clone()]);
        assert_eq!(tx.nodes().count_serving(node.last_seen_at).await.unwrap(), 1);
        assert_eq!(tx.nodes().forget_silent(NOW.plus(Duration::from_secs(2))).await.unwrap(), 1);
        assert_eq!(tx.nodes().find(node.id).await.unwrap(), None);
    }
}
