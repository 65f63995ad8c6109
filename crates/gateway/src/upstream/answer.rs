//! The head of an upstream's answer, read from its bytes, and where its body
//! ends (RFC 9112, section 6.3). As strict as with clients where a message could
//! be cut in two ways (`security.md`, T31); only line ends are read leniently,
//! since every message is rebuilt.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use crate::http1::chunked::{Chunked, Decoder, Misplaced, Piece};
use crate::http1::framing;

/// Header fields that an answer may have.
const MAX_FIELDS: usize = 200;
/// Bytes that one head may have.
const MAX_HEAD: usize = 64 * 1024;
/// Bytes that may come before the head of an answer ends: interim answers and itself.
const MAX_BEFORE: usize = 128 * 1024;
/// Interim answers (1xx) that may come before an answer.
const MAX_INTERIM: u32 = 8;
/// Room that is left for the fields that the gateway adds.
const OURS: usize = 8;

/// Why an answer is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unusable {
    /// It is no HTTP/1, or its framing says two things.
    #[error("{0}")]
    Malformed(&'static str),
    /// Its head is too large, or too much comes before it.
    #[error("the head is too large")]
    TooLarge,
    /// The connection ended in its head.
    #[error("it broke off")]
    BrokeOff,
}

/// Status and fields of an answer.
#[derive(Debug)]
pub(crate) struct AnswerHead {
    /// The status, which is final.
    pub(crate) status: StatusCode,
    /// The fields as the upstream sent them.
    pub(crate) headers: HeaderMap,
    /// Whether the connection can be used again.
    pub(super) persists: bool,
}

/// The body of an answer, as far as it was not read.
#[derive(Debug)]
pub(super) enum Content {
    /// There is none.
    Nothing,
    /// Its end is known.
    Framed(Decoder),
    /// It ends with the connection.
    UntilClose,
}

impl Content {
    /// The next piece, taken off the front of `buffer`; `None` when more has to be read.
    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Piece>, &'static str> {
        match self {
            Self::Nothing => Ok(Some(Piece::End)),
            Self::Framed(decoder) => decoder.next(buffer),
            Self::UntilClose if buffer.is_empty() => Ok(None),
            Self::UntilClose => Ok(Some(Piece::Data(buffer.split().freeze()))),
        }
    }

    /// Whether nothing of it is left.
    pub(super) const fn is_over(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Framed(decoder) => decoder.is_done(),
            Self::UntilClose => false,
        }
    }

    /// How much is left, where that is known.
    pub(super) const fn left(&self) -> Option<u64> {
        match self {
            Self::Nothing => Some(0),
            Self::Framed(decoder) => decoder.left(),
            Self::UntilClose => None,
        }
    }

    /// Whether the end of the connection is its end.
    pub(super) const fn ends_with_connection(&self) -> bool {
        matches!(self, Self::UntilClose)
    }
}

/// Finds the head of an answer behind whatever comes before it.
#[derive(Debug)]
pub(crate) struct HeadReader {
    to_head: bool,
    seen: usize,
    before: usize,
    interim: u32,
}

impl HeadReader {
    /// For the answer to such a request.
    pub(crate) fn for_answer_to(method: &Method) -> Self {
        Self {
            to_head: *method == Method::HEAD,
            seen: 0,
            before: 0,
            interim: 0,
        }
    }

    /// Whether anything of an answer came.
    pub(super) fn has_begun(&self, buffer: &BytesMut) -> bool {
        self.before > 0 || !buffer.is_empty()
    }

    /// Takes the head of the answer off `buffer`, and interim answers before it;
    /// `None` when more has to be read.
    pub(crate) fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<(AnswerHead, Content)>, Unusable> {
        loop {
            let Some(length) = self.end_of_head(buffer) else {
                let too_large = buffer.len() > MAX_HEAD || self.before + buffer.len() > MAX_BEFORE;
                return if too_large {
                    Err(Unusable::TooLarge)
                } else {
                    Ok(None)
                };
            };
            self.seen = 0;
            self.before += length;
            if length > MAX_HEAD || self.before > MAX_BEFORE {
                return Err(Unusable::TooLarge);
            }
            let bytes = buffer.split_to(length).freeze();
            let (head, content) = read(&bytes, self.to_head).map_err(Unusable::Malformed)?;
            if !head.status.is_informational() {
                return Ok(Some((head, content)));
            }
            // Nothing was switched, and a protocol that was not asked for would hide messages from us.
            if head.status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(Unusable::Malformed("no other protocol was asked for"));
            }
            self.interim += 1;
            if self.interim > MAX_INTERIM {
                return Err(Unusable::TooLarge);
            }
        }
    }

    /// The length of the head that `bytes` begin with, empty line included. What
    /// was looked at is not looked at again.
    fn end_of_head(&mut self, bytes: &[u8]) -> Option<usize> {
        let fresh = bytes.get(self.seen..).unwrap_or_default();
        for found in memchr::memchr_iter(b'\n', fresh) {
            let at = self.seen + found;
            let before = bytes.get(..at).unwrap_or_default();
            let line = before.strip_suffix(b"\r").unwrap_or(before);
            if line.is_empty() || line.ends_with(b"\n") {
                return Some(at + 1);
            }
        }
        self.seen = bytes.len();
        None
    }
}

fn read(bytes: &Bytes, to_head: bool) -> Result<(AnswerHead, Content), &'static str> {
    let mut fields = [const { MaybeUninit::uninit() }; MAX_FIELDS];
    let mut answer = httparse::Response::new(&mut []);
    let parsed =
        httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut answer, bytes, &mut fields);
    match parsed {
        Ok(httparse::Status::Complete(length)) if length == bytes.len() => {}
        _ => return Err("it is no HTTP/1 head"),
    }
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or("its status is none")?;
    let mut headers = HeaderMap::with_capacity(answer.headers.len() + OURS);
    for field in &*answer.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| "a field name is none")?;
        let value = HeaderValue::from_maybe_shared(bytes.slice_ref(field.value))
            .map_err(|_| "a field value is none")?;
        headers.append(name, value);
    }
    let version_1_1 = answer.version == Some(1);
    let bodiless = to_head
        || status.is_informational()
        || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    let content = if bodiless {
        Content::Nothing
    } else {
        content(&headers, version_1_1)?
    };
    let persists = stays_open(&headers, version_1_1) && !content.ends_with_connection();
    Ok((
        AnswerHead {
            status,
            headers,
            persists,
        },
        content,
    ))
}

fn content(headers: &HeaderMap, version_1_1: bool) -> Result<Content, &'static str> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let (coding, length) = (codings.next(), lengths.next());
    if codings.next().is_some() || lengths.next().is_some() {
        return Err("its length is told twice");
    }
    match (coding, length) {
        (None, None) => Ok(Content::UntilClose),
        (None, Some(length)) => match framing::read_length(length)? {
            0 => Ok(Content::Nothing),
            length => Ok(Content::Framed(Decoder::Length(length))),
        },
        (Some(coding), None) if version_1_1 && coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            let chunked = Chunked::new(Misplaced::LeftOut);
            Ok(Content::Framed(Decoder::Chunked(chunked)))
        }
        (Some(_), None) => Err("its transfer coding is unknown"),
        (Some(_), Some(_)) => Err("its length is told twice"),
    }
}

/// RFC 9112, section 9.3.
fn stays_open(headers: &HeaderMap, version_1_1: bool) -> bool {
    let Some(_) = headers.get(CONNECTION) else {
        return version_1_1;
    };
    let says = |word: &[u8]| framing::names(headers, &CONNECTION, word);
    !says(b"close") && (version_1_1 || says(b"keep-alive"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// How an answer reads: its status, its fields and its body, or why it is none.
    #[derive(Debug, PartialEq)]
    enum Seen {
        Whole(u16, usize, Vec<u8>),
        Missing,
        Unusable(Unusable),
        Broken(&'static str),
    }

    fn seen(method: &Method, pieces: &[&[u8]]) -> Seen {
        let mut reader = HeadReader::for_answer_to(method);
        let mut buffer = BytesMut::new();
        let mut found = None;
        let mut body = Vec::new();
        for piece in pieces {
            buffer.extend_from_slice(piece);
            if found.is_none() {
                match reader.next(&mut buffer) {
                    Ok(next) => found = next,
                    Err(unusable) => return Seen::Unusable(unusable),
                }
            }
            let Some((head, content)) = &mut found else {
                continue;
            };
            loop {
                match content.next(&mut buffer) {
                    Ok(Some(Piece::Data(data))) => body.extend_from_slice(&data),
                    Ok(Some(Piece::End | Piece::Trailers(_))) => {
                        return Seen::Whole(head.status.as_u16(), head.headers.len(), body);
                    }
                    Ok(None) => break,
                    Err(rule) => return Seen::Broken(rule),
                }
            }
        }
        Seen::Missing
    }

    fn of(text: &str) -> Seen {
        seen(&Method::GET, &[text.as_bytes()])
    }

    #[test]
    fn answers_end_where_their_heads_say() {
        let whole = |status, fields, body: &[u8]| Seen::Whole(status, fields, body.to_vec());
        assert_eq!(
            of("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP"),
            whole(200, 1, b"ok")
        );
        assert_eq!(
            of("HTTP/1.1 200 OK\nContent-Length: 2\n\nok"),
            whole(200, 1, b"ok")
        );
        assert_eq!(
            of("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n"),
            whole(200, 1, b"")
        );
        assert_eq!(
            of("HTTP/1.1 204 No\r\nContent-Length: 9\r\n\r\n"),
            whole(204, 1, b"")
        );
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nHost: a\r\n\r\n";
        assert_eq!(of(chunked), whole(200, 1, b"ok"));
        let hints = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
        let behind = format!("{hints}{hints}HTTP/1.1 404 No\r\nContent-Length: 1\r\n\r\nx");
        assert_eq!(of(&behind), whole(404, 1, b"x"));
        let to_head = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n";
        assert_eq!(seen(&Method::HEAD, &[to_head]), whole(200, 1, b""));
        assert_eq!(of("HTTP/1.1 200 OK\r\n\r\nuntil it closes"), Seen::Missing);
    }

    #[test]
    fn what_could_be_cut_in_two_ways_is_refused() {
        for head in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
            "HTTP/1.1 101 Switching Protocols\r\n\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 99 Low\r\n\r\n",
            "SSH-2.0-OpenSSH\r\n\r\n",
        ] {
            assert!(
                matches!(of(head), Seen::Unusable(Unusable::Malformed(_))),
                "{head:?}"
            );
        }
    }

    #[test]
    fn a_head_is_bounded_with_all_that_comes_before_it() {
        let hints = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(MAX_INTERIM as usize + 1);
        assert_eq!(of(&hints), Seen::Unusable(Unusable::TooLarge));
        let long = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(MAX_HEAD));
        assert_eq!(of(&long), Seen::Unusable(Unusable::TooLarge));
        let half = "x".repeat(MAX_HEAD / 2);
        let three = format!("HTTP/1.1 103 OK\r\nX: {half}\r\n\r\n").repeat(4);
        assert_eq!(of(&three), Seen::Unusable(Unusable::TooLarge));
        let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(MAX_FIELDS + 1));
        assert!(matches!(of(&many), Seen::Unusable(Unusable::Malformed(_))));
    }

    #[test]
    fn a_connection_stays_open_as_the_answer_says() {
        let persists = |text: &str| {
            let mut buffer = BytesMut::from(text);
            let mut reader = HeadReader::for_answer_to(&Method::GET);
            reader.next(&mut buffer).unwrap().unwrap().0.persists
        };
        assert!(persists("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
        assert!(!persists(
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: x, Close\r\n\r\n"
        ));
        assert!(!persists("HTTP/1.1 200 OK\r\n\r\n"));
        assert!(!persists("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
        assert!(persists(
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: Keep-Alive\r\n\r\n"
        ));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_answer(
            head in "(HTTP/1\\.1 (100|200|204|5)[ok ]{0,3}(\r\n|\n)(Content-Length: [0-9]{1,2}(\r\n|\n)|Transfer-Encoding: chunked\r\n|a: b\r\n){0,3}(\r\n|\n)){1,3}",
            body in "[0-9a-f\r\n]{0,30}",
            first in 0_usize..60,
            second in 0_usize..60,
        ) {
            let text = [head, body].concat();
            let bytes = text.as_bytes();
            let first = first.min(bytes.len());
            let second = (first + second).min(bytes.len());
            let in_three = [&bytes[..first], &bytes[first..second], &bytes[second..]];
            prop_assert_eq!(seen(&Method::GET, &in_three), seen(&Method::GET, &[bytes]));
        }
    }
}
