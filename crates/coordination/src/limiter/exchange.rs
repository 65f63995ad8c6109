//! The task that talks to the authority: it gathers what all accounts want,
//! asks once, and hands out the answers. One call is under way at a time; what
//! comes meanwhile goes with the next one.

mod breaker;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gatewright_model::id::{EntityId, LeaseId, LimitId, uuid_v7};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, sleep_until, timeout};

use crate::authority::{Authority, AuthorityAway, CounterKey, LeaseAnswer, LeaseRequest};
use crate::gcra::Nanos;
use crate::limiter::book::{Asker, Book, Mode, Recall, Step};
use crate::limiter::exchange::breaker::Breaker;
use crate::limiter::permits::Permits;
use crate::limiter::registry::Registry;
use crate::limiter::{Node, Sources, Wake};
use crate::notice::{Notice, Notices};

/// Requests in one call; more wait for the next.
const BATCH: usize = 512;
/// Wakes taken in between two calls.
const GULP: usize = 4_096;
/// How long what is wanted is gathered after the authority was asked: on a busy
/// node this task is woken some hundred times a second, not for each call.
const GATHER: Duration = Duration::from_millis(1);
/// How often a part of the idle counters is looked through.
const SWEEP: Duration = Duration::from_secs(5);
/// All that draining may take when nobody answers.
const DRAIN: Duration = Duration::from_secs(1);
const MILLI: Nanos = 1_000_000;

/// The background task of a limiter.
pub(super) struct Exchange {
    node: Arc<Node>,
    registry: Arc<Registry>,
    authority: Arc<dyn Authority>,
    notices: Notices,
    sources: Sources,
    /// Boxed: a table has room for twice as many as it holds.
    accounts: HashMap<CounterKey, Box<Account>>,
    /// When to look at which account; entries that do not match its `due` are old.
    agenda: BinaryHeap<Reverse<(Nanos, CounterKey)>>,
    breaker: Breaker,
}

struct Account {
    permits: Arc<Permits>,
    book: Book,
}

impl Exchange {
    pub(super) fn new(
        node: Arc<Node>,
        registry: Arc<Registry>,
        authority: Arc<dyn Authority>,
        notices: Notices,
        sources: Sources,
    ) -> Self {
        Self {
            node,
            registry,
            authority,
            notices,
            sources,
            accounts: HashMap::new(),
            agenda: BinaryHeap::new(),
            breaker: Breaker::default(),
        }
    }

    /// Works until `stopped`, then gives everything back.
    pub(super) async fn run(
        mut self,
        mut woken: mpsc::UnboundedReceiver<Wake>,
        mut stopped: oneshot::Receiver<()>,
    ) {
        let mut heard = self.notices.subscribe();
        let mut sweep_at = Instant::now() + SWEEP;
        let mut round = 0;
        loop {
            let next = self.next_look().min(sweep_at);
            tokio::select! {
                _ = &mut stopped => break,
                Some(wake) = woken.recv() => self.woken(wake),
                Some(notice) = heard.next() => self.heard(notice),
                () = sleep_until(next.into()) => {}
            }
            for _ in 0..GULP {
                let Ok(wake) = woken.try_recv() else { break };
                self.woken(wake);
            }
            if Instant::now() >= sweep_at {
                self.registry.sweep(&self.node, self.now(), round);
                round = round.wrapping_add(1);
                sweep_at = Instant::now() + SWEEP;
            }
            self.work().await;
            // Who queues meanwhile wakes nobody.
            sleep(GATHER).await;
        }
        self.give_everything_back().await;
    }

    fn now(&self) -> Nanos {
        self.node.nanos(Instant::now())
    }

    fn next_look(&self) -> Instant {
        match self.agenda.peek() {
            Some(Reverse((due, _))) => self.node.instant(*due),
            None => Instant::now() + SWEEP,
        }
    }

    fn woken(&mut self, wake: Wake) {
        let now = self.now();
        match wake {
            Wake::Refill(permits) => {
                // Before the look: what is taken after it queues again.
                permits.dequeued();
                if self.node.away.load(Ordering::Relaxed) {
                    // It waits since before that was known, and nobody will answer.
                    permits.wake();
                }
                let key = permits.key();
                let account = self.accounts.entry(key.clone()).or_insert_with(|| {
                    let book = Book::new(&permits, now);
                    Box::new(Account { permits, book })
                });
                schedule(&mut self.agenda, &mut account.book, key, now);
            }
            Wake::Changed(limit) => self.look_soon(limit.id, now),
        }
    }

    fn look_soon(&mut self, limit: LimitId, now: Nanos) {
        for (key, account) in &mut self.accounts {
            if key.limit == limit {
                schedule(&mut self.agenda, &mut account.book, key.clone(), now);
            }
        }
    }

    fn heard(&mut self, notice: Notice) {
        let now = self.now();
        match notice {
            Notice::Recall { key, by } if by != self.node.id => {
                if let Some(account) = self.accounts.get_mut(&key) {
                    account.book.recalled(&account.permits, now);
                    schedule(&mut self.agenda, &mut account.book, key, now);
                }
            }
            Notice::Recall { .. } | Notice::Changed { .. } | Notice::Unknown => {}
        }
    }

    /// Looks at every account that is due, and asks for what they want.
    async fn work(&mut self) {
        let now = self.now();
        let mode = if self.breaker.may_ask(now) {
            Mode::Serve
        } else {
            Mode::Hush
        };
        let mut batch = Vec::new();
        while batch.len() < BATCH {
            let Some(key) = self.pop_due(now) else { break };
            if let Some(request) = self.look(key, now, mode) {
                batch.push(request);
            }
        }
        if !batch.is_empty() {
            self.ask(batch).await;
        }
    }

    fn pop_due(&mut self, now: Nanos) -> Option<CounterKey> {
        loop {
            let Reverse((due, _)) = self.agenda.peek()?;
            if *due > now {
                return None;
            }
            let Reverse((due, key)) = self.agenda.pop()?;
            if self
                .accounts
                .get(&key)
                .is_some_and(|account| account.book.due == due)
            {
                return Some(key);
            }
        }
    }

    fn look(&mut self, key: CounterKey, now: Nanos, mode: Mode) -> Option<LeaseRequest> {
        let asker = Asker {
            node: self.node.id,
            nodes: self.node.nodes(),
            lease: self.fresh_lease(),
        };
        let account = self.accounts.get_mut(&key)?;
        account.book.due = Nanos::MAX;
        match account.book.look(&account.permits, asker, now, mode) {
            Step::Send(request) => Some(request),
            Step::Sleep(due) => {
                let due = match mode {
                    Mode::Hush => due.min(self.breaker.ask_at()),
                    Mode::Serve | Mode::Drain => due,
                };
                schedule(&mut self.agenda, &mut account.book, key, due);
                None
            }
            Step::Done => {
                self.accounts.remove(&key);
                None
            }
        }
    }

    fn fresh_lease(&self) -> LeaseId {
        let mut random = [0; 10];
        self.sources.entropy.fill(&mut random);
        LeaseId::from_uuid(uuid_v7(self.sources.clock.now(), random))
    }

    async fn ask(&mut self, batch: Vec<LeaseRequest>) {
        let keys: Vec<CounterKey> = batch.iter().map(|request| request.key.clone()).collect();
        let answers = call(&*self.authority, self.node.call_budget, batch).await;
        let now = self.now();
        match answers {
            Ok(answers) => {
                if self.breaker.succeeded() {
                    self.node.away.store(false, Ordering::Relaxed);
                    tracing::info!("the authority of the limits is back");
                }
                for (key, answer) in keys.into_iter().zip(&answers) {
                    self.answered(key, answer, now);
                }
            }
            Err(error) => self.failed(keys, &error, now),
        }
    }

    fn answered(&mut self, key: CounterKey, answer: &LeaseAnswer, now: Nanos) {
        let embedded = self.node.is_embedded();
        let Some(account) = self.accounts.get_mut(&key) else {
            return;
        };
        let recall = account.book.answered(&account.permits, answer, embedded, now);
        // Woken waiters queue again if they have to; a look finds the next date.
        schedule(&mut self.agenda, &mut account.book, key.clone(), now + MILLI);
        if recall == Recall::Publish {
            self.notices.publish(Notice::Recall {
                key,
                by: self.node.id,
            });
        }
    }

    fn failed(&mut self, keys: Vec<CounterKey>, error: &AuthorityAway, now: Nanos) {
        let again = self.breaker.failed(now);
        if self.breaker.is_open() && !self.node.away.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                error = error as &dyn std::error::Error,
                "the authority of the limits is away; each limit acts as it is configured"
            );
            for account in self.accounts.values() {
                account.permits.wake();
            }
        }
        for key in keys {
            if let Some(account) = self.accounts.get_mut(&key) {
                schedule(&mut self.agenda, &mut account.book, key, again);
            }
        }
    }

    async fn give_everything_back(&mut self) {
        if timeout(DRAIN, self.drain()).await.is_err() {
            tracing::warn!("unspent permits could not be given back in time and are written off");
        }
    }

    async fn drain(&mut self) {
        while !self.accounts.is_empty() {
            let now = self.now();
            let keys: Vec<CounterKey> = self.accounts.keys().take(BATCH).cloned().collect();
            let batch: Vec<LeaseRequest> = keys
                .into_iter()
                .filter_map(|key| {
                    let held = self.accounts.contains_key(&key);
                    let request = self.look(key.clone(), now, Mode::Drain);
                    if held && request.is_none() {
                        self.accounts.remove(&key);
                    }
                    request
                })
                .collect();
            if batch.is_empty() {
                continue;
            }
            self.ask(batch).await;
            if self.breaker.is_failing() {
                sleep_until((Instant::now() + self.node.call_budget).into()).await;
            }
        }
    }
}

async fn call(
    authority: &dyn Authority,
    budget: Duration,
    batch: Vec<LeaseRequest>,
) -> Result<Vec<LeaseAnswer>, AuthorityAway> {
    let asked = batch.len();
    let answers = timeout(budget, authority.lease(batch))
        .await
        .map_err(|_| AuthorityAway::Late(budget))??;
    if answers.len() == asked {
        Ok(answers)
    } else {
        Err(AuthorityAway::Garbled("another number of answers"))
    }
}

fn schedule(
    agenda: &mut BinaryHeap<Reverse<(Nanos, CounterKey)>>,
    book: &mut Book,
    key: CounterKey,
    due: Nanos,
) {
    if due < book.due {
        book.due = due;
        agenda.push(Reverse((due, key)));
    }
}

#[cfg(all(test, feature = "models"))]
mod models;
