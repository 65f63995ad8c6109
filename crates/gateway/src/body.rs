//! Bodies on their way: counted, bounded and watched, never held.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::headers;
use crate::http1::wire::IncomingBody;

/// After this time a request body has to come at [`MIN_RATE`] at least.
const GRACE: Duration = Duration::from_secs(10);
/// Bytes a second (`security.md`, 3.10).
const MIN_RATE: u64 = 500;

/// Bytes of a body that are read only to get them out of the way. A client that
/// is still sending when its connection is closed loses the refusal with it, so
/// this is above what bodies may have; the time bounds what a slow client costs.
const MAX_DISCARD: usize = 16 * 1024 * 1024;
const DISCARD_TIME: Duration = Duration::from_millis(250);

/// Why a request body could not be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UploadFault {
    /// It is larger than it may be.
    #[error("the request body is too large")]
    TooLarge,
    /// The client sends too slowly, or stopped sending.
    #[error("the request body comes too slowly")]
    TooSlow,
    /// The client left.
    #[error("the client left")]
    Left,
    /// Its framing is broken.
    #[error("the request body is malformed")]
    Malformed,
}

/// How far a request body is. Whoever waits for the answer reads it while
/// the connection to the upstream draws the body.
#[derive(Debug)]
pub(crate) struct Upload {
    started: Instant,
    /// Its largest size in bytes.
    pub(crate) limit: u64,
    /// When the last piece came, or the end.
    pub(crate) progress: Cell<Instant>,
    /// Bytes so far.
    pub(crate) bytes: Cell<u64>,
    /// Whether the client owes the next piece.
    pub(crate) waits_for_client: Cell<bool>,
    /// Whether all of it came.
    pub(crate) ended: Cell<bool>,
    /// Why it will never end well.
    pub(crate) fault: Cell<Option<UploadFault>>,
}

impl Upload {
    fn new(limit: u64) -> Self {
        let now = Instant::now();
        Self {
            started: now,
            limit,
            progress: Cell::new(now),
            bytes: Cell::new(0),
            waits_for_client: Cell::new(false),
            ended: Cell::new(false),
            fault: Cell::new(None),
        }
    }

    fn fail(&self, fault: UploadFault) -> UploadFault {
        self.fault.set(Some(fault));
        fault
    }

    fn add(&self, bytes: usize) -> Result<(), UploadFault> {
        let total = self
            .bytes
            .get()
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        self.bytes.set(total);
        self.progress.set(Instant::now());
        if total > self.limit {
            return Err(self.fail(UploadFault::TooLarge));
        }
        let since = self.progress.get().duration_since(self.started);
        if since > GRACE && total < since.as_secs().saturating_mul(MIN_RATE) {
            return Err(self.fail(UploadFault::TooSlow));
        }
        Ok(())
    }
}

/// The body of a request as it comes.
#[derive(Debug)]
pub(crate) enum ClientBody {
    /// There is none.
    None,
    /// Over HTTP/1.
    Http1(IncomingBody),
    /// Over HTTP/2.
    Http2(Incoming),
}

impl Body for ClientBody {
    type Data = Bytes;
    type Error = UploadFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadFault>>> {
        match self.get_mut() {
            Self::None => Poll::Ready(None),
            Self::Http1(body) => body.poll_frame(cx),
            Self::Http2(body) => {
                let frame = ready!(Pin::new(body).poll_frame(cx));
                Poll::Ready(frame.map(|frame| frame.map_err(|error| client_fault(&error))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::None => true,
            Self::Http1(body) => body.is_over(),
            Self::Http2(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::None => SizeHint::with_exact(0),
            Self::Http1(body) => body.left().map_or_else(SizeHint::new, SizeHint::with_exact),
            Self::Http2(body) => body.size_hint(),
        }
    }
}

/// The body of a request on its way to the upstream.
#[derive(Debug)]
pub(crate) enum RequestBody {
    /// There is none.
    Empty,
    /// The client's.
    Client {
        /// What is left of it.
        body: ClientBody,
        /// How far it is.
        upload: Rc<Upload>,
    },
}

impl RequestBody {
    /// Takes the client's body under a limit in bytes.
    pub(crate) fn new(body: ClientBody, limit: u64) -> Self {
        if body.is_end_stream() {
            return Self::Empty;
        }
        Self::Client {
            body,
            upload: Rc::new(Upload::new(limit)),
        }
    }

    /// How far it is; `None` when there is no body.
    pub(crate) fn upload(&self) -> Option<Rc<Upload>> {
        match self {
            Self::Empty => None,
            Self::Client { upload, .. } => Some(Rc::clone(upload)),
        }
    }
}

/// What became of a request body that nobody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leftover {
    /// All of it was read: the next request follows.
    None,
    /// Some of it may still come: the connection cannot be used again.
    Unread,
}

/// Reads what is left of a body that is not passed on, within bounds of size
/// and time (`security.md`, T12).
pub(crate) async fn discard(mut body: ClientBody) -> Leftover {
    let mut left = MAX_DISCARD;
    let read = async {
        while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let length = frame.ok()?.data_ref().map_or(0, Bytes::len);
            left = left.checked_sub(length)?;
        }
        Some(())
    };
    match tokio::time::timeout(DISCARD_TIME, read).await {
        Ok(Some(())) => Leftover::None,
        Ok(None) | Err(_) => Leftover::Unread,
    }
}

fn client_fault(error: &hyper::Error) -> UploadFault {
    if error.is_incomplete_message() || error.is_closed() || error.is_canceled() {
        UploadFault::Left
    } else {
        UploadFault::Malformed
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = UploadFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadFault>>> {
        let Self::Client { body, upload } = self.get_mut() else {
            return Poll::Ready(None);
        };
        upload.waits_for_client.set(true);
        let frame = ready!(Pin::new(body).poll_frame(cx));
        upload.waits_for_client.set(false);
        Poll::Ready(match frame {
            None => {
                upload.progress.set(Instant::now());
                upload.ended.set(true);
                None
            }
            Some(Err(fault)) => Some(Err(upload.fail(fault))),
            Some(Ok(frame)) => Some(match frame.into_data() {
                Ok(data) => upload.add(data.len()).map(|()| Frame::data(data)),
                Err(frame) => Ok(only_sound_trailers(frame)),
            }),
        })
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Client { body, upload, .. } => {
                let ended = body.is_end_stream();
                if ended && !upload.ended.replace(true) {
                    upload.progress.set(Instant::now());
                }
                ended
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Client { body, .. } => body.size_hint(),
        }
    }
}

fn only_sound_trailers(frame: Frame<Bytes>) -> Frame<Bytes> {
    match frame.into_trailers() {
        Ok(trailers) => Frame::trailers(headers::of_trailers(&trailers)),
        Err(frame) => frame,
    }
}

/// Why an answer ended before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AnswerFault {
    /// The upstream broke off, or its framing is broken.
    #[error("the upstream's answer broke off")]
    Broken,
    /// The upstream stopped sending.
    #[error("the upstream's answer stalled")]
    Stalled,
}
