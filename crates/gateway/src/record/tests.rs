use std::collections::HashMap;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_model::id::TenantId;
use gatewright_model::time::{SystemClock, SystemEntropy, Timestamp};
use gatewright_model::traffic::{CallSource, CallSubject};

use super::*;
use crate::testing::{eventually, id};

fn call(number: u128, minute: i64, status: u16) -> CallRecord {
    CallRecord {
        id: id(number),
        tenant_id: Some(id::<TenantId>(1)),
        subject: CallSubject {
            api_id: Some(id(1)),
            ..CallSubject::default()
        },
        at: Timestamp::from_millis(minute * 60_000 + 5),
        source: CallSource::Client,
        node_id: id(1),
        snapshot_seq: 1,
        method: "GET".into(),
        path: "/".to_owned(),
        status,
        refusal: None,
        client: None,
        user_agent: None,
        target: None,
        bytes_in: 1,
        bytes_out: 10,
        duration_us: 500,
        upstream_us: 400,
        trace_id: gatewright_model::traffic::TraceId::from_digits([b'0'; 32]),
        complete: true,
    }
}

/// Keeps what it gets, once for each batch id, and can be switched off.
#[derive(Default)]
struct Memory {
    written: Mutex<HashMap<Uuid, RecordBatch>>,
    away: std::sync::atomic::AtomicBool,
    tries: AtomicU64,
}

impl Memory {
    fn requests(&self) -> u64 {
        let written = lock(&self.written);
        written
            .values()
            .flat_map(|batch| &batch.rollups)
            .map(|(_, value)| value.requests)
            .sum()
    }

    fn calls(&self) -> usize {
        lock(&self.written).values().map(|batch| batch.calls.len()).sum()
    }
}

impl RecordSink for Memory {
    fn write<'a>(&'a self, batch: &'a RecordBatch) -> BoxFuture<'a, Result<(), Away>> {
        async move {
            self.tries.fetch_add(1, Ordering::Relaxed);
            // What is away may have written all the same: the id tells.
            lock(&self.written).insert(batch.id, batch.clone());
            match self.away.load(Ordering::Relaxed) {
                true => Err(Away::because("switched off")),
                false => Ok(()),
            }
        }
        .boxed()
    }
}

fn recorder(sink: &Arc<Memory>) -> Recorder {
    let ids = BatchIds {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    Recorder::start(Arc::clone(sink) as Arc<dyn RecordSink>, ids, &Handle::current())
}

#[tokio::test]
async fn calls_of_all_workers_arrive_and_add_up() {
    let sink = Arc::new(Memory::default());
    let recorder = recorder(&sink);
    let (a, b) = (recorder.queue(), recorder.queue());
    for number in 0..100 {
        a.push(call(number, 0, 200));
        b.push(call(1_000 + number, 1, 404));
    }
    eventually(|| sink.calls() == 200).await;
    let rollups: Vec<_> = lock(&sink.written)
        .values()
        .flat_map(|batch| batch.rollups.clone())
        .collect();
    let errors: u64 = rollups.iter().map(|(_, value)| value.errors).sum();
    assert_eq!((sink.requests(), errors, recorder.lost()), (200, 100, 0));
    assert!(
        rollups
            .iter()
            .all(|(key, _)| key.minute.as_millis() % 60_000 == 0)
    );
}

#[tokio::test]
async fn what_waits_is_written_before_the_end() {
    let sink = Arc::new(Memory::default());
    let recorder = recorder(&sink);
    let queue = recorder.queue();
    for number in 0..12_000 {
        queue.push(call(number, 0, 200));
    }
    recorder.drain().await;
    assert_eq!((sink.calls(), sink.requests()), (12_000, 12_000));
}

#[tokio::test]
async fn a_sink_that_is_away_gets_everything_later_and_once() {
    let sink = Arc::new(Memory::default());
    sink.away.store(true, Ordering::Relaxed);
    let recorder = recorder(&sink);
    let queue = recorder.queue();
    queue.push(call(1, 0, 200));
    eventually(|| sink.tries.load(Ordering::Relaxed) > 2).await;
    queue.push(call(2, 0, 200));
    sink.away.store(false, Ordering::Relaxed);
    eventually(|| sink.calls() == 2).await;
    recorder.drain().await;
    assert_eq!((sink.calls(), sink.requests()), (2, 2));
}

#[tokio::test]
async fn a_full_queue_counts_what_it_loses() {
    let sink = Arc::new(Memory::default());
    let recorder = recorder(&sink);
    let queue = recorder.queue();
    // This test never waits, so the writer gets no turn and nothing is taken out.
    for number in 0..(QUEUE as u128 + 7) {
        queue.push(call(number, 0, 200));
    }
    assert_eq!(recorder.lost(), 7);
}

#[test]
fn while_the_sink_is_away_old_calls_go_and_their_sums_stay() {
    let mut pending = Pending::default();
    for first in (0..50_010).step_by(1_667) {
        let list = (first..first + 1_667)
            .map(|number| call(number, 0, 200))
            .collect();
        assert_eq!(pending.add(list), 0);
    }
    assert_eq!((pending.trim(), pending.calls()), (10, 50_000));
    let ids = BatchIds {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    let first = pending.batch(&ids).unwrap();
    assert_eq!(first.calls[0].id, id(10));
    assert_eq!(first.rollups[0].1.requests, 50_010);
    let further: Vec<_> = std::iter::from_fn(|| pending.batch(&ids)).collect();
    let calls: usize = further.iter().map(|batch| batch.calls.len()).sum();
    assert_eq!((first.calls.len() + calls, pending.calls()), (50_000, 0));
    assert!(further.iter().all(|batch| batch.rollups.is_empty()));
}

#[test]
fn a_list_that_became_long_is_written_in_parts() {
    let mut pending = Pending::default();
    pending.add((0..12_001).map(|number| call(number, 0, 200)).collect());
    // And what is little goes together.
    pending.add(vec![call(20_000, 0, 200)]);
    pending.add(vec![call(20_001, 0, 200)]);
    let ids = BatchIds {
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    let sizes = std::iter::from_fn(|| pending.batch(&ids)).map(|batch| batch.calls.len());
    assert_eq!(sizes.collect::<Vec<_>>(), [5_000, 5_000, 2_001, 2]);
}
