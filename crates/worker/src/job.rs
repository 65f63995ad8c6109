//! The jobs: what each does, and how often.

use std::time::Duration;

use gatewright_control::Control;
use gatewright_control::mail::MAIL;
use gatewright_store::{Scope, StoreError, Topics, Tx};

/// How long what a job removes is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// Call records.
    pub calls: Duration,
    /// Usage rollups.
    pub usage: Duration,
}

/// Messages are kept this long for whoever will read them.
const KEEP_MESSAGES: Duration = Duration::from_secs(7 * 86_400);
/// A node that has been silent for this long is gone.
const KEEP_NODES: Duration = Duration::from_secs(7 * 86_400);
/// Configurations that can be looked at and gone back to.
const KEEP_SNAPSHOTS: u16 = 50;
/// Messages that one run takes.
const MESSAGES: u16 = 200;
/// Hours that one run adds up, and days.
const FOLDS: usize = 50;
/// Rounds of a bounded deletion in one run; the next run goes on.
const ROUNDS: usize = 20;

/// Why a job did not end well.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// A use case did not happen.
    #[error(transparent)]
    Control(#[from] gatewright_control::Error),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It took longer than a job may take.
    #[error("it did not end within {} s", .0.as_secs())]
    TimedOut(Duration),
}

/// Whether there is more of the same to do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is left for now.
    Done,
    /// A batch was full: there may be more.
    More,
}

/// A job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Sunsets of versions, ends of subscriptions, starts and ends of keys.
    Schedules,
    /// Messages that nobody has read in seven days.
    Messages,
    /// Room for the call records of today and tomorrow.
    CallDays,
    /// Usage of hours and days that are over, added up for pages.
    Usage,
    /// Call records and usage beyond their time.
    Traffic,
    /// Counters of limits whose period is over.
    Counters,
    /// Answers kept for repeated requests.
    Answers,
    /// Sessions, links and requests for accounts whose time is over.
    Accounts,
    /// Nodes that have been silent for a week.
    Nodes,
    /// Configurations beyond the newest fifty.
    Snapshots,
}

impl Job {
    /// Every job; those that others wait for come first.
    pub const ALL: [Self; 10] = [
        Self::Schedules,
        Self::CallDays,
        Self::Messages,
        Self::Counters,
        Self::Usage,
        Self::Traffic,
        Self::Answers,
        Self::Accounts,
        Self::Nodes,
        Self::Snapshots,
    ];

    /// Its name in the log.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Schedules => "schedules",
            Self::Messages => "messages",
            Self::CallDays => "call_days",
            Self::Usage => "usage",
            Self::Traffic => "traffic",
            Self::Counters => "counters",
            Self::Answers => "answers",
            Self::Accounts => "accounts",
            Self::Nodes => "nodes",
            Self::Snapshots => "snapshots",
        }
    }

    /// How often it runs.
    #[must_use]
    pub const fn every(self) -> Duration {
        match self {
            Self::Schedules => Duration::from_secs(1),
            Self::Messages | Self::Counters | Self::Usage => Duration::from_secs(60),
            Self::CallDays => Duration::from_secs(1_800),
            Self::Traffic | Self::Answers | Self::Accounts => Duration::from_secs(600),
            Self::Nodes | Self::Snapshots => Duration::from_secs(3_600),
        }
    }

    /// Does it once.
    ///
    /// # Errors
    /// [`JobError`]; what was done before it stays done.
    pub async fn run(self, control: &Control, keep: Keep) -> Result<Progress, JobError> {
        match self {
            Self::Schedules => {
                let done = control.run_due().await?;
                Ok(if done.is_empty() {
                    Progress::Done
                } else {
                    Progress::More
                })
            }
            Self::Messages => forget_messages(control).await,
            Self::CallDays => {
                control.store().prepare_traffic(control.now()).await?;
                Ok(Progress::Done)
            }
            Self::Usage => {
                let folded = control.store().fold_usage(control.now(), FOLDS).await?;
                Ok(if folded >= FOLDS {
                    Progress::More
                } else {
                    Progress::Done
                })
            }
            Self::Traffic => forget_traffic(control, keep).await,
            Self::Counters => {
                control.store().forget_counters(control.now()).await?;
                Ok(Progress::Done)
            }
            Self::Answers => {
                control.store().forget_idempotent(control.now()).await?;
                Ok(Progress::Done)
            }
            Self::Accounts => {
                control.forget_accounts().await?;
                Ok(Progress::Done)
            }
            Self::Nodes => {
                let since = control.now().minus(KEEP_NODES);
                let mut tx = control.store().begin(Scope::System).await?;
                tx.nodes().forget_silent(since).await?;
                finish(tx, control).await
            }
            Self::Snapshots => {
                let mut tx = control.store().begin(Scope::System).await?;
                tx.snapshots().prune(KEEP_SNAPSHOTS).await?;
                finish(tx, control).await
            }
        }
    }
}

async fn finish(tx: Tx, control: &Control) -> Result<Progress, JobError> {
    tx.commit(control.now()).await?;
    Ok(Progress::Done)
}

/// Nobody subscribes to messages but mail yet, which has a task of its own. Each comes up once when it is written
/// and once when its time is over; then it goes.
async fn forget_messages(control: &Control) -> Result<Progress, JobError> {
    let now = control.now();
    let mut tx = control.store().begin(Scope::System).await?;
    let claimed = tx
        .outbox_messages()
        .claim(Topics::AllBut(MAIL), now, now.plus(KEEP_MESSAGES), MESSAGES)
        .await?;
    for message in claimed
        .iter()
        .filter(|message| now.since(message.created_at) >= KEEP_MESSAGES)
    {
        tx.outbox_messages().remove(message.id).await?;
    }
    // Where no worker delivers mail any more, what was left does not stay for ever.
    let old = now.minus(KEEP_MESSAGES);
    tx.outbox_messages()
        .remove_before(Topics::Only(MAIL), old)
        .await?;
    let full = claimed.len() == usize::from(MESSAGES);
    finish(tx, control).await?;
    Ok(if full { Progress::More } else { Progress::Done })
}

async fn forget_traffic(control: &Control, keep: Keep) -> Result<Progress, JobError> {
    for _ in 0..ROUNDS {
        let gone = control
            .store()
            .forget_traffic(control.now(), keep.calls, keep.usage)
            .await?;
        if gone == 0 {
            return Ok(Progress::Done);
        }
        tracing::debug!(rows = gone, "removed traffic beyond its time");
    }
    Ok(Progress::More)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use gatewright_control::control::{Parts, PublicUrls};
    use gatewright_control::fetch::Fetcher;
    use gatewright_coordination::notice::{Loudness, Notices};
    use gatewright_model::address::AddressPolicy;
    use gatewright_model::keys::MasterKey;
    use gatewright_model::time::{Clock, SystemEntropy, Timestamp};
    use gatewright_store::{Database, GatewayNode, NodeState, Store, StoreSettings};

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const KEEP: Keep = Keep {
        calls: DAY,
        usage: DAY,
    };

    #[derive(Debug)]
    struct Hand(AtomicI64);

    impl Hand {
        fn turn(&self, by: Duration) {
            let millis = i64::try_from(by.as_millis()).unwrap();
            self.0.fetch_add(millis, Ordering::Relaxed);
        }
    }

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::Relaxed))
        }
    }

    async fn prepared() -> (tempfile::TempDir, Arc<Hand>, Control) {
        let home = tempfile::tempdir().unwrap();
        let clock = Arc::new(Hand(AtomicI64::new(1_800_000_000_000)));
        let store = Store::open(StoreSettings {
            database: Database::sqlite_in(home.path()),
            entropy: Arc::new(SystemEntropy),
        })
        .await
        .unwrap();
        store.migrate(clock.now()).await.unwrap();
        let control = Control::new(Parts {
            store,
            notices: Notices::in_process(Loudness::Muted),
            clock: Arc::clone(&clock) as _,
            entropy: Arc::new(SystemEntropy),
            master_key: MasterKey::generate(&SystemEntropy),
            fetcher: Fetcher::new(AddressPolicy {
                private: false,
                allow: Vec::new(),
            }),
            urls: PublicUrls {
                gateway: "http://127.0.0.1:8000".to_owned(),
                portal: "http://127.0.0.1:8002".to_owned(),
            },
            own_listeners: Vec::new(),
            local_gateway: None,
        });
        control.prepare().await.unwrap().unwrap();
        (home, clock, control)
    }

    #[tokio::test]
    async fn every_job_can_be_done_again() {
        let (_home, _clock, control) = prepared().await;
        for job in Job::ALL.into_iter().chain(Job::ALL) {
            let progress = job.run(&control, KEEP).await;
            assert_eq!(progress.unwrap(), Progress::Done, "{}", job.name());
        }
    }

    #[tokio::test]
    async fn silent_nodes_are_forgotten_after_a_week() {
        let (_home, clock, control) = prepared().await;
        let node = GatewayNode {
            id: "node_01kagn8dhte5m8shq7wrq21b8p".parse().unwrap(),
            name: "one".to_owned(),
            version: "1".to_owned(),
            roles: vec!["gateway".to_owned()],
            state: NodeState::Serving,
            applied_seq: 1,
            applied_delta_seq: 1,
            problem: None,
            started_at: clock.now(),
            last_seen_at: clock.now(),
        };
        let mut tx = control.store().begin(Scope::System).await.unwrap();
        tx.nodes().report(&node).await.unwrap();
        tx.commit(clock.now()).await.unwrap();
        for (wait, left) in [(6 * DAY, true), (2 * DAY, false)] {
            clock.turn(wait);
            Job::Nodes.run(&control, KEEP).await.unwrap();
            let mut tx = control.store().read(Scope::System).await.unwrap();
            assert_eq!(tx.nodes().find(node.id).await.unwrap().is_some(), left);
        }
    }
}
