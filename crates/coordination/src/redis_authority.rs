//! The authority in Redis: one script per request, one key per counter, a batch
//! in one pipeline.
//!
//! The script knows no calendar. The bounds of a period are computed here from
//! Redis' own time, which every answer brings along, and the script checks them
//! against its clock: at a boundary, or when this process has drifted, it does
//! nothing and answers with its time, and the request is sent again with other
//! bounds. So a permit is always granted in the period that Redis is in.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use gatewright_model::time::Timestamp;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, ErrorKind, Pipeline, RedisError, Script, ServerErrorKind};
use tokio::sync::OnceCell;

use crate::authority::{Authority, AuthorityAway, LeaseAnswer, LeaseFate, LeaseRequest};
use crate::terms::{Shape, Terms};

const SCRIPT: &str = include_str!("lease.lua");
/// Above what callers wait, so that theirs decides: this one only frees the slot.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const RECONNECT_MIN: Duration = Duration::from_millis(20);
const RECONNECT_MAX: Duration = Duration::from_millis(500);
/// A boundary can pass once between two attempts; more is a clock gone wild.
const ATTEMPTS: usize = 3;
/// The fields of an answer that was given, and of one that was not.
const GIVEN: usize = 9;
const OTHER_PERIOD: usize = 2;

/// Counters in one Redis.
pub struct RedisAuthority {
    client: Client,
    connection: OnceCell<ConnectionManager>,
    script: Script,
    origin: Instant,
    /// Redis' time at `origin`, in microseconds; zero until it is known.
    at_origin: AtomicI64,
}

impl std::fmt::Debug for RedisAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The client's own form holds the password of the URL.
        f.debug_struct("RedisAuthority").finish_non_exhaustive()
    }
}

impl RedisAuthority {
    /// An authority at this address (`redis://` or `rediss://`). It connects when
    /// it is warmed up or asked, and again by itself.
    ///
    /// # Errors
    /// When the address cannot be understood.
    pub fn new(url: &str) -> Result<Self, RedisError> {
        Ok(Self {
            client: Client::open(url)?,
            connection: OnceCell::new(),
            script: Script::new(SCRIPT),
            origin: Instant::now(),
            at_origin: AtomicI64::new(0),
        })
    }

    /// Connects, leaves the script there and learns the time.
    async fn meet(&self) -> Result<(), AuthorityAway> {
        let mut connection = self.connection().await?;
        self.script.load_async(&mut connection).await?;
        let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(&mut connection).await?;
        self.learn_time(seconds.saturating_mul(1_000_000).saturating_add(micros));
        Ok(())
    }

    async fn run(&self, batch: Vec<LeaseRequest>) -> Result<Vec<LeaseAnswer>, AuthorityAway> {
        let mut answers: Vec<Option<LeaseAnswer>> = vec![None; batch.len()];
        for _ in 0..ATTEMPTS {
            let open: Vec<(&LeaseRequest, &mut Option<LeaseAnswer>)> = batch
                .iter()
                .zip(&mut answers)
                .filter(|(_, answer)| answer.is_none())
                .collect();
            if open.is_empty() {
                break;
            }
            self.attempt(open).await?;
        }
        answers
            .into_iter()
            .collect::<Option<Vec<_>>>()
            .ok_or(AuthorityAway::Garbled("its clock does not stand still"))
    }

    async fn attempt(
        &self,
        open: Vec<(&LeaseRequest, &mut Option<LeaseAnswer>)>,
    ) -> Result<(), AuthorityAway> {
        let now = self.now();
        let mut pipeline = Pipeline::with_capacity(open.len());
        let mut terms = Vec::with_capacity(open.len());
        for (request, _) in &open {
            let at = Terms::at(&request.spec, now);
            arguments(&mut pipeline, self.script.get_hash(), request, &at);
            terms.push(at);
        }
        let replies = self.send(&pipeline).await?;
        if replies.len() != open.len() {
            return Err(AuthorityAway::Garbled("another number of answers"));
        }
        for (((request, answer), terms), reply) in open.into_iter().zip(&terms).zip(&replies) {
            *answer = self.read(request, terms, reply)?;
        }
        Ok(())
    }

    async fn send(&self, pipeline: &Pipeline) -> Result<Vec<Vec<i64>>, AuthorityAway> {
        let mut connection = self.connection().await?;
        match pipeline.query_async(&mut connection).await {
            // A restarted Redis has forgotten the script. What was done before the
            // error is done; the lease ids make the repetition harmless.
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.script.load_async(&mut connection).await?;
                Ok(pipeline.query_async(&mut connection).await?)
            }
            other => Ok(other?),
        }
    }

    async fn connection(&self) -> Result<ConnectionManager, RedisError> {
        let connect = || async {
            let config = ConnectionManagerConfig::new()
                .set_response_timeout(Some(RESPONSE_TIMEOUT))
                .set_connection_timeout(Some(CONNECT_TIMEOUT))
                .set_min_delay(RECONNECT_MIN)
                .set_max_delay(RECONNECT_MAX);
            ConnectionManager::new_lazy_with_config(self.client.clone(), config)
        };
        self.connection.get_or_try_init(connect).await.cloned()
    }

    fn read(
        &self,
        request: &LeaseRequest,
        terms: &Terms,
        reply: &[i64],
    ) -> Result<Option<LeaseAnswer>, AuthorityAway> {
        if let Ok(&[0, micros]) = <&[i64; OTHER_PERIOD]>::try_from(reply) {
            self.learn_time(micros);
            return Ok(None);
        }
        let &[
            _,
            micros,
            granted,
            remaining,
            used,
            elsewhere,
            period,
            reset,
            retry,
        ] = <&[i64; GIVEN]>::try_from(reply)
            .map_err(|_| AuthorityAway::Garbled("an answer of another length"))?;
        self.learn_time(micros);
        Ok(Some(LeaseAnswer {
            lease: request.lease,
            granted: granted.max(0).unsigned_abs(),
            remaining: remaining.max(0).unsigned_abs(),
            used: used.max(0).unsigned_abs(),
            outstanding_elsewhere: elsewhere.max(0).unsigned_abs(),
            period,
            reset_after: Duration::from_micros(reset.max(0).unsigned_abs()),
            retry_after: Duration::from_micros(retry.max(0).unsigned_abs()),
            usable_for: Duration::from_millis(terms.usable.max(0).unsigned_abs()),
            lease_for: Duration::from_millis(terms.lease.max(0).unsigned_abs()),
        }))
    }

    /// Redis' time as far as known. Before the first answer it is the epoch: then
    /// the script refuses the bounds and names the time.
    fn now(&self) -> Timestamp {
        let micros = self.at_origin.load(Ordering::Relaxed) + self.elapsed();
        Timestamp::from_millis(micros / 1_000)
    }

    fn learn_time(&self, micros: i64) {
        self.at_origin.store(micros - self.elapsed(), Ordering::Relaxed);
    }

    fn elapsed(&self) -> i64 {
        i64::try_from(self.origin.elapsed().as_micros()).unwrap_or(i64::MAX)
    }
}

impl Authority for RedisAuthority {
    fn lease(&self, batch: Vec<LeaseRequest>) -> BoxFuture<'_, Result<Vec<LeaseAnswer>, AuthorityAway>> {
        self.run(batch).boxed()
    }

    fn warm_up(&self) -> BoxFuture<'_, Result<(), AuthorityAway>> {
        self.meet().boxed()
    }
}

/// Adds the call of the script to the pipeline; the order is the script's.
fn arguments(pipeline: &mut Pipeline, script: &str, request: &LeaseRequest, terms: &Terms) {
    let command = pipeline.cmd("EVALSHA").arg(script).arg(1);
    // The braces keep everything of one counter in one slot of a cluster.
    let key = format!(
        "gatewright:lease:{{{}:{}}}",
        request.key.limit, request.key.partition
    );
    let shape = match terms.shape {
        Shape::Calendar => "calendar",
        Shape::Rolling => "rolling",
        Shape::Rate => "rate",
    };
    let known = request.known;
    command
        .arg(key)
        .arg(shape)
        .arg(terms.window)
        .arg(terms.start)
        .arg(terms.end)
        .arg(terms.bucket)
        .arg(terms.usable)
        .arg(terms.lease)
        .arg(request.spec.amount)
        .arg(request.spec.burst)
        .arg(request.lease.to_string())
        .arg(request.node.to_string())
        .arg(request.want)
        .arg(request.nodes)
        .arg(known.period.map(|period| period.to_string()).unwrap_or_default())
        .arg(known.used)
        .arg(known.overdraft);
    for report in &request.reports {
        let fate = match report.fate {
            LeaseFate::Held => "held",
            LeaseFate::Closed => "closed",
        };
        command.arg(report.lease.to_string()).arg(report.spent).arg(fate);
    }
}
