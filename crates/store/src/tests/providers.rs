//! The provider's side: versions, documents, upstreams, plans.

use gatewright_model::api::{Deprecation, VersionState};
use gatewright_model::id::EntityId;
use gatewright_model::page::PageRequest;
use gatewright_model::plan::{Coverage, PlanVersion};

use crate::api::ApiFilter;
use crate::error::{Rule, StoreError};
use crate::testing::sample::{World, id, limit, operation, plan, revision, upstream, version};
use crate::testing::{NOW, store_test};

store_test! {
    async fn a_version_keeps_its_announced_end(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut tx = store.begin(world.scope()).await.unwrap();
        let mut next = version(&world.api);
        next.label = "v2".parse().unwrap();
        tx.versions().insert(&next).await.unwrap();
        let mut old = world.version.clone();
        old.state = VersionState::Deprecated;
        old.deprecation = Some(Deprecation {
            deprecated_at: NOW,
            sunset_at: NOW,
            successor: Some(next.id),
            message: Some("move on".parse().unwrap()),
        });
        let old = tx.versions().update(&old).await.unwrap();
        assert_eq!(tx.versions().find_by_label(world.api.id, &old.label).await.unwrap(), Some(old.clone()));
        assert_eq!(tx.versions().due_sunset(NOW, 10).await.unwrap(), std::slice::from_ref(&old));
        let summaries = tx.versions().summaries(&[world.api.id]).await.unwrap();
        let states: Vec<_> = summaries[&world.api.id].iter().map(|one| one.state).collect();
        assert_eq!(states.len(), 2);

        let mut blocked = next.clone();
        blocked.state = VersionState::Blocked;
        let refused = tx.versions().update(&blocked).await.unwrap_err();
        assert!(matches!(refused, StoreError::Refused(_)), "a block without a reason: {refused:?}");
    }
}

store_test! {
    async fn a_document_is_kept_once_byte_for_byte(store: Store) {
        let world = World::make(&store, "acme").await;
        let raw = b"openapi: 3.1.0\n# caf\xc3\xa9\n".repeat(100);
        let operations: Vec<_> = (0..3_000).map(operation).collect();
        let first = revision(&world.version, &raw, operations.len());
        let mut tx = store.begin(world.scope()).await.unwrap();
        tx.revisions().insert(&first, raw.clone(), &operations).await.unwrap();
        let mut second = first.clone();
        second.id = id();
        let taken = tx.revisions().insert(&second, raw.clone(), &[]).await.unwrap_err();
        assert_eq!(taken.rule(), Some(Rule::RevisionNumber));
        drop(tx);

        let mut tx = store.begin(world.scope()).await.unwrap();
        tx.revisions().insert(&first, raw.clone(), &operations).await.unwrap();
        let mut next = version(&world.api);
        next.label = "v2".parse().unwrap();
        tx.versions().insert(&next).await.unwrap();
        second.version_id = next.id;
        tx.revisions().copy(first.id, &second).await.unwrap();
        tx.commit(NOW).await.unwrap();

        let mut tx = store.read(world.scope()).await.unwrap();
        assert_eq!(tx.revisions().document(&first.document_hash).await.unwrap(), Some(raw));
        assert_eq!(tx.revisions().last_number(world.version.id).await.unwrap(), 1);
        assert_eq!(tx.revisions().find(first.id).await.unwrap(), Some(first.clone()));
        let copied = tx.revisions().operations(second.id).await.unwrap();
        assert_eq!(copied.len(), 3_000);
        assert_eq!((copied[2_999].key.as_str(), copied[2_999].summary.as_str()), ("op2999", "a\u{fffd}b"));
    }
}

store_test! {
    async fn an_upstream_is_replaced_as_a_whole(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut tx = store.begin(world.scope()).await.unwrap();
        let mut wanted = upstream();
        tx.upstreams().put(world.version.id, &wanted).await.unwrap();
        assert_eq!(tx.upstreams().find(world.version.id).await.unwrap(), Some(wanted.clone()));
        wanted.targets.truncate(1);
        wanted.timeouts.connect_ms = 7;
        tx.upstreams().put(world.version.id, &wanted).await.unwrap();
        assert_eq!(tx.upstreams().find(world.version.id).await.unwrap(), Some(wanted));
    }
}

store_test! {
    async fn plans_keep_the_history_of_their_limits(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut tx = store.begin(world.scope()).await.unwrap();
        let mut changed = world.plan.clone();
        changed.versions = Coverage::Only(vec![world.version.id]);
        let changed = tx.plans().update(&changed).await.unwrap();
        let mut kept = world.plan.current.limits[0].clone();
        kept.amount = 10;
        let next = PlanVersion { id: id(), number: 2, limits: vec![kept, limit("third")], created_at: NOW };
        tx.plans().add_version(changed.id, &next).await.unwrap();
        assert_eq!(tx.subscriptions().repin(changed.id, next.id, NOW).await.unwrap(), [world.subscription.id]);
        tx.commit(NOW).await.unwrap();

        let mut tx = store.begin(world.scope()).await.unwrap();
        let found = tx.plans().find_by_slug(world.api.id, &changed.slug).await.unwrap().unwrap();
        assert_eq!((&found.versions, &found.current, found.row_version), (&changed.versions, &next, 2));
        assert_eq!(tx.plans().limit_history(changed.id).await.unwrap(), [world.plan.current.clone(), next.clone()]);
        assert_eq!(tx.plans().of_api(world.api.id).await.unwrap(), std::slice::from_ref(&found));
        assert_eq!(tx.plans().list(world.api.id, PageRequest::default()).await.unwrap().items, [found]);
        assert_eq!(tx.plans().version(world.plan.current.id).await.unwrap(), Some(world.plan.current.clone()));
        let pinned = tx.subscriptions().find(world.subscription.id).await.unwrap().unwrap();
        assert_eq!((pinned.plan_version_id, pinned.row_version), (next.id, 2));
        let twin = tx.plans().insert(&plan(&world.api)).await.unwrap_err();
        assert_eq!(twin.rule(), Some(Rule::PlanSlug));
    }
}

store_test! {
    async fn apis_are_found_by_part_of_a_name_and_by_who_looks(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut tx = store.read(world.scope()).await.unwrap();
        for (q, found) in [("RDER", 1), ("100%", 1), ("10_%", 0), ("\\", 0), ("nothing", 0)] {
            let filter = ApiFilter { q: Some(q.to_owned()), ..ApiFilter::default() };
            let listed = tx.apis().list(&filter, PageRequest::default()).await.unwrap();
            assert_eq!(listed.items.len(), found, "{q}");
        }
        drop(tx);
        let mut tx = store.begin(world.scope()).await.unwrap();
        let mut hidden = world.api.clone();
        hidden.visibility = gatewright_model::api::Visibility::Private;
        tx.apis().update(&hidden).await.unwrap();
        for (teams, found) in [(vec![], 0), (vec![world.team.id], 1)] {
            let filter = ApiFilter { seen_by: Some(teams), ..ApiFilter::default() };
            assert_eq!(tx.apis().list(&filter, PageRequest::default()).await.unwrap().items.len(), found);
        }
    }
}

store_test! {
    async fn an_api_is_found_by_the_teams_that_it_names(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut named = world.team.clone();
        named.id = id();
        named.slug = "named".parse().unwrap();
        let mut api = world.api.clone();
        api.visibility = gatewright_model::api::Visibility::Teams;
        api.visible_to = vec![named.id];
        let mut tx = store.begin(world.scope()).await.unwrap();
        tx.teams().insert(&named).await.unwrap();
        let mut api = tx.apis().update(&api).await.unwrap();
        assert_eq!(tx.apis().find(api.id).await.unwrap().as_ref(), Some(&api));
        let seen_by = |team| ApiFilter { seen_by: Some(vec![team]), ..ApiFilter::default() };
        for (team, found) in [(named.id, vec![api.clone()]), (world.team.id, vec![api.clone()]), (id(), vec![])] {
            assert_eq!(tx.apis().list(&seen_by(team), PageRequest::default()).await.unwrap().items, found);
        }
        api.visibility = gatewright_model::api::Visibility::Private;
        api.visible_to = Vec::new();
        tx.apis().update(&api).await.unwrap();
        assert_eq!(tx.apis().list(&seen_by(named.id), PageRequest::default()).await.unwrap().items, []);
    }
}

store_test! {
    async fn a_draft_goes_with_everything_below(store: Store) {
        let world = World::make(&store, "acme").await;
        let mut tx = store.begin(world.scope()).await.unwrap();
        let mut draft = world.api.clone();
        draft.id = id();
        draft.slug = "draft".parse().unwrap();
        draft.context_path = "/draft".parse().unwrap();
        draft.visibility = gatewright_model::api::Visibility::Teams;
        draft.visible_to = vec![world.team.id];
        tx.apis().insert(&draft).await.unwrap();
        let mut first = version(&draft);
        tx.versions().insert(&first).await.unwrap();
        let document = revision(&first, b"{}", 2);
        tx.revisions().insert(&document, b"{}".to_vec(), &[operation(1), operation(2)]).await.unwrap();
        first.revision_id = Some(document.id);
        tx.versions().update(&first).await.unwrap();
        tx.upstreams().put(first.id, &upstream()).await.unwrap();
        let mut terms = plan(&draft);
        terms.versions = Coverage::Only(vec![first.id]);
        tx.plans().insert(&terms).await.unwrap();
        tx.commit(NOW).await.unwrap();

        let mut tx = store.begin(world.scope()).await.unwrap();
        tx.apis().delete(draft.id).await.unwrap();
        tx.commit(NOW).await.unwrap();
        let mut tx = store.begin(world.scope()).await.unwrap();
        assert_eq!(tx.apis().find(draft.id).await.unwrap(), None);
        assert_eq!(tx.plans().find(terms.id).await.unwrap(), None);
        assert!(tx.subscriptions().any_of_api(world.api.id).await.unwrap());
        let kept = tx.apis().delete(world.api.id).await.unwrap_err();
        assert!(matches!(kept, StoreError::Refused(_)), "{kept:?}");
        assert!(draft.id.uuid() != world.api.id.uuid());
    }
}
