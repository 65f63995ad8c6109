//! The body that a client gets: ours, or the upstream's as it comes.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Method;
use http_body::{Body, Frame, SizeHint};

use super::call::Call;
use crate::body::AnswerFault;
use crate::upstream::talk::Talk;
use crate::upstream::target::Place;

/// An answer's body. It carries its call along, whose record is written when
/// the body has gone out, failed or was dropped.
#[derive(Debug)]
pub(crate) struct AnswerBody {
    content: Content,
    call: Option<Box<Call>>,
}

#[derive(Debug)]
enum Content {
    Own(Option<Bytes>),
    Upstream(Relay),
    /// It ended: nothing is held for it any more.
    Over,
}

/// An upstream's answer on its way.
#[derive(Debug)]
pub(crate) struct Relay {
    /// What it comes over.
    pub(crate) talk: Box<Talk>,
    /// The place at the target, which is free again when the answer has ended.
    pub(crate) _place: Place,
}

impl AnswerBody {
    /// An answer of our own.
    pub(crate) fn own(bytes: Bytes, mut call: Box<Call>) -> Self {
        let goes_out = !bytes.is_empty() && *call.method() != Method::HEAD;
        call.complete = !goes_out;
        Self {
            content: Content::Own(goes_out.then_some(bytes)),
            call: Some(call),
        }
    }

    /// An upstream's answer.
    pub(crate) fn relayed(relay: Relay, call: Box<Call>) -> Self {
        let ended = relay.talk.is_over();
        let mut body = Self {
            content: Content::Upstream(relay),
            call: Some(call),
        };
        if ended {
            body.finish();
        }
        body
    }

    /// Everything came: the connection can be used again and the record is written.
    fn finish(&mut self) {
        let Some(mut call) = self.call.take() else { return };
        call.complete = true;
        if let Content::Upstream(relay) = std::mem::replace(&mut self.content, Content::Over)
            && let Some(line) = relay.talk.into_line()
        {
            let worker = call.worker();
            worker.pool.put(line, &worker.memory);
        }
    }

    /// Sends on what is left of the request, while nothing of the answer is wanted.
    pub(crate) fn drive_upload(&mut self, cx: &mut Context<'_>) {
        if let Content::Upstream(relay) = &mut self.content
            && let Err(fault) = relay.talk.poll_send(cx)
        {
            tracing::debug!(error = %fault, "request broke off behind its answer");
        }
    }

    fn count(&mut self, bytes: usize) {
        if let Some(call) = &mut self.call {
            call.bytes_out = call
                .bytes_out
                .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        }
    }

    fn fail(&mut self, fault: AnswerFault) {
        if let Some(call) = self.call.take() {
            tracing::debug!(call.id = %call.id, error = %fault, "answer cut off");
            call.worker().metrics.upstream_failures.add(1);
        }
        self.content = Content::Over;
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerFault;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerFault>>> {
        let this = self.get_mut();
        let frame = match &mut this.content {
            Content::Own(bytes) => bytes.take().map(|bytes| Ok(Frame::data(bytes))),
            Content::Upstream(relay) => ready!(relay.talk.poll_piece(cx)),
            Content::Over => None,
        };
        match &frame {
            Some(Ok(frame)) => this.count(frame.data_ref().map_or(0, Bytes::len)),
            Some(Err(fault)) => this.fail(*fault),
            None => {}
        }
        if frame.is_none() || this.is_end_stream() {
            this.finish();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Own(bytes) => bytes.is_none(),
            Content::Upstream(relay) => relay.talk.is_over(),
            Content::Over => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Own(bytes) => {
                let length = bytes.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Content::Upstream(relay) => relay.talk.size_hint(),
            Content::Over => SizeHint::with_exact(0),
        }
    }
}
