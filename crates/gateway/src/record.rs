//! Call records on their way out: a bounded queue for each worker, one writer
//! that adds them up to rollups and hands batches to the sink.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatewright_model::traffic::CallRecord;
use tokio::sync::{Notify, mpsc};

/// Records that one worker may be ahead of the writer. At 20,000 calls a second
/// and four flushes a second it is filled to a third.
const QUEUE: usize = 16_384;

/// Where one worker puts its records.
#[derive(Debug)]
pub struct RecordQueue {
    sender: mpsc::Sender<CallRecord>,
    filling: Arc<Notify>,
    lost: Arc<AtomicU64>,
}

impl RecordQueue {
    /// Hands a record over. Never waits: when the writer is too far behind, the
    /// record is counted as lost.
    pub fn push(&self, record: CallRecord) {
        if self.sender.try_send(record).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        } else if self.sender.capacity() == QUEUE / 2 {
            self.filling.notify_one();
        }
    }
}
