//! One call from its head to its record. Whatever becomes of it, its record is
//! written when it is dropped.

use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright_model::id::{CallId, EntityId, IdText, uuid_v7};
use gatewright_model::time::Timestamp;
use gatewright_model::traffic::{CallRecord, CallSource};
use http::header::USER_AGENT;
use http::request::Parts;
use http::{HeaderValue, Method};

use crate::body::{Upload, UploadFault};
use crate::runtime::CallFacts;
use crate::trace::{self, Trace};
use crate::worker::Worker;
use crate::worker::connection::ConnectionState;

/// What the record says when the client left before it was answered.
const CLIENT_LEFT: u16 = 499;
const MAX_PATH: usize = 512;
const MAX_USER_AGENT: usize = 256;
const ID_RANDOM: usize = 10;

/// One call.
#[derive(Debug)]
pub(crate) struct Call {
    /// Its id.
    pub(crate) id: CallId,
    /// The same as a header value.
    pub(crate) request_id: HeaderValue,
    /// The trace it belongs to.
    pub(crate) trace: Trace,
    /// What was found out while it was decided upon.
    pub(crate) facts: CallFacts,
    /// The client's address that counts.
    pub(crate) client: IpAddr,
    /// The status that the client gets; `None` until it is known.
    pub(crate) status: Option<u16>,
    /// The code of our refusal.
    pub(crate) refusal: Option<&'static str>,
    /// The target that answered or was tried last.
    pub(crate) target: Option<Arc<str>>,
    /// When the first attempt at an upstream began.
    pub(crate) upstream_since: Option<Instant>,
    /// How far the request's body is.
    pub(crate) upload: Option<Rc<Upload>>,
    /// Bytes of the answer's body so far.
    pub(crate) bytes_out: u64,
    /// The answer's body went out whole.
    pub(crate) complete: bool,
    worker: Rc<Worker>,
    connection: Rc<ConnectionState>,
    at: Timestamp,
    began: Instant,
    method: Method,
    path: Box<str>,
    user_agent: Option<HeaderValue>,
}

impl Call {
    /// A call begins with its head.
    pub(crate) fn begin(worker: &Rc<Worker>, connection: &Rc<ConnectionState>, parts: &Parts) -> Box<Self> {
        connection.begin_call();
        worker.metrics.in_flight.add(1);
        let mut random = [0; ID_RANDOM + trace::RANDOM];
        worker.entropy.fill(&mut random);
        let (for_id, for_trace) = split(&random);
        let at = worker.runtime.clock().now();
        let id = CallId::from_uuid(uuid_v7(at, for_id));
        let path = parts.uri.path();
        Box::new(Self {
            id,
            // A TypeID is ASCII.
            request_id: HeaderValue::from_bytes(IdText::of(id).as_bytes())
                .unwrap_or(HeaderValue::from_static("")),
            trace: Trace::of(&parts.headers, &for_trace),
            facts: CallFacts::default(),
            client: connection.peer.ip(),
            status: None,
            refusal: None,
            target: None,
            upstream_since: None,
            upload: None,
            bytes_out: 0,
            complete: false,
            worker: Rc::clone(worker),
            connection: Rc::clone(connection),
            at,
            began: Instant::now(),
            method: parts.method.clone(),
            path: path
                .get(..path.floor_char_boundary(MAX_PATH))
                .unwrap_or("")
                .into(),
            user_agent: parts.headers.get(USER_AGENT).cloned(),
        })
    }

    /// The worker that serves it.
    pub(crate) fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// The connection that it came over.
    pub(crate) fn connection(&self) -> &Rc<ConnectionState> {
        &self.connection
    }

    /// Its method.
    pub(crate) fn method(&self) -> &Method {
        &self.method
    }

    /// How long the upstream has taken so far, in microseconds, when the
    /// try-it console asks: it shows whose time it was.
    pub(crate) fn upstream_time_for_console(&self) -> Option<HeaderValue> {
        let tried = self.facts.source == CallSource::Console;
        let since = self.upstream_since.filter(|_| tried)?;
        Some(HeaderValue::from(micros(since.elapsed())))
    }

    fn client_left_while_sending(&self) -> bool {
        self.upload
            .as_ref()
            .is_some_and(|upload| upload.fault.get() == Some(UploadFault::Left))
    }

    fn record(&mut self) -> CallRecord {
        let status = match self.status {
            Some(_) | None if self.client_left_while_sending() => CLIENT_LEFT,
            Some(status) => status,
            None => CLIENT_LEFT,
        };
        let facts = std::mem::take(&mut self.facts);
        let user_agent = self.user_agent.as_ref().map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes());
            text.get(..text.floor_char_boundary(MAX_USER_AGENT))
                .unwrap_or("")
                .to_owned()
        });
        CallRecord {
            id: self.id,
            tenant_id: facts.tenant_id,
            subject: facts.subject,
            at: self.at,
            source: facts.source,
            node_id: self.worker.settings.node_id,
            snapshot_seq: facts.snapshot_seq,
            method: name_of(&self.method),
            path: std::mem::take(&mut self.path).into_string(),
            status,
            refusal: self.refusal,
            client: Some(self.client),
            user_agent,
            target: self.target.take(),
            bytes_in: self.upload.as_ref().map_or(0, |upload| upload.bytes.get()),
            bytes_out: self.bytes_out,
            duration_us: micros(self.began.elapsed()),
            upstream_us: self.upstream_since.map_or(0, |since| micros(since.elapsed())),
            trace_id: self.trace.id(),
            complete: self.complete,
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.connection.end_call();
        let record = self.record();
        let metrics = &self.worker.metrics;
        metrics.in_flight.add(-1);
        metrics.bytes_in.add(record.bytes_in);
        metrics.bytes_out.add(record.bytes_out);
        if record.status == CLIENT_LEFT {
            metrics.abandoned.add(1);
        } else {
            metrics.answered(record.status);
        }
        if record.refusal.is_some() {
            metrics.refused.add(1);
        }
        self.worker.records.push(record);
    }
}

fn name_of(method: &Method) -> Cow<'static, str> {
    let known = match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => return Cow::Owned(method.as_str().to_owned()),
    };
    Cow::Borrowed(known)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn split(random: &[u8; ID_RANDOM + trace::RANDOM]) -> ([u8; ID_RANDOM], [u8; trace::RANDOM]) {
    let (mut for_id, mut for_trace) = ([0; ID_RANDOM], [0; trace::RANDOM]);
    let (head, tail) = random.split_at(ID_RANDOM);
    for_id.copy_from_slice(head);
    for_trace.copy_from_slice(tail);
    (for_id, for_trace)
}
