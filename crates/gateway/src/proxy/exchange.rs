//! One request to one upstream and the head of its answer: target, connection,
//! time limits, and the few cases in which another attempt is safe.

use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use gatewright_model::api::Timeouts;
use http::Method;

use super::answer::Relay;
use super::call::Call;
use crate::body::{RequestBody, Upload, UploadFault};
use crate::forward::Outgoing;
use crate::rejection::Rejection;
use crate::upstream::AnswerHead;
use crate::upstream::line::Line;
use crate::upstream::talk::{Lost, Taken, Talk};
use crate::upstream::target::{NoTarget, Place, Target, UpstreamSet};
use crate::worker::memory::Memory;

/// Targets that are tried before a call is given up.
const MAX_TARGETS: usize = 3;

/// The head of an answer, and the rest of it on its way.
#[derive(Debug)]
pub(crate) struct Exchanged {
    /// Status and fields as the upstream sent them.
    pub(crate) head: AnswerHead,
    /// The body.
    pub(crate) relay: Relay,
}

/// How an attempt over one connection ended without an answer.
enum Failed {
    /// A kept connection was closed under a request without a body that may be sent again.
    Stale,
    /// For good.
    Final(Rejection),
}

/// Sends a request to one of the targets and waits for the head of the answer.
///
/// Another attempt is made when nothing was sent, or when a kept connection
/// turned out to be closed and the request is idempotent and has no body (RFC
/// 9110, section 9.2.2). Beyond that, a failure is the answer.
///
/// # Errors
/// The rejection that tells the client.
pub(crate) async fn exchange(
    call: &mut Call,
    outgoing: &Outgoing<'_>,
    upstream: &UpstreamSet,
    mut body: RequestBody,
) -> Result<Exchanged, Rejection> {
    let worker = Rc::clone(call.worker());
    let limit = worker.settings.max_in_flight_per_target;
    let replay = Replay::of(&outgoing.parts.method, &body);
    let mut tried: Vec<Arc<Target>> = Vec::new();
    let mut reuse = Reuse::Allowed;
    let mut failure = Rejection::UpstreamUnreachable;
    while tried.len() < MAX_TARGETS {
        let place = match upstream.choose(&tried, limit) {
            Ok(place) => place,
            Err(NoTarget::Exhausted) => break,
            Err(NoTarget::Full) => return Err(Rejection::Overloaded),
        };
        let target = Arc::clone(place.target());
        call.target = Some(Arc::clone(&target.name));
        let (line, kept) = match line(&worker, &target, upstream.timeouts, reuse, replay).await {
            Ok(found) => found,
            Err(rejection) => {
                upstream.avoid(&target);
                tried.push(target);
                failure = rejection;
                continue;
            }
        };
        let way = Way { line, place, kept };
        match attempt(&worker.memory, way, outgoing, body, upstream.timeouts, replay).await {
            Ok(exchanged) => return Ok(exchanged),
            Err(Failed::Stale) => body = RequestBody::Empty,
            Err(Failed::Final(rejection)) => return Err(rejection),
        }
        // What is kept beside it is most likely gone as well; a fresh one that fails is not tried twice.
        if reuse == Reuse::Refused {
            tried.push(target);
        }
        reuse = Reuse::Refused;
    }
    Err(failure)
}

/// Whether a kept connection may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reuse {
    Allowed,
    Refused,
}

/// Whether a request may be sent again when it is not known if it arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replay {
    Safe,
    Never,
}

impl Replay {
    /// RFC 9110, section 9.2.2; a body cannot be sent again, because it is not kept.
    fn of(method: &Method, body: &RequestBody) -> Self {
        let idempotent = matches!(
            *method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::PUT | Method::DELETE
        );
        if idempotent && matches!(body, RequestBody::Empty) {
            Self::Safe
        } else {
            Self::Never
        }
    }
}

/// A connection to a target, and whether it was used before.
async fn line(
    worker: &crate::worker::Worker,
    target: &Target,
    timeouts: Timeouts,
    reuse: Reuse,
    replay: Replay,
) -> Result<(Line, bool), Rejection> {
    while reuse == Reuse::Allowed
        && let Some(mut line) = worker.pool.take(&target.origin)
    {
        if replay == Replay::Never {
            // Lets the event loop see a close that has arrived: this request has one attempt.
            tokio::task::yield_now().await;
            if !line.is_usable() {
                continue;
            }
        }
        worker.metrics.upstream_reuses.add(1);
        return Ok((line, true));
    }
    let limit = Duration::from_millis(timeouts.connect_ms.into());
    worker.metrics.upstream_connects.add(1);
    match worker.connector.connect(&target.origin, limit).await {
        Ok(line) => Ok((line, false)),
        Err(error) => {
            tracing::warn!(upstream.target = %target.name, %error, "upstream not connected");
            Err(error.rejection())
        }
    }
}

/// What a request is sent over.
struct Way {
    line: Line,
    place: Place,
    /// It was used before.
    kept: bool,
}

async fn attempt(
    memory: &Memory,
    way: Way,
    outgoing: &Outgoing<'_>,
    body: RequestBody,
    timeouts: Timeouts,
    replay: Replay,
) -> Result<Exchanged, Failed> {
    let Way {
        mut line,
        place,
        kept,
    } = way;
    let upload = body.upload();
    let began = Instant::now();
    if let Some(upload) = &upload {
        // What the connection took is not the client's time.
        upload.progress.set(began);
    }
    let bodiless = upload.is_none();
    let request = outgoing.message(place.target(), body, line.wake(memory));
    let idle = Duration::from_millis(timeouts.idle_ms.into());
    let mut talk = Box::new(Talk::begin(line, request, &outgoing.parts.method, idle));
    let answered = std::future::poll_fn(|cx| {
        if let Poll::Ready(head) = talk.poll_head(cx) {
            return Poll::Ready(head.map_err(Some));
        }
        loop {
            let deadline = deadline(upload.as_deref(), began, timeouts);
            std::task::ready!(talk.poll_deadline(cx, deadline));
            // The body may have gone on meanwhile.
            if self::deadline(upload.as_deref(), began, timeouts) == deadline {
                return Poll::Ready(Err(None));
            }
        }
    })
    .await;
    match answered {
        Ok(head) => Ok(Exchanged {
            head,
            relay: Relay { talk, _place: place },
        }),
        Err(None) => Err(Failed::Final(too_late(upload.as_deref()))),
        Err(Some(lost)) => Err(match lost {
            Lost::Closed(taken)
                if kept && bodiless && (replay == Replay::Safe || taken == Taken::Nothing) =>
            {
                Failed::Stale
            }
            lost => Failed::Final(of_lost(&lost, upload.as_deref())),
        }),
    }
}

/// Each piece of a body has its time, and the answer has its own from the last piece on.
fn deadline(upload: Option<&Upload>, began: Instant, timeouts: Timeouts) -> Instant {
    let (since, wait) = match upload {
        None => (began, timeouts.response_ms),
        Some(upload) if upload.ended.get() => (upload.progress.get(), timeouts.response_ms),
        Some(upload) => (upload.progress.get(), timeouts.idle_ms),
    };
    since + Duration::from_millis(wait.into())
}

/// Whose time it was.
fn too_late(upload: Option<&Upload>) -> Rejection {
    let client = upload.is_some_and(|upload| upload.waits_for_client.get() && !upload.ended.get());
    if client {
        Rejection::RequestTimeout
    } else {
        Rejection::UpstreamTimeout
    }
}

fn of_lost(lost: &Lost, upload: Option<&Upload>) -> Rejection {
    let fault = upload.and_then(|upload| Some((upload.fault.get()?, upload.limit)));
    if let Some((fault, limit)) = fault {
        return of_upload(fault, limit);
    }
    tracing::debug!(error = %lost, "no answer from the upstream");
    Rejection::UpstreamInvalid
}

/// How a broken request body is answered.
pub(crate) fn of_upload(fault: UploadFault, limit: u64) -> Rejection {
    match fault {
        UploadFault::TooLarge => Rejection::PayloadTooLarge(limit),
        UploadFault::TooSlow => Rejection::RequestTimeout,
        UploadFault::Left => Rejection::BadRequest("the body broke off"),
        UploadFault::Malformed => Rejection::BadRequest("the body's framing is broken"),
    }
}
