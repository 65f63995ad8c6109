//! Call records on their way out: a bounded list for each worker, and one
//! writer that takes the lists whole, adds them up to rollups and hands them to
//! the sink. A record is written once and not moved again.
//!
//! A record is at most [`FLUSH`] in a list; that much a crash may lose. While
//! the sink is away, calls beyond a bound are forgotten, the oldest first, and
//! counted; their rollups are kept.

mod pending;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gatewright_model::id::uuid_v7;
use gatewright_model::time::{Clock, Entropy};
use gatewright_model::traffic::CallRecord;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::source::{Away, RecordBatch, RecordSink};
use pending::{BATCH, Pending};

/// How long a record waits for its batch at most.
pub const FLUSH: Duration = Duration::from_millis(500);
/// How long a write may take.
const WRITE: Duration = Duration::from_secs(10);
/// How long the sink is left alone after a failure.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the last records may take when the process ends.
const FAREWELL: Duration = Duration::from_secs(5);
/// Records that one worker may be ahead of the writer: at 20,000 calls a second
/// a flush interval fills it to two thirds.
const QUEUE: usize = 16_384;

/// So much room an emptied list keeps, for each record that it held.
const ROOM: usize = 2;

/// Makes queues and owns the writer. Clones are the same recorder.
#[derive(Debug, Clone)]
pub struct Recorder(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Where the writer finds the queues; nobody else holds this for long.
    queues: Mutex<Vec<Arc<Queue>>>,
    filling: Notify,
    lost: AtomicU64,
    stop: CancellationToken,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// What one worker has recorded. The lock is held for a push, or for a swap.
type Queue = Mutex<Vec<CallRecord>>;

/// Where one worker puts its records.
#[derive(Debug)]
pub struct RecordQueue {
    queue: Arc<Queue>,
    shared: Arc<Shared>,
}

impl RecordQueue {
    /// Hands a record over. Never waits for the sink: when the writer is too far
    /// behind, the record is counted as lost.
    pub fn push(&self, record: CallRecord) {
        let mut queue = lock(&self.queue);
        if queue.len() >= QUEUE {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        queue.push(record);
        if queue.len() == BATCH {
            self.shared.filling.notify_one();
        }
    }
}

/// What batch ids are made of.
#[derive(Debug, Clone)]
pub struct BatchIds {
    /// The time in the ids.
    pub clock: Arc<dyn Clock>,
    /// The randomness in the ids.
    pub entropy: Arc<dyn Entropy>,
}

impl BatchIds {
    fn next(&self) -> Uuid {
        let mut random = [0; 10];
        self.entropy.fill(&mut random);
        uuid_v7(self.clock.now(), random)
    }
}

impl Recorder {
    /// Starts the writer on `runtime`.
    #[must_use]
    pub fn start(sink: Arc<dyn RecordSink>, ids: BatchIds, runtime: &Handle) -> Self {
        let shared = Arc::new(Shared {
            queues: Mutex::default(),
            filling: Notify::new(),
            lost: AtomicU64::new(0),
            stop: CancellationToken::new(),
            writer: Mutex::default(),
        });
        let writer = Writer {
            shared: Arc::clone(&shared),
            sink,
            ids,
            pending: Pending::default(),
            spare: Vec::new(),
            unsent: None,
            away: false,
        };
        *lock(&shared.writer) = Some(runtime.spawn(writer.run()));
        Self(shared)
    }

    /// A queue for a worker.
    #[must_use]
    pub fn queue(&self) -> RecordQueue {
        let queue = Arc::default();
        lock(&self.0.queues).push(Arc::clone(&queue));
        RecordQueue {
            queue,
            shared: Arc::clone(&self.0),
        }
    }

    /// How many calls were not recorded, because a queue was full or the sink away for long.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Writes what is there and ends the writer. Gives up after some seconds
    /// when the sink is away. Call it when the workers have ended.
    pub async fn drain(&self) {
        self.0.stop.cancel();
        let writer = lock(&self.0.writer).take();
        if let Some(writer) = writer
            && let Err(error) = writer.await
        {
            tracing::error!(%error, "the writer of call records failed");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Writer {
    shared: Arc<Shared>,
    sink: Arc<dyn RecordSink>,
    ids: BatchIds,
    pending: Pending,
    /// Emptied lists, with their room: workers fill them again.
    spare: Vec<Vec<CallRecord>>,
    /// Was tried and may have been written: it is tried again under its id.
    unsent: Option<RecordBatch>,
    away: bool,
}

impl Writer {
    async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let stop = shared.stop.clone();
        loop {
            let pause = if self.away { PAUSE } else { FLUSH };
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(pause) => {}
                () = shared.filling.notified(), if !self.away => {}
            }
            self.collect();
            self.flush().await;
        }
        self.collect();
        if timeout(FAREWELL, self.flush()).await.is_err() || self.away {
            let left = self.pending.calls() + self.unsent.as_ref().map_or(0, |batch| batch.calls.len());
            tracing::error!(
                calls.lost = left,
                "call records could not be written before the end"
            );
        }
    }

    fn collect(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut forgotten = 0;
        lock(&shared.queues).retain(|queue| {
            // Looked at first: what a worker leaves behind at its end is taken below.
            let in_use = Arc::strong_count(queue) > 1;
            let mut list = lock(queue);
            if !list.is_empty() {
                let full = std::mem::replace(&mut *list, self.spare.pop().unwrap_or_default());
                drop(list);
                forgotten += self.pending.add(full);
            }
            in_use
        });
        forgotten += self.pending.trim();
        shared.lost.fetch_add(forgotten, Ordering::Relaxed);
    }

    /// Keeps the room of a list that was written, as far as it was needed.
    fn recycle(&mut self, mut list: Vec<CallRecord>) {
        let used = list.len();
        list.clear();
        list.shrink_to(used.saturating_mul(ROOM));
        if self.spare.len() < lock(&self.shared.queues).len() {
            self.spare.push(list);
        }
    }

    /// Writes batch after batch until nothing is left or the sink is away.
    async fn flush(&mut self) {
        loop {
            let batch = match self.unsent.take() {
                Some(batch) => batch,
                None => match self.pending.batch(&self.ids) {
                    Some(batch) => batch,
                    None => return,
                },
            };
            let written = timeout(WRITE, self.sink.write(&batch)).await;
            match written.unwrap_or_else(|_| Err(Away::because("no answer in time"))) {
                Ok(()) => {
                    if std::mem::take(&mut self.away) {
                        tracing::info!("call records are written again");
                    }
                    self.recycle(batch.calls);
                }
                Err(error) => {
                    if !std::mem::replace(&mut self.away, true) {
                        tracing::warn!(%error, "call records cannot be written and are kept for now");
                    }
                    self.unsent = Some(batch);
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
