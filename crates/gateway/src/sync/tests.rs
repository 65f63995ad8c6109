use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_model::consumer::CredentialState;
use gatewright_model::snapshot::{Delta, Manifest, PartHash};
use gatewright_model::time::Timestamp;
use tokio::sync::Notify;

use super::*;
use crate::source::DeltaPage;
use crate::testing::{Parts, api_part, credential, eventually, id, runtime, tenant_part, version_part};

/// A source that tests write to.
#[derive(Default)]
struct Fixture {
    state: Mutex<State>,
    notice: Notify,
    away: AtomicBool,
    parts_asked: AtomicUsize,
    reports: Mutex<Vec<NodeStatus>>,
}

#[derive(Default, Clone)]
struct State {
    head: i64,
    parts: Parts,
    manifest: Option<Manifest>,
    deltas: Vec<Delta>,
}

impl Fixture {
    /// A tenant, an API, a version with this label, and a key.
    fn new() -> Arc<Self> {
        let fixture = Arc::new(Self::default());
        fixture.publish("v1");
        fixture.change(|seq| credential(seq, 1, 1));
        fixture
    }

    fn publish(&self, label: &str) {
        let mut state = self.state.lock().unwrap();
        state.head += 1;
        state.parts.tenant(&tenant_part(1, "default"));
        state.parts.api(&api_part(1, 1, "/shop"));
        state.parts.version(&version_part(1, 1, label));
        state.manifest = Some(state.parts.manifest(state.head));
    }

    fn change(&self, delta: impl FnOnce(i64) -> gatewright_model::snapshot::CredentialDelta) {
        let mut state = self.state.lock().unwrap();
        state.head += 1;
        let delta = Delta::Credential(delta(state.head));
        state.deltas.push(delta);
    }

    fn revoke(&self, number: u128) {
        self.change(|seq| {
            let mut delta = credential(seq, number, 1);
            delta.state = CredentialState::Revoked;
            delta
        });
    }

    fn answer<T>(&self, value: impl FnOnce(&State) -> T) -> Result<T, Away> {
        match self.away.load(Ordering::Relaxed) {
            true => Err(Away::because("switched off")),
            false => Ok(value(&self.state.lock().unwrap())),
        }
    }

    fn last_report(&self) -> NodeStatus {
        self.reports.lock().unwrap().last().unwrap().clone()
    }
}

impl ConfigSource for Fixture {
    fn head(&self) -> BoxFuture<'_, Result<i64, Away>> {
        async { self.answer(|state| state.head) }.boxed()
    }

    fn manifest(&self, after: i64) -> BoxFuture<'_, Result<Option<Manifest>, Away>> {
        async move { self.answer(|state| state.manifest.clone().filter(|manifest| manifest.seq > after)) }
            .boxed()
    }

    fn parts<'a>(&'a self, hashes: &'a [PartHash]) -> BoxFuture<'a, Result<Vec<(PartHash, Bytes)>, Away>> {
        self.parts_asked.fetch_add(hashes.len(), Ordering::Relaxed);
        let bodies = self.answer(|state| {
            let body = |hash: &PartHash| Some((*hash, state.parts.bodies.get(hash)?.clone()));
            hashes.iter().filter_map(body).collect()
        });
        async { bodies }.boxed()
    }

    fn deltas(&self, after: i64, limit: usize) -> BoxFuture<'_, Result<DeltaPage, Away>> {
        async move {
            self.answer(|state| {
                let newer: Vec<_> = state
                    .deltas
                    .iter()
                    .filter(|delta| delta.seq() > after)
                    .cloned()
                    .collect();
                let more = newer.len() > limit;
                let deltas: Vec<_> = newer.into_iter().take(limit).collect();
                let last = deltas.last().map_or(state.head, Delta::seq);
                DeltaPage {
                    through: if more { last } else { state.head },
                    deltas,
                    more,
                }
            })
        }
        .boxed()
    }

    fn changed(&self) -> BoxFuture<'_, ()> {
        self.notice.notified().boxed()
    }
}

impl NodeReport for Fixture {
    fn report<'a>(&'a self, status: &'a NodeStatus) -> BoxFuture<'a, Result<(), Away>> {
        async move {
            self.answer(|_| ())?;
            self.reports.lock().unwrap().push(status.clone());
            Ok(())
        }
        .boxed()
    }
}

async fn opened(fixture: &Arc<Fixture>, dir: Option<&Path>) -> (ConfigSync, Arc<Runtime>) {
    let runtime = runtime();
    let ends = Ends {
        source: Arc::clone(fixture) as Arc<dyn ConfigSource>,
        report: Arc::clone(fixture) as Arc<dyn NodeReport>,
    };
    let dir = dir.map(Path::to_owned);
    let sync = ConfigSync::open(id(1), Arc::clone(&runtime), ends, dir)
        .await
        .unwrap();
    (sync, runtime)
}

fn works(runtime: &Runtime, number: u128) -> bool {
    let found = runtime.subjects().credential(&credential(1, number, 1).hash);
    found.is_some_and(|found| found.works(Timestamp::from_millis(1)))
}

fn has_label(runtime: &Runtime, label: &str) -> bool {
    let config = runtime.config.load_full().unwrap();
    crate::route::route(&config, None, &format!("/shop/{label}/x"))
        .target
        .is_some()
}

#[tokio::test]
async fn what_changed_is_in_force_and_reported_after_a_step() {
    let fixture = Fixture::new();
    let (mut sync, runtime) = opened(&fixture, None).await;
    assert_eq!(sync.start().await, Booted::FromSource);
    assert!(works(&runtime, 1) && has_label(&runtime, "v1"));
    fixture.revoke(1);
    fixture.publish("v2");
    sync.step().await.unwrap();
    assert!(!works(&runtime, 1) && has_label(&runtime, "v2") && !has_label(&runtime, "v1"));
    let report = fixture.last_report();
    assert_eq!(
        (report.snapshot_seq, report.delta_seq, report.problem),
        (4, 4, None)
    );
}

#[tokio::test]
async fn parts_that_did_not_change_are_neither_sent_nor_compiled_again() {
    let fixture = Fixture::new();
    let (mut sync, runtime) = opened(&fixture, None).await;
    sync.start().await;
    let before = runtime.config.load_full().unwrap();
    let asked = fixture.parts_asked.load(Ordering::Relaxed);
    fixture.publish("v2");
    sync.step().await.unwrap();
    assert_eq!(fixture.parts_asked.load(Ordering::Relaxed), asked + 1);
    let after = runtime.config.load_full().unwrap();
    let tenant =
        |config: &crate::compiled::CompiledConfig| Arc::as_ptr(&config.root.as_ref().unwrap().tenant);
    assert_eq!(tenant(&before), tenant(&after));
}

#[tokio::test]
async fn a_bad_configuration_is_refused_and_told_while_the_old_one_serves() {
    let fixture = Fixture::new();
    let (mut sync, runtime) = opened(&fixture, None).await;
    sync.start().await;
    {
        let mut state = fixture.state.lock().unwrap();
        let mut part = tenant_part(1, "default");
        part.upstream_allow = vec!["no network".to_owned()];
        state.head += 1;
        state.parts.tenant(&part);
        state.manifest = Some(state.parts.manifest(state.head));
    }
    sync.step().await.unwrap();
    assert!(has_label(&runtime, "v1"));
    let report = fixture.last_report();
    assert_eq!(report.snapshot_seq, 1);
    assert!(report.problem.unwrap().contains("snapshot 3 is refused"));
    fixture.publish("v3");
    sync.step().await.unwrap();
    assert!(has_label(&runtime, "v3"));
    assert_eq!(fixture.last_report().problem, None);
}

impl Fixture {
    /// Version 1 as nobody can use it, and version 2 with this label beside it.
    fn publish_broken(&self, label: &str) {
        let mut state = self.state.lock().unwrap();
        state.head += 1;
        let mut broken = version_part(1, 1, "v1");
        broken.operations[0].template = "/{broken".to_owned();
        state.parts.version(&broken);
        state.parts.version(&version_part(2, 1, label));
        state.manifest = Some(state.parts.manifest(state.head));
    }
}

/// What is answered at the root of a version.
async fn answer(runtime: &Runtime, label: &str) -> &'static str {
    let view = crate::runtime::RequestView {
        method: &http::Method::GET,
        host: None,
        path: &format!("/shop/{label}/"),
        headers: &http::HeaderMap::new(),
        client: std::net::IpAddr::from([127, 0, 0, 1]),
    };
    let worker = crate::runtime::WorkerState::default();
    let mut facts = crate::runtime::CallFacts::default();
    match runtime.decide(&worker, &view, &mut facts).await {
        Ok(_) => "admitted",
        Err(refused) => refused.rejection.code(),
    }
}

#[tokio::test]
async fn a_version_that_cannot_be_used_is_left_out_alone_and_its_last_good_form_serves() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Fixture::new();
    let (mut sync, runtime) = opened(&fixture, Some(dir.path())).await;
    sync.start().await;
    for (label, seq) in [("v2", 3), ("v3", 4)] {
        fixture.publish_broken(label);
        sync.step().await.unwrap();
        assert!(has_label(&runtime, label));
        assert_eq!(answer(&runtime, "v1").await, "key_missing");
        let report = fixture.last_report();
        assert_eq!(report.snapshot_seq, seq);
        let problem = report.problem.unwrap();
        assert!(
            problem.contains("ver_00000000000000000000000001 is left out") && problem.contains("/{broken"),
            "{problem}"
        );
        assert!(problem.ends_with("its last good form serves"), "{problem}");
    }
    drop(sync);

    // The good form is still on disk.
    fixture.away.store(true, Ordering::Relaxed);
    let (mut sync, runtime) = opened(&fixture, Some(dir.path())).await;
    assert_eq!(sync.start().await, Booted::FromDisk);
    assert!(has_label(&runtime, "v3"));
    assert_eq!(answer(&runtime, "v1").await, "key_missing");
    assert!(sync.problem.versions.is_some());

    fixture.away.store(false, Ordering::Relaxed);
    fixture.publish("v1");
    sync.step().await.unwrap();
    assert_eq!(answer(&runtime, "v1").await, "key_missing");
    assert_eq!(fixture.last_report().problem, None);
}

#[tokio::test]
async fn a_version_that_never_could_be_used_is_refused_at_its_address() {
    let fixture = Fixture::new();
    fixture.publish_broken("v2");
    let (mut sync, runtime) = opened(&fixture, None).await;
    assert_eq!(sync.start().await, Booted::FromSource);
    assert_eq!(answer(&runtime, "v1").await, "version_unavailable");
    assert_eq!(answer(&runtime, "v2").await, "key_missing");
    let problem = fixture.last_report().problem.unwrap();
    assert!(problem.ends_with("its calls are refused"), "{problem}");
}

#[tokio::test]
async fn a_version_without_its_bytes_or_its_api_holds_nothing_up() {
    let fixture = Fixture::new();
    {
        let mut state = fixture.state.lock().unwrap();
        state.parts.version(&version_part(2, 1, "lost"));
        let lost = state.parts.parts.last().unwrap().hash;
        state.parts.bodies.remove(&lost);
        state.parts.version(&version_part(3, 77, "homeless"));
        state.head += 1;
        state.manifest = Some(state.parts.manifest(state.head));
    }
    let (mut sync, runtime) = opened(&fixture, None).await;
    // The first time it may be a hiccup of the source.
    assert_eq!(sync.start().await, Booted::Empty);
    sync.step().await.unwrap();
    assert_eq!(answer(&runtime, "v1").await, "key_missing");
    assert_eq!(answer(&runtime, "lost").await, "no_route");
    let problem = fixture.last_report().problem.unwrap();
    assert!(
        problem.contains("is missing") && problem.contains("its API is not"),
        "{problem}"
    );

    // It is asked for again with the next configuration.
    fixture
        .state
        .lock()
        .unwrap()
        .parts
        .version(&version_part(2, 1, "lost"));
    fixture.publish("v1");
    sync.step().await.unwrap();
    assert_eq!(answer(&runtime, "lost").await, "key_missing");
}

#[tokio::test]
async fn alone_it_starts_with_every_key_and_every_revocation_that_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Fixture::new();
    let (mut sync, _) = opened(&fixture, Some(dir.path())).await;
    sync.start().await;
    fixture.change(|seq| credential(seq, 2, 1));
    fixture.revoke(1);
    sync.step().await.unwrap();
    assert_eq!(fixture.last_report().delta_seq, 4);
    drop(sync);

    fixture.away.store(true, Ordering::Relaxed);
    let (mut sync, runtime) = opened(&fixture, Some(dir.path())).await;
    assert_eq!(sync.start().await, Booted::FromDisk);
    assert!(has_label(&runtime, "v1") && works(&runtime, 2) && !works(&runtime, 1));

    // Nothing needs a hand when the source returns.
    fixture.away.store(false, Ordering::Relaxed);
    fixture.revoke(2);
    sync.step().await.unwrap();
    assert!(!works(&runtime, 2));
}

#[tokio::test]
async fn with_a_damaged_copy_the_one_before_it_serves_and_that_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Fixture::new();
    let (mut sync, _) = opened(&fixture, Some(dir.path())).await;
    sync.start().await;
    fixture.publish("v2");
    sync.step().await.unwrap();
    drop(sync);
    std::fs::write(
        dir.path().join("snapshots").join(format!("{:020}.snapshot", 3)),
        b"",
    )
    .unwrap();

    fixture.away.store(true, Ordering::Relaxed);
    let (mut sync, runtime) = opened(&fixture, Some(dir.path())).await;
    assert_eq!(sync.start().await, Booted::FromDisk);
    assert!(has_label(&runtime, "v1"));
    fixture.away.store(false, Ordering::Relaxed);
    sync.step().await.unwrap();
    assert!(has_label(&runtime, "v2"));
}

#[tokio::test]
async fn a_full_disk_keeps_no_change_from_being_in_force_but_from_being_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Fixture::new();
    let (mut sync, runtime) = opened(&fixture, Some(dir.path())).await;
    sync.start().await;
    fixture.change(|seq| credential(seq, 2, 1));
    sync.step().await.unwrap();
    sync.disk.as_mut().unwrap().set_log_writable(false);
    fixture.revoke(1);
    sync.step().await.unwrap();
    fixture.revoke(2);
    sync.step().await.unwrap();
    assert!(!works(&runtime, 1) && !works(&runtime, 2));
    let report = fixture.last_report();
    assert_eq!(report.delta_seq, 3);
    assert!(report.problem.unwrap().contains("cannot be kept on disk"));

    sync.disk.as_mut().unwrap().set_log_writable(true);
    let Durable::Behind { through, .. } = sync.durable else {
        panic!("the disk is not behind");
    };
    // Its pause is over.
    sync.durable = Durable::Behind {
        through,
        retry_at: Instant::now(),
    };
    sync.step().await.unwrap();
    let report = fixture.last_report();
    assert_eq!((report.delta_seq, report.problem), (5, None));
    drop(sync);
    fixture.away.store(true, Ordering::Relaxed);
    let (_, runtime) = opened(&fixture, Some(dir.path())).await;
    assert!(runtime.subjects().applied() == 5 && !works(&runtime, 1) && !works(&runtime, 2));
}

#[tokio::test]
async fn a_configuration_that_cannot_be_kept_serves_and_is_kept_later() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = Fixture::new();
    let (mut sync, runtime) = opened(&fixture, Some(dir.path())).await;
    sync.start().await;
    let snapshots = dir.path().join("snapshots");
    std::fs::remove_dir_all(&snapshots).unwrap();
    std::fs::write(&snapshots, b"in the way").unwrap();
    fixture.publish("v2");
    sync.step().await.unwrap();
    assert!(has_label(&runtime, "v2"));
    assert!(fixture.last_report().problem.is_some());

    std::fs::remove_file(&snapshots).unwrap();
    std::fs::create_dir(&snapshots).unwrap();
    sync.unkept = Some(Instant::now());
    sync.step().await.unwrap();
    assert_eq!(fixture.last_report().problem, None);
    drop(sync);
    fixture.away.store(true, Ordering::Relaxed);
    let (_, runtime) = opened(&fixture, Some(dir.path())).await;
    assert!(has_label(&runtime, "v2"));
}

#[tokio::test]
async fn with_nothing_anywhere_there_is_nothing_to_serve_with() {
    let fixture = Arc::new(Fixture::default());
    fixture.away.store(true, Ordering::Relaxed);
    let dir = tempfile::tempdir().unwrap();
    let (mut sync, runtime) = opened(&fixture, Some(dir.path())).await;
    assert_eq!(sync.start().await, Booted::Empty);
    assert_eq!(runtime.snapshot_seq(), None);
}

#[tokio::test]
async fn a_restored_source_is_followed_and_an_empty_one_is_not_believed() {
    let fixture = Fixture::new();
    let backup = fixture.state.lock().unwrap().clone();
    fixture.change(|seq| credential(seq, 2, 1));
    let dir = tempfile::tempdir().unwrap();
    let (mut sync, runtime) = opened(&fixture, Some(dir.path())).await;
    sync.start().await;

    *fixture.state.lock().unwrap() = State::default();
    assert!(sync.step().await.is_err());
    assert!(works(&runtime, 1) && works(&runtime, 2) && has_label(&runtime, "v1"));

    *fixture.state.lock().unwrap() = backup;
    sync.step().await.unwrap();
    assert!(works(&runtime, 1) && !works(&runtime, 2) && has_label(&runtime, "v1"));
    assert_eq!(fixture.last_report().delta_seq, 2);
}

#[tokio::test]
async fn without_a_notice_a_change_is_in_force_within_five_seconds() {
    let fixture = Fixture::new();
    let (mut sync, runtime) = opened(&fixture, None).await;
    sync.start().await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(sync.run(stop.clone()));
    fixture.revoke(1);
    let since = std::time::Instant::now();
    eventually(|| !works(&runtime, 1)).await;
    assert!(since.elapsed() < Duration::from_secs(5));
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_directory_that_was_lent_is_brought_up_to_date() {
    let fixture = Fixture::new();
    let dir = tempfile::tempdir().unwrap();
    let (mut sync, runtime) = opened(&fixture, Some(dir.path())).await;
    sync.start().await;
    let disk_use = sync.disk_use();
    let stop = CancellationToken::new();
    let running = tokio::spawn(sync.run(stop.clone()));
    let kept = || Disk::open(dir.path(), |_| {}).unwrap().0.through();
    disk_use.let_go().await;
    let before = kept();
    fixture.revoke(1);
    fixture.notice.notify_one();
    eventually(|| !works(&runtime, 1)).await;
    assert_eq!(kept(), before, "it is another's");
    disk_use.use_again().await;
    // It is asked between two rounds: one has ended by then.
    disk_use.let_go().await;
    assert_eq!(kept(), runtime.subjects().applied());
    assert!(kept() > before);
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test]
async fn a_notice_makes_it_quick() {
    let fixture = Fixture::new();
    let (mut sync, runtime) = opened(&fixture, None).await;
    sync.start().await;
    let stop = CancellationToken::new();
    let running = tokio::spawn(sync.run(stop.clone()));
    // The best of a few: whatever else this machine does only adds to it.
    let mut best = Duration::MAX;
    for number in 2..7 {
        fixture.change(|seq| credential(seq, number, 1));
        eventually(|| works(&runtime, number)).await;
        fixture.revoke(number);
        fixture.notice.notify_one();
        let since = std::time::Instant::now();
        eventually(|| !works(&runtime, number)).await;
        best = best.min(since.elapsed());
    }
    assert!(best < POLL / 4, "{best:?}");
    stop.cancel();
    running.await.unwrap();
}
