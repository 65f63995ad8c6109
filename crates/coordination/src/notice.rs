//! Notices between nodes: "something changed", "give permits back".
//!
//! A notice may be lost, doubled or late; everybody who listens also polls, or
//! works without. That is why publishing never waits and never fails.

mod wire;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use gatewright_model::id::NodeId;
use redis::{Client, RedisError};
use tokio::runtime::Handle;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

use crate::authority::CounterKey;

/// How many notices a slow listener may be behind before it hears [`Notice::Unknown`].
const BACKLOG: usize = 1_024;

/// Something that other nodes want to know at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The configuration changed; the store's change head stands at `seq` or above.
    Changed {
        /// The number of the change.
        seq: i64,
    },
    /// A node is about to refuse: who holds unspent permits shall give them back.
    Recall {
        /// Of which counter.
        key: CounterKey,
        /// Who asks; it does not mean itself.
        by: NodeId,
    },
    /// Something was missed, nobody knows what.
    Unknown,
}

/// Whether notices are sent and heard at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loudness {
    /// They are.
    Heard,
    /// Nothing is sent and nothing heard: tests prove that polling alone is enough.
    Muted,
}

/// Where notices are published and heard. Clones share everything.
#[derive(Clone)]
pub struct Notices {
    heard: broadcast::Sender<Notice>,
    sent: Option<mpsc::Sender<Notice>>,
    loudness: Loudness,
    tasks: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notices")
            .field("loudness", &self.loudness)
            .finish_non_exhaustive()
    }
}

impl Notices {
    /// Notices inside of this process.
    #[must_use]
    pub fn in_process(loudness: Loudness) -> Self {
        Self {
            heard: broadcast::channel(BACKLOG).0,
            sent: None,
            loudness,
            tasks: Arc::default(),
        }
    }

    /// Notices inside of this process and over Redis pub/sub. Connects in the
    /// background, again and again when it must; until then, and when it is
    /// gone, only this process hears.
    ///
    /// # Errors
    /// When the address cannot be understood.
    pub fn redis(url: &str, loudness: Loudness, runtime: &Handle) -> Result<Self, RedisError> {
        let client = Client::open(url)?;
        let mut this = Self::in_process(loudness);
        if loudness == Loudness::Heard {
            let (sent, outgoing) = mpsc::channel(BACKLOG);
            this.sent = Some(sent);
            let listener = runtime.spawn(wire::listen(client.clone(), this.heard.clone()));
            let speaker = runtime.spawn(wire::speak(client, outgoing));
            this.tasks = Arc::new(Mutex::new(vec![listener, speaker]));
        }
        Ok(this)
    }

    /// Tells everybody, this process at once. Never waits; a notice that finds
    /// the queue full is lost.
    pub fn publish(&self, notice: Notice) {
        if self.loudness == Loudness::Muted {
            return;
        }
        if let Some(sent) = &self.sent
            && sent.try_send(notice.clone()).is_err()
        {
            tracing::debug!("a change notice was dropped, the queue to redis is full");
        }
        // An error only says that nobody listens here.
        drop(self.heard.send(notice));
    }

    /// Hears everything from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        Subscription {
            heard: self.heard.subscribe(),
        }
    }

    /// Ends the connections and waits for their end. In-process notices go on.
    pub async fn close(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            task.abort();
            // The only error is the cancellation just asked for.
            drop(task.await);
        }
    }
}

/// One listener.
#[derive(Debug)]
pub struct Subscription {
    heard: broadcast::Receiver<Notice>,
}

impl Subscription {
    /// The next notice; [`Notice::Unknown`] when some were missed, `None` when
    /// every [`Notices`] is gone. Safe to cancel.
    pub async fn next(&mut self) -> Option<Notice> {
        match self.heard.recv().await {
            Ok(notice) => Some(notice),
            Err(RecvError::Lagged(_)) => Some(Notice::Unknown),
            Err(RecvError::Closed) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_hears_and_the_slow_know_that_they_missed_something() {
        let notices = Notices::in_process(Loudness::Heard);
        let (mut first, mut slow) = (notices.subscribe(), notices.subscribe());
        notices.publish(Notice::Changed { seq: 7 });
        assert_eq!(first.next().await, Some(Notice::Changed { seq: 7 }));
        for seq in 0..2_000 {
            notices.publish(Notice::Changed { seq });
        }
        assert_eq!(slow.next().await, Some(Notice::Unknown));
        drop(notices);
        while first.next().await.is_some() {}
    }

    #[tokio::test]
    async fn muted_is_silent() {
        let notices = Notices::in_process(Loudness::Muted);
        let mut subscription = notices.subscribe();
        notices.publish(Notice::Changed { seq: 1 });
        drop(notices);
        assert_eq!(subscription.next().await, None);
    }
}
