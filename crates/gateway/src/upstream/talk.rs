//! One request and its answer over a line. The request's body may still be on
//! its way when the answer has begun, so both directions are driven from here.

use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use http_body::{Frame, SizeHint};

use super::answer::{AnswerHead, Content, HeadReader, Unusable};
use super::line::{BODY_READ, Line};
use crate::body::{AnswerFault, RequestBody};
use crate::headers;
use crate::http1::chunked::Piece;
use crate::http1::outbound::{Cut, Outbound};
use crate::worker::memory::READ;

/// Why no answer came over a line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// It was closed before a byte of the answer came.
    #[error("closed before an answer began")]
    Closed(Taken),
    /// The answer is none.
    #[error("the answer is unusable: {0}")]
    Unusable(#[from] Unusable),
    /// The request's body broke off.
    #[error("the request's body broke off")]
    Upload,
}

/// Whether the system took anything of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The upstream cannot have seen any of it.
    Nothing,
    /// It may have seen all of it.
    Something,
}

/// How far the request is.
#[derive(Debug)]
enum Request {
    /// On its way.
    Going(Outbound<RequestBody>),
    /// Out, all of it.
    Gone,
    /// The upstream takes no more of it; it may have answered before.
    GivenUp(Taken),
}

/// A request and its answer.
#[derive(Debug)]
pub(crate) struct Talk {
    line: Line,
    request: Request,
    reader: HeadReader,
    content: Content,
    persists: bool,
    /// The longest pause between two pieces of the answer.
    idle: Duration,
    quiet_since: Option<Instant>,
}

impl Talk {
    /// Begins one. The head of the request is in `request`.
    pub(crate) fn begin(line: Line, request: Outbound<RequestBody>, method: &Method, idle: Duration) -> Self {
        Self {
            line,
            request: Request::Going(request),
            reader: HeadReader::for_answer_to(method),
            content: Content::Nothing,
            persists: false,
            idle,
            quiet_since: None,
        }
    }

    /// Ends when the head of the answer is there.
    ///
    /// # Errors
    /// Says why there will be none.
    pub(crate) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<AnswerHead, Lost>> {
        if self.poll_send(cx).is_err() {
            return Poll::Ready(Err(Lost::Upload));
        }
        loop {
            if let Some((head, content)) = self.reader.next(&mut self.line.buffer).map_err(Lost::from)? {
                self.persists = head.persists;
                self.content = content;
                return Poll::Ready(Ok(head));
            }
            match ready!(self.line.poll_fill(cx, READ)) {
                Ok(read) if read > 0 => {}
                Ok(_) | Err(_) if self.reader.has_begun(&self.line.buffer) => {
                    return Poll::Ready(Err(Unusable::BrokeOff.into()));
                }
                Ok(_) | Err(_) => return Poll::Ready(Err(Lost::Closed(self.taken()))),
            }
        }
    }

    /// Ends at `deadline`, which may be another one each time.
    pub(crate) fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        self.line.poll_deadline(cx, deadline)
    }

    /// Whether nothing of the answer follows.
    pub(crate) const fn is_over(&self) -> bool {
        self.content.is_over()
    }

    /// What is left of the announced length.
    pub(crate) fn size_hint(&self) -> SizeHint {
        self.content
            .left()
            .map_or_else(SizeHint::new, SizeHint::with_exact)
    }

    /// Sends on what is left of the request. Whoever cannot take the answer for
    /// now calls this, since the client may send all before it reads anything.
    ///
    /// # Errors
    /// When the client broke it off: the upstream's answer is to something else then.
    pub(crate) fn poll_send(&mut self, cx: &mut Context<'_>) -> Result<(), AnswerFault> {
        let Request::Going(request) = &mut self.request else {
            return Ok(());
        };
        let sent = request.poll(cx, &mut self.line.stream);
        let taken = if request.taken() > 0 {
            Taken::Something
        } else {
            Taken::Nothing
        };
        match sent {
            Poll::Pending => {}
            Poll::Ready(Ok(())) => {
                if let Request::Going(request) = std::mem::replace(&mut self.request, Request::Gone) {
                    self.line.give_memory(request.into_memory());
                }
            }
            Poll::Ready(Err(Cut::Body)) => return Err(AnswerFault::Broken),
            Poll::Ready(Err(Cut::Socket(error))) => {
                tracing::debug!(%error, "the upstream takes no more of the request");
                self.request = Request::GivenUp(taken);
            }
        }
        Ok(())
    }

    /// The next piece of the answer's body.
    pub(crate) fn poll_piece(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerFault>>> {
        if let Err(fault) = self.poll_send(cx) {
            return Poll::Ready(Some(Err(fault)));
        }
        loop {
            match self.content.next(&mut self.line.buffer) {
                Ok(Some(Piece::Data(data))) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Ok(Some(Piece::Trailers(trailers))) => {
                    let trailers = headers::of_trailers(&trailers);
                    return Poll::Ready(Some(Ok(Frame::trailers(trailers))));
                }
                Ok(Some(Piece::End)) => return Poll::Ready(None),
                Ok(None) => {}
                Err(rule) => {
                    tracing::debug!(rule, "answer's body is malformed");
                    return Poll::Ready(Some(Err(AnswerFault::Broken)));
                }
            }
            let left = self.content.left().and_then(|left| usize::try_from(left).ok());
            let room = left.unwrap_or(BODY_READ).clamp(READ, BODY_READ);
            match self.line.poll_fill(cx, room) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(match self.content.ends_with_connection() {
                        true => None,
                        false => Some(Err(AnswerFault::Broken)),
                    });
                }
                Poll::Ready(Ok(_)) => self.quiet_since = None,
                Poll::Ready(Err(_)) => return Poll::Ready(Some(Err(AnswerFault::Broken))),
                Poll::Pending => {
                    let since = *self.quiet_since.get_or_insert_with(Instant::now);
                    ready!(self.line.poll_deadline(cx, since + self.idle));
                    return Poll::Ready(Some(Err(AnswerFault::Stalled)));
                }
            }
        }
    }

    /// The line, if it can take another request after this answer.
    pub(crate) fn into_line(self) -> Option<Line> {
        let clean = matches!(self.request, Request::Gone) && self.persists && self.content.is_over();
        (clean && self.line.buffer.is_empty()).then_some(self.line)
    }

    fn taken(&self) -> Taken {
        match &self.request {
            Request::Going(request) if request.taken() == 0 => Taken::Nothing,
            Request::GivenUp(taken) => *taken,
            Request::Going(_) | Request::Gone => Taken::Something,
        }
    }
}
