//! One request from its head to its answer: look ([`crate::edge`]), decide
//! ([`crate::runtime`]), forward ([`exchange`]), answer ([`answer`]), record
//! ([`call`]).

pub(crate) mod answer;
pub(crate) mod call;
pub(crate) mod exchange;

use std::rc::Rc;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION, EXPECT};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body::Body;

use self::answer::AnswerBody;
use self::call::Call;
use self::exchange::{Exchanged, exchange};
use crate::body::{self, ClientBody, Leftover, RequestBody};
use crate::edge::{self, Aim, Head};
use crate::forward::{Client, Outgoing};
use crate::headers::{self, REQUEST_ID};
use crate::rejection::Rejection;
use crate::runtime::{Admitted, Refused, RequestView};
use crate::worker::Worker;
use crate::worker::connection::ConnectionState;

/// How long the upstream took to answer, in microseconds: for the try-it console alone.
const UPSTREAM_TIME: HeaderName = HeaderName::from_static("gatewright-upstream-time");

/// How a request ended.
enum Outcome {
    /// An upstream answered.
    Answered(Box<Admitted>, Exchanged),
    /// It may not pass; so much of its body is left.
    Refused(Refused, Leftover),
    /// It was admitted, but nothing of use came back.
    Failed(Box<Admitted>, Rejection),
    /// It was aimed at the server itself.
    Server,
}

/// Serves one request. There is always an answer.
pub(crate) async fn serve(
    worker: Rc<Worker>,
    connection: Rc<ConnectionState>,
    request: Request<ClientBody>,
) -> Response<AnswerBody> {
    let (parts, body) = request.into_parts();
    let mut call = Call::begin(&worker, &connection, &parts);
    let outcome = pass(&worker, &mut call, &parts, body).await;
    finish(call, outcome, parts.version)
}

/// Answers a request that is refused by its head alone, which may be broken or
/// not there whole. The connection ends behind the answer.
pub(crate) fn refuse_head(
    worker: &Rc<Worker>,
    connection: &Rc<ConnectionState>,
    parts: &Parts,
    rejection: &Rejection,
) -> Response<AnswerBody> {
    let call = Call::begin(worker, connection, parts);
    let mut headers = HeaderMap::new();
    rejection.write_headers(&mut headers);
    refuse(call, rejection, headers, Leftover::Unread, parts.version)
}

async fn pass(worker: &Worker, call: &mut Call, parts: &Parts, body: ClientBody) -> Outcome {
    match admit(worker, call, parts).await {
        Ok(Some((_, _, admitted))) if body.size_hint().lower() > worker.settings.max_body => {
            discard(parts, body).await;
            Outcome::Failed(admitted, Rejection::PayloadTooLarge(worker.settings.max_body))
        }
        Ok(Some((head, client, admitted))) => {
            match forward(call, parts, &head, &client, &admitted, body).await {
                Ok(exchanged) => Outcome::Answered(admitted, exchanged),
                Err(rejection) => Outcome::Failed(admitted, rejection),
            }
        }
        Ok(None) => Outcome::Server,
        Err(refused) => {
            let leftover = if refused.rejection.closes_connection() {
                Leftover::Unread
            } else {
                discard(parts, body).await
            };
            Outcome::Refused(refused, leftover)
        }
    }
}

/// Reads a body that nobody wants, unless its client waits for `100 Continue`:
/// then it sends the body only when it is asked for.
async fn discard(parts: &Parts, body: ClientBody) -> Leftover {
    if parts.headers.contains_key(EXPECT) {
        return Leftover::Unread;
    }
    body::discard(body).await
}

type Passed<'a> = (Head<'a>, Client, Box<Admitted>);

/// Looks and decides. `None` when the request is aimed at the server itself.
async fn admit<'a>(
    worker: &Worker,
    call: &mut Call,
    parts: &'a Parts,
) -> Result<Option<Passed<'a>>, Refused> {
    let Aim::Resource(head) = edge::check(parts)? else {
        return Ok(None);
    };
    let client = call
        .connection()
        .client(&parts.headers, &worker.settings.trusted_proxies);
    call.client = client.address;
    let view = RequestView {
        method: &parts.method,
        host: head.host.as_deref(),
        path: &head.path,
        headers: &parts.headers,
        client: client.address,
    };
    let admitted = worker
        .runtime
        .decide(&worker.state, &view, &mut call.facts)
        .await?;
    Ok(Some((head, client, Box::new(admitted))))
}

async fn forward(
    call: &mut Call,
    parts: &Parts,
    head: &Head<'_>,
    client: &Client,
    admitted: &Admitted,
    body: ClientBody,
) -> Result<Exchanged, Rejection> {
    let limit = call.worker().settings.max_body;
    let body = RequestBody::new(body, limit);
    let upstream = admitted
        .upstream
        .as_deref()
        .ok_or(Rejection::UpstreamUnreachable)?;
    call.upload = body.upload();
    call.upstream_since = Some(std::time::Instant::now());
    let (request_id, trace) = (call.request_id.clone(), call.trace);
    let outgoing = Outgoing {
        parts,
        head,
        admitted,
        client,
        request_id: &request_id,
        trace: &trace,
    };
    let exchanged = exchange(call, &outgoing, upstream, body).await;
    if exchanged.is_err() {
        call.worker().metrics.upstream_failures.add(1);
    }
    exchanged
}

fn finish(mut call: Box<Call>, outcome: Outcome, version: Version) -> Response<AnswerBody> {
    match outcome {
        Outcome::Answered(admitted, exchanged) => relay(call, &admitted, exchanged),
        Outcome::Refused(refused, leftover) => {
            let mut headers = HeaderMap::new();
            refused.write_headers(&mut headers);
            refuse(call, &refused.rejection, headers, leftover, version)
        }
        Outcome::Failed(admitted, rejection) => {
            let mut headers = HeaderMap::new();
            admitted.write_response_headers(&mut headers);
            rejection.write_headers(&mut headers);
            let unread = call.upload.as_ref().is_some_and(|upload| !upload.ended.get());
            let leftover = if unread { Leftover::Unread } else { Leftover::None };
            refuse(call, &rejection, headers, leftover, version)
        }
        Outcome::Server => {
            let mut headers = HeaderMap::new();
            headers.insert(
                ALLOW,
                HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),
            );
            headers.insert(REQUEST_ID, call.request_id.clone());
            call.status = Some(StatusCode::NO_CONTENT.as_u16());
            answer(
                StatusCode::NO_CONTENT,
                headers,
                AnswerBody::own(Bytes::new(), call),
            )
        }
    }
}

fn relay(mut call: Box<Call>, admitted: &Admitted, exchanged: Exchanged) -> Response<AnswerBody> {
    let Exchanged { head, relay } = exchanged;
    let bodiless = *call.method() == Method::HEAD || head.status == StatusCode::NOT_MODIFIED;
    let mut headers = headers::of_answer(head.headers, bodiless);
    admitted.write_response_headers(&mut headers);
    headers.insert(REQUEST_ID, call.request_id.clone());
    if let Some(time) = call.upstream_time_for_console() {
        headers.insert(UPSTREAM_TIME, time);
    }
    call.status = Some(head.status.as_u16());
    answer(head.status, headers, AnswerBody::relayed(relay, call))
}

fn refuse(
    mut call: Box<Call>,
    rejection: &Rejection,
    mut headers: HeaderMap,
    leftover: Leftover,
    version: Version,
) -> Response<AnswerBody> {
    headers.insert(REQUEST_ID, call.request_id.clone());
    let ends = leftover == Leftover::Unread || rejection.closes_connection();
    if ends && version < Version::HTTP_2 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    call.status = Some(rejection.status().as_u16());
    call.refusal = Some(rejection.code());
    let body = rejection.body(call.id);
    answer(rejection.status(), headers, AnswerBody::own(body, call))
}

fn answer(status: StatusCode, headers: HeaderMap, body: AnswerBody) -> Response<AnswerBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
