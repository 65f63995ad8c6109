//! One request to one upstream and the head of its answer: target, connection,
//! time limits, and the few cases in which another attempt is safe.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_model::api::Timeouts;
use http::{Method, Response, StatusCode};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;

use super::answer::Relay;
use super::call::Call;
use crate::body::{AnswerStream, RequestBody, Upload, UploadFault};
use crate::forward::Outgoing;
use crate::rejection::Rejection;
use crate::upstream::connect::Line;
use crate::upstream::target::{NoTarget, Place, Target, UpstreamSet};

/// Targets that are tried before a call is given up.
const MAX_TARGETS: usize = 3;

/// The head of an answer, and the rest of it on its way.
#[derive(Debug)]
pub(crate) struct Exchanged {
    /// Status and fields as the upstream sent them.
    pub(crate) head: http::response::Parts,
    /// The body.
    pub(crate) relay: Box<Relay>,
}

/// How an attempt over one connection ended without an answer.
enum Failed {
    /// The connection was gone before anything was sent: the body is untouched.
    Unsent(RequestBody),
    /// A kept connection was closed under a request that may be sent again.
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
        let request = outgoing.request(&target, body)?;
        let replay = if kept { replay } else { Replay::Never };
        match attempt(line, place, request, upstream.timeouts, replay).await {
            Ok(exchanged) => return Ok(exchanged),
            Err(Failed::Unsent(untouched)) => body = untouched,
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
        && let Some(line) = worker.pool.take(&target.origin)
    {
        if replay == Replay::Never {
            // Lets the event loop see a close that has arrived: this request has one attempt.
            tokio::task::yield_now().await;
            if !line.sender.is_ready() {
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

async fn attempt(
    mut line: Line,
    place: Place,
    request: http::Request<RequestBody>,
    timeouts: Timeouts,
    replay: Replay,
) -> Result<Exchanged, Failed> {
    let upload = request.body().upload();
    if let Some(upload) = &upload {
        // What the connection took is not the client's time.
        upload.progress.set(Instant::now());
    }
    line.watch.arm();
    let sending = line.sender.try_send_request(request);
    let response = match upload {
        None => {
            let limit = Duration::from_millis(timeouts.response_ms.into());
            tokio::time::timeout(limit, sending)
                .await
                .map_err(|_| Failed::Final(Rejection::UpstreamTimeout))?
        }
        Some(ref upload) => while_sending(sending, upload, timeouts).await?,
    };
    let response = response.map_err(|error| failed(error, upload.as_deref(), replay))?;
    line.watch.disarm();
    // Nothing was switched, and a protocol that was not asked for would hide messages from us.
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failed::Final(Rejection::UpstreamInvalid));
    }
    let (head, body) = response.into_parts();
    let idle = Duration::from_millis(timeouts.idle_ms.into());
    Ok(Exchanged {
        head,
        relay: Box::new(Relay {
            stream: AnswerStream::new(body, idle),
            held: Some((line, place)),
        }),
    })
}

type Sent = Result<Response<Incoming>, TrySendError<http::Request<RequestBody>>>;

/// Waits for the answer while the body is sent: each piece has its time, and
/// the answer has its own from the last piece on.
async fn while_sending(
    sending: impl Future<Output = Sent>,
    upload: &Upload,
    timeouts: Timeouts,
) -> Result<Sent, Failed> {
    let mut sending = std::pin::pin!(sending);
    loop {
        let deadline = deadline(upload, timeouts);
        match tokio::time::timeout_at(deadline.into(), sending.as_mut()).await {
            Ok(sent) => return Ok(sent),
            Err(_) if self::deadline(upload, timeouts) > deadline => {}
            Err(_) if upload.waits_for_client.get() && !upload.ended.get() => {
                return Err(Failed::Final(Rejection::RequestTimeout));
            }
            Err(_) => return Err(Failed::Final(Rejection::UpstreamTimeout)),
        }
    }
}

fn deadline(upload: &Upload, timeouts: Timeouts) -> Instant {
    let wait = if upload.ended.get() {
        timeouts.response_ms
    } else {
        timeouts.idle_ms
    };
    upload.progress.get() + Duration::from_millis(wait.into())
}

fn failed(
    mut error: TrySendError<http::Request<RequestBody>>,
    upload: Option<&Upload>,
    replay: Replay,
) -> Failed {
    if let Some(request) = error.take_message() {
        return Failed::Unsent(request.into_body());
    }
    let fault = upload.and_then(|upload| Some((upload.fault.get()?, upload.limit)));
    if let Some((fault, limit)) = fault {
        return Failed::Final(of_upload(fault, limit));
    }
    let error = error.into_error();
    let closed = error.is_incomplete_message() || error.is_closed() || error.is_canceled();
    let broken = closed || std::error::Error::source(&error).is_some_and(is_broken_socket);
    if replay == Replay::Safe && broken {
        return Failed::Stale;
    }
    tracing::debug!(%error, "no answer from the upstream");
    Failed::Final(Rejection::UpstreamInvalid)
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

fn is_broken_socket(source: &(dyn std::error::Error + 'static)) -> bool {
    use std::io::ErrorKind as K;
    source.downcast_ref::<std::io::Error>().is_some_and(|error| {
        matches!(
            error.kind(),
            K::ConnectionReset | K::BrokenPipe | K::ConnectionAborted
        )
    })
}
