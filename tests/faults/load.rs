//! Callers in the background and what became of each of their calls; how large
//! a test is; the figures that a process tells about itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gatewright_testkit::http::{Client, text};
use gatewright_testkit::server::Server;
use gatewright_testkit::wait::eventually;
use http::Method;

/// Between two calls of one caller: the tests share their machine.
const PAUSE: Duration = Duration::from_millis(5);
/// How long a condition may take on a machine that has much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the long form of the tests runs.
pub(crate) fn soak() -> bool {
    std::env::var_os("GATEWRIGHT_SOAK").is_some_and(|value| !value.is_empty())
}

/// The size of a test: the first in every run, the second under `tests/run soak`.
pub(crate) fn size(short: usize, long: usize) -> usize {
    if soak() { long } else { short }
}

/// One call.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// Which of the gateways was called.
    pub(crate) gateway: usize,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) answer: Answer,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// With a status, the code of a refusal if it was one, and the id of the call.
    Given { status: u16, code: String, id: String },
    /// With none.
    None(String),
}

impl Outcome {
    pub(crate) fn status(&self) -> u16 {
        match &self.answer {
            Answer::Given { status, .. } => *status,
            Answer::None(_) => 0,
        }
    }

    pub(crate) fn took(&self) -> Duration {
        self.ended - self.began
    }
}

/// Callers that go on until they are told to end.
pub(crate) struct Load {
    calls: Arc<Mutex<Vec<Outcome>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Load {
    /// So many callers of each gateway, on a thread of their own: what blocks a
    /// test does not hold them up.
    pub(crate) fn start(gateways: &[Client], path: &str, callers: usize) -> Self {
        let (calls, stop) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (kept, stopped) = (Arc::clone(&calls), Arc::clone(&stop));
        let (gateways, path) = (gateways.to_vec(), path.to_owned());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async move {
                let callers = gateways
                    .iter()
                    .enumerate()
                    .flat_map(|(index, gateway)| (0..callers).map(move |_| (index, gateway.clone())));
                let callers =
                    callers.map(|(index, gateway)| caller(index, gateway, path.clone(), &kept, &stopped));
                futures_util::future::join_all(callers).await;
            });
        });
        Self {
            calls,
            stop,
            thread: Some(thread),
        }
    }

    /// Waits until so many more calls have ended, however slow this machine is.
    pub(crate) async fn goes_on(&self, calls: usize) {
        let mut seen = self.calls.lock().unwrap().len();
        let wanted = seen + calls;
        while seen < wanted {
            seen = eventually(PATIENCE, "the callers go on", || async {
                let now = self.calls.lock().unwrap().len();
                (now > seen).then_some(now)
            })
            .await;
        }
    }

    /// Ends it and gives every call, in the order in which they ended.
    pub(crate) fn end(mut self) -> Vec<Outcome> {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.take().unwrap().join().unwrap();
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

async fn caller(index: usize, gateway: Client, path: String, kept: &Mutex<Vec<Outcome>>, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        let began = Instant::now();
        let answer = match gateway.attempt(Method::GET, &path, "").await {
            Ok(reply) => Answer::Given {
                status: reply.status,
                code: text(&reply.json(), "code").to_owned(),
                id: reply.header("x-request-id").unwrap_or_default().to_owned(),
            },
            Err(none) => Answer::None(none.0),
        };
        kept.lock().unwrap().push(Outcome {
            gateway: index,
            began,
            ended: Instant::now(),
            answer,
        });
        tokio::time::sleep(PAUSE).await;
    }
}

/// The longest of the fastest 99 %.
pub(crate) fn p99<'a>(calls: impl IntoIterator<Item = &'a Outcome>) -> Duration {
    let mut took: Vec<Duration> = calls.into_iter().map(Outcome::took).collect();
    took.sort_unstable();
    let place = (took.len() * 99).div_ceil(100).saturating_sub(1);
    took.get(place).copied().unwrap_or_default()
}

/// Of sorted times the one that a bar of 99 in 100 is held against. Of a few,
/// made beside the other tests, that is the one in the middle: what the machine
/// holds up is a part of the rest.
pub(crate) fn nearly_all(sorted: &[Duration]) -> Duration {
    let place = if soak() {
        (sorted.len() * 99).div_ceil(100).saturating_sub(1)
    } else {
        sorted.len() / 2
    };
    sorted[place]
}

/// Every call ended with this status.
#[track_caller]
pub(crate) fn all_answered(calls: &[Outcome], status: u16) {
    let others: Vec<_> = calls.iter().filter(|call| call.status() != status).collect();
    assert!(
        others.is_empty(),
        "{} of {} calls ended otherwise, for example {:?}",
        others.len(),
        calls.len(),
        others.first()
    );
}

/// A figure of a process, all its labels added up.
pub(crate) async fn metric(server: &Server, name: &str) -> f64 {
    let page = server.status().get("/metrics").await;
    page.expect(200);
    let name = format!("gatewright_{name}");
    let page = page.text();
    let samples: Vec<f64> = page
        .lines()
        .filter_map(|line| line.strip_prefix(&name))
        .filter(|rest| rest.starts_with([' ', '{']))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse().ok())
        .collect();
    assert!(!samples.is_empty(), "no {name} in {page}");
    samples.iter().sum()
}

/// Waits until a figure of a process has this value.
pub(crate) async fn metric_is(server: &Server, name: &str, wanted: f64) {
    eventually(PATIENCE, &format!("{name} is {wanted}"), || async {
        let now = metric(server, name).await;
        ((now - wanted).abs() < 0.5).then_some(())
    })
    .await;
}

/// What does not work as it should, as a process says it; it has to be alive and ready.
pub(crate) async fn degraded(server: &Server) -> Vec<String> {
    server.status().get("/healthz").await.expect(200);
    let ready = server.status().get("/readyz").await.expect(200);
    let reasons = ready["degraded"].as_array().into_iter().flatten();
    reasons
        .map(|reason| reason.as_str().unwrap().to_owned())
        .collect()
}
