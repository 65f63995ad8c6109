//! Bodies in chunks (RFC 9112, section 7.1), and bodies of a known length.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::lines;

/// The rule that a body breaks, in words.
type Broken = &'static str;

/// Digits of a chunk's size; more could not be counted.
const MAX_DIGITS: usize = 16;
/// Bytes of the extensions of one chunk.
const MAX_EXTENSION: usize = 256;
/// Bytes of extensions in one body: they carry nothing, and cost the client little to send.
const MAX_EXTENSIONS: usize = 16 * 1024;
const MAX_SIZE_LINE: usize = MAX_DIGITS + MAX_EXTENSION + 2;
/// Bytes of a trailer section.
const MAX_TRAILERS: usize = 8 * 1024;
const MAX_TRAILER_FIELDS: usize = 32;

/// What comes next of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Content.
    Data(Bytes),
    /// Fields behind the content; nothing follows.
    Trailers(HeaderMap),
    /// Nothing.
    End,
}

/// Takes a body out of the bytes of a connection.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// So many bytes are left.
    Length(u64),
    /// Chunks.
    Chunked(Chunked),
}

/// What becomes of trailers that mean something else, or too late, behind the content.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misplaced {
    /// The body is refused: a client that sends them is up to something.
    #[default]
    Refused,
    /// They are left out: an upstream knows no better.
    LeftOut,
}

/// How far a body in chunks is.
#[derive(Debug, Default)]
pub(crate) struct Chunked {
    misplaced: Misplaced,
    state: State,
    extensions: usize,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    Data(u64),
    DataEnd,
    Trailers,
    Done,
}

impl Decoder {
    /// The next piece, taken off the front of `buffer`; `None` when more has to be read.
    ///
    /// # Errors
    /// Names the rule that the body breaks; nothing after it can be made sense of.
    pub(crate) fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Piece>, Broken> {
        match self {
            Self::Length(0) => Ok(Some(Piece::End)),
            Self::Length(left) => Ok(take(buffer, left).map(Piece::Data)),
            Self::Chunked(chunked) => chunked.next(buffer),
        }
    }

    /// Whether nothing of the body is left.
    pub(crate) const fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => matches!(chunked.state, State::Done),
        }
    }

    /// How much is left, where that is known.
    pub(crate) const fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(_) => None,
        }
    }
}

impl Chunked {
    /// A body of which nothing was read.
    pub(crate) fn new(misplaced: Misplaced) -> Self {
        Self {
            misplaced,
            ..Self::default()
        }
    }

    fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Piece>, Broken> {
        loop {
            self.state = match self.state {
                State::Size => match self.size(buffer)? {
                    None => return Ok(None),
                    Some(0) => State::Trailers,
                    Some(size) => State::Data(size),
                },
                State::Data(mut left) => {
                    let data = take(buffer, &mut left);
                    self.state = match left {
                        0 => State::DataEnd,
                        left => State::Data(left),
                    };
                    return Ok(data.map(Piece::Data));
                }
                State::DataEnd => match buffer.as_ref() {
                    [b'\r', b'\n', ..] => {
                        buffer.advance(2);
                        State::Size
                    }
                    [] | [b'\r'] => return Ok(None),
                    _ => return Err("a chunk must end with CRLF"),
                },
                State::Trailers => {
                    let Some(trailers) = trailers(buffer, self.misplaced)? else {
                        return Ok(None);
                    };
                    self.state = State::Done;
                    return Ok(Some(match trailers.is_empty() {
                        true => Piece::End,
                        false => Piece::Trailers(trailers),
                    }));
                }
                State::Done => return Ok(Some(Piece::End)),
            };
        }
    }

    /// Takes the line that begins a chunk.
    fn size(&mut self, buffer: &mut BytesMut) -> Result<Option<u64>, Broken> {
        let window = buffer.get(..buffer.len().min(MAX_SIZE_LINE)).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', window) else {
            return if buffer.len() >= MAX_SIZE_LINE {
                Err("a chunk's size and extensions are too long")
            } else {
                Ok(None)
            };
        };
        let line = window
            .get(..end)
            .and_then(|line| line.strip_suffix(b"\r"))
            .ok_or(lines::LINES)?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (digits, extension) = line.split_at(digits);
        let size = hexadecimal(digits)?;
        if !is_extension(extension) {
            return Err("a chunk's size must be hexadecimal digits");
        }
        self.extensions += extension.len();
        if extension.len() > MAX_EXTENSION || self.extensions > MAX_EXTENSIONS {
            return Err("chunk extensions are too long");
        }
        buffer.advance(end + 1);
        Ok(Some(size))
    }
}

/// Takes at most `left` bytes; `None` when there are none.
fn take(buffer: &mut BytesMut, left: &mut u64) -> Option<Bytes> {
    let most = usize::try_from(*left).unwrap_or(usize::MAX);
    let length = buffer.len().min(most);
    if length == 0 {
        return None;
    }
    *left -= u64::try_from(length).unwrap_or(*left);
    Some(buffer.split_to(length).freeze())
}

fn hexadecimal(digits: &[u8]) -> Result<u64, Broken> {
    if digits.is_empty() || digits.len() > MAX_DIGITS {
        return Err("a chunk's size must be 1 to 16 hexadecimal digits");
    }
    let value = |digit: &u8| char::from(*digit).to_digit(16).map_or(0, u64::from);
    let size = digits.iter().fold(0, |sum: u64, digit| sum << 4 | value(digit));
    // Room for the arithmetic of whoever adds sizes up.
    if size > u64::MAX >> 1 {
        return Err("a chunk's size is too large");
    }
    Ok(size)
}

/// Nothing, or `;` after optional blanks and then visible text and blanks.
fn is_extension(text: &[u8]) -> bool {
    let from_semicolon = text.trim_ascii_start();
    text.is_empty()
        || (from_semicolon.first() == Some(&b';')
            && text
                .iter()
                .all(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t')))
}

/// Takes the section behind the last chunk.
fn trailers(buffer: &mut BytesMut, misplaced: Misplaced) -> Result<Option<HeaderMap>, Broken> {
    let window = buffer.get(..buffer.len().min(MAX_TRAILERS)).unwrap_or_default();
    let Some(end) = lines::section_end(window)? else {
        return if buffer.len() >= MAX_TRAILERS {
            Err(TRAILERS_TOO_LARGE)
        } else {
            Ok(None)
        };
    };
    if end == 2 {
        buffer.advance(2);
        return Ok(Some(HeaderMap::new()));
    }
    let section = buffer.split_to(end).freeze();
    let mut fields = [httparse::EMPTY_HEADER; MAX_TRAILER_FIELDS];
    let fields = match httparse::parse_headers(&section, &mut fields) {
        Ok(httparse::Status::Complete((length, fields))) if length == section.len() => fields,
        Err(httparse::Error::TooManyHeaders) => return Err(TRAILERS_TOO_LARGE),
        _ => return Err(BAD_TRAILER),
    };
    let mut trailers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| BAD_TRAILER)?;
        if is_forbidden(name.as_str()) {
            if misplaced == Misplaced::LeftOut {
                continue;
            }
            return Err("a trailer must not frame, route, authorise or describe the message");
        }
        let value = HeaderValue::from_bytes(field.value).map_err(|_| BAD_TRAILER)?;
        trailers.append(name, value);
    }
    Ok(Some(trailers))
}

const TRAILERS_TOO_LARGE: Broken = "the trailers are too large";
const BAD_TRAILER: Broken = "a trailer is no sound field";

/// Fields that mean something else, or too late, behind the content (RFC 9110, section 6.5.1).
fn is_forbidden(name: &str) -> bool {
    matches!(
        name,
        "transfer-encoding"
            | "content-length"
            | "content-encoding"
            | "content-type"
            | "content-range"
            | "trailer"
            | "host"
            | "connection"
            | "keep-alive"
            | "upgrade"
            | "te"
            | "expect"
            | "max-forwards"
            | "range"
            | "cache-control"
            | "authorization"
            | "proxy-authorization"
            | "cookie"
            | "set-cookie"
            | "x-api-key"
    )
}

#[cfg(test)]
mod tests;
