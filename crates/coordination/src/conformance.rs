//! What every authority must do, as a suite that runs against any of them: the
//! tests here run it on Redis and on rows in memory, the store's on its tables.
//!
//! It takes some seconds, because periods and leases have to end by themselves.

mod cases;

use std::sync::Arc;
use std::time::Duration;

use gatewright_model::id::{EntityId, LeaseId, LimitId, NodeId, uuid_v7};
use gatewright_model::limit::{LimitKind, ResetKind, Window};
use jiff::tz::TimeZone;
use tokio::time::{Instant, sleep};

use crate::authority::{
    Authority, AuthorityAway, CounterKey, KnownUse, LeaseAnswer, LeaseFate, LeaseReport, LeaseRequest,
    LimitSpec, PartitionKey,
};
use crate::limiter::Sources;

/// How long something that must happen may take.
const DEADLINE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// Why an authority does not conform.
#[derive(Debug, thiserror::Error)]
pub enum Deviation {
    /// It broke a rule.
    #[error("{rule}: {found}")]
    Broken {
        /// The rule.
        rule: &'static str,
        /// What it did.
        found: String,
    },
    /// It did not answer.
    #[error(transparent)]
    Away(#[from] AuthorityAway),
    /// The suite itself asked for a window that there is not.
    #[error("not a window: {0}")]
    Window(String),
}

/// Runs the whole suite.
///
/// # Errors
/// Names the first rule that is broken.
pub async fn check(authority: &dyn Authority, sources: &Sources) -> Result<(), Deviation> {
    cases::quota(authority, sources).await?;
    cases::leases(authority, sources).await?;
    cases::changes(authority, sources).await?;
    cases::losses(authority, sources).await?;
    cases::rates(authority, sources).await?;
    cases::ends(authority, sources).await
}

/// A counter of its own, and two nodes that share it.
struct Counter<'a> {
    authority: &'a dyn Authority,
    sources: &'a Sources,
    key: CounterKey,
    spec: LimitSpec,
    nodes: [NodeId; 2],
}

/// Which of the two nodes asks.
#[derive(Debug, Clone, Copy)]
enum Who {
    First,
    Second,
}

impl<'a> Counter<'a> {
    fn new(
        authority: &'a dyn Authority,
        sources: &'a Sources,
        kind: LimitKind,
        amount: u64,
        window: &str,
    ) -> Result<Self, Deviation> {
        let partition =
            PartitionKey::new("sub_conformance").map_err(|error| Deviation::Window(error.to_string()))?;
        Ok(Self {
            authority,
            sources,
            key: CounterKey {
                limit: fresh::<LimitId>(sources),
                partition,
            },
            spec: LimitSpec {
                kind,
                amount,
                window: read_window(window)?,
                burst: amount,
                reset: ResetKind::Calendar,
                zone: TimeZone::UTC,
            },
            nodes: [fresh(sources), fresh(sources)],
        })
    }

    fn request(&self, who: Who, want: u64) -> LeaseRequest {
        let [first, second] = self.nodes;
        LeaseRequest {
            lease: fresh(self.sources),
            node: match who {
                Who::First => first,
                Who::Second => second,
            },
            key: self.key.clone(),
            spec: Arc::new(self.spec.clone()),
            want,
            nodes: 1,
            reports: Vec::new(),
            known: KnownUse::default(),
        }
    }

    async fn ask(&self, who: Who, want: u64) -> Result<LeaseAnswer, Deviation> {
        self.send(self.request(who, want)).await
    }

    async fn report(
        &self,
        who: Who,
        lease: LeaseId,
        spent: u64,
        fate: LeaseFate,
    ) -> Result<LeaseAnswer, Deviation> {
        let mut request = self.request(who, 0);
        request.reports.push(LeaseReport { lease, spent, fate });
        self.send(request).await
    }

    async fn send(&self, request: LeaseRequest) -> Result<LeaseAnswer, Deviation> {
        let answers = self.authority.lease(vec![request.clone()]).await?;
        match answers.as_slice() {
            [answer] => {
                same("an answer names its lease", answer.lease, request.lease)?;
                Ok(*answer)
            }
            _ => broken("one answer for each request", answers.len()),
        }
    }

    /// Leases until there is nothing; says how many there were.
    async fn exhaust(&self, who: Who) -> Result<u64, Deviation> {
        let mut sum = 0;
        loop {
            let answer = self.ask(who, u64::MAX / 4).await?;
            if answer.granted == 0 {
                return Ok(sum);
            }
            sum += answer.granted;
        }
    }

    /// Asks without taking until the answer is as wanted.
    async fn until(
        &self,
        rule: &'static str,
        wanted: impl Fn(&LeaseAnswer) -> bool,
    ) -> Result<LeaseAnswer, Deviation> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let answer = self.ask(Who::First, 0).await?;
            if wanted(&answer) {
                return Ok(answer);
            }
            if Instant::now() > deadline {
                return broken(rule, answer);
            }
            sleep(POLL).await;
        }
    }
}

fn fresh<I: EntityId>(sources: &Sources) -> I {
    let mut random = [0; 10];
    sources.entropy.fill(&mut random);
    I::from_uuid(uuid_v7(sources.clock.now(), random))
}

fn read_window(text: &str) -> Result<Window, Deviation> {
    text.parse().map_err(|_| Deviation::Window(text.to_owned()))
}

fn same<T: PartialEq + Copy + std::fmt::Debug>(
    rule: &'static str,
    found: T,
    expected: T,
) -> Result<(), Deviation> {
    if found == expected {
        return Ok(());
    }
    broken(rule, format!("{found:?} instead of {expected:?}"))
}

fn holds(rule: &'static str, truth: bool, found: impl std::fmt::Debug) -> Result<(), Deviation> {
    if truth { Ok(()) } else { broken(rule, found) }
}

fn broken<T>(rule: &'static str, found: impl std::fmt::Debug) -> Result<T, Deviation> {
    Err(Deviation::Broken {
        rule,
        found: format!("{found:?}"),
    })
}
