//! The head of an answer, and where its body ends (RFC 9112, section 6.3).

use http::header::{CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode, Version};

/// How the body of an answer is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none; a length that stands in the head speaks of another answer.
    Bodiless,
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
    /// It ends with the connection.
    UntilClose,
}

impl Framing {
    /// The framing of an answer of which `exact` bytes are to come, if that is known.
    pub(crate) fn of(request: &Method, version: Version, status: StatusCode, exact: Option<u64>) -> Self {
        let bodiless = *request == Method::HEAD
            || status.is_informational()
            || matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        match exact {
            _ if bodiless => Self::Bodiless,
            Some(length) => Self::Length(length),
            None if version < Version::HTTP_11 => Self::UntilClose,
            None => Self::Chunked,
        }
    }
}

/// What an answer says about its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Persistence {
    /// It stays open, as HTTP/1.1 connections do.
    Open,
    /// It stays open, which a client of HTTP/1.0 has to be told.
    KeepAlive,
    /// It ends after this answer.
    Close,
}

/// Writes the head of an answer. `date` is asked for when nobody else said when it was made.
pub(crate) fn head(
    out: &mut Vec<u8>,
    status: StatusCode,
    headers: &HeaderMap,
    framing: Framing,
    persistence: Persistence,
    date: impl FnOnce(&mut Vec<u8>),
) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    let speaks_of_another =
        framing == Framing::Bodiless && !status.is_informational() && status != StatusCode::NO_CONTENT;
    for (name, value) in headers {
        let ours = match *name {
            CONTENT_LENGTH => !speaks_of_another,
            TRANSFER_ENCODING | CONNECTION => true,
            _ => false,
        };
        if !ours {
            field(out, name.as_str(), value.as_bytes());
        }
    }
    match framing {
        Framing::Length(number) => length(out, number),
        Framing::Chunked => chunked(out),
        Framing::Bodiless | Framing::UntilClose => {}
    }
    match persistence {
        Persistence::Open => {}
        Persistence::KeepAlive => out.extend_from_slice(b"connection: keep-alive\r\n"),
        Persistence::Close => out.extend_from_slice(b"connection: close\r\n"),
    }
    if !headers.contains_key(DATE) {
        date(out);
    }
    out.extend_from_slice(b"\r\n");
}

/// Writes one field.
pub(crate) fn field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// Says how many bytes follow the head.
pub(crate) fn length(out: &mut Vec<u8>, length: u64) {
    out.extend_from_slice(b"content-length: ");
    decimal(out, length);
    out.extend_from_slice(b"\r\n");
}

/// Says that chunks follow the head.
pub(crate) fn chunked(out: &mut Vec<u8>) {
    out.extend_from_slice(b"transfer-encoding: chunked\r\n");
}

/// Writes a number as lengths have it.
pub(crate) fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        first -= 1;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(first..).unwrap_or_default());
}

/// Writes a number as the size of a chunk has it.
pub(crate) fn hexadecimal(out: &mut Vec<u8>, number: u64) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let nibbles = 16 - number.leading_zeros() / 4;
    for nibble in (0..nibbles.max(1)).rev() {
        let digit = usize::try_from(number >> (nibble * 4) & 15).unwrap_or(0);
        out.push(DIGITS.get(digit).copied().unwrap_or(b'0'));
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn written(
        status: u16,
        framing: Framing,
        persistence: Persistence,
        fields: &[(&'static str, &str)],
    ) -> String {
        let headers: HeaderMap = fields
            .iter()
            .map(|(name, value)| {
                let name = http::HeaderName::from_static(name);
                (name, HeaderValue::from_str(value).unwrap())
            })
            .collect();
        let mut out = Vec::new();
        let status = StatusCode::from_u16(status).unwrap();
        head(&mut out, status, &headers, framing, persistence, |out| {
            field(out, "date", b"now");
        });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_head_says_how_the_body_ends() {
        assert_eq!(
            written(
                200,
                Framing::Length(1234),
                Persistence::Open,
                &[("x", "1"), ("content-length", "9")]
            ),
            "HTTP/1.1 200 OK\r\nx: 1\r\ncontent-length: 1234\r\ndate: now\r\n\r\n"
        );
        assert_eq!(
            written(
                200,
                Framing::Chunked,
                Persistence::Close,
                &[("date", "then"), ("connection", "x")]
            ),
            "HTTP/1.1 200 OK\r\ndate: then\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n"
        );
        assert_eq!(
            written(
                304,
                Framing::Bodiless,
                Persistence::KeepAlive,
                &[("content-length", "9")]
            ),
            "HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\nconnection: keep-alive\r\ndate: now\r\n\r\n"
        );
        assert_eq!(
            written(
                204,
                Framing::Bodiless,
                Persistence::Open,
                &[("content-length", "0")]
            ),
            "HTTP/1.1 204 No Content\r\ndate: now\r\n\r\n"
        );
        assert!(written(599, Framing::Bodiless, Persistence::Open, &[]).starts_with("HTTP/1.1 599 \r\n"));
    }

    #[test]
    fn answers_are_framed_as_the_request_can_read_them() {
        let of = |method: &Method, version, status: u16, exact| {
            Framing::of(method, version, StatusCode::from_u16(status).unwrap(), exact)
        };
        let get = &Method::GET;
        assert_eq!(of(get, Version::HTTP_11, 200, Some(0)), Framing::Length(0));
        assert_eq!(of(get, Version::HTTP_11, 200, None), Framing::Chunked);
        assert_eq!(of(get, Version::HTTP_10, 200, None), Framing::UntilClose);
        assert_eq!(of(get, Version::HTTP_11, 304, Some(0)), Framing::Bodiless);
        assert_eq!(of(&Method::HEAD, Version::HTTP_10, 200, None), Framing::Bodiless);
    }

    #[test]
    fn numbers_are_written_in_their_base() {
        for number in [0, 7, 10, 255, 65_536, u64::MAX] {
            let (mut decimals, mut hexadecimals) = (Vec::new(), Vec::new());
            decimal(&mut decimals, number);
            hexadecimal(&mut hexadecimals, number);
            assert_eq!(String::from_utf8(decimals).unwrap(), number.to_string());
            assert_eq!(String::from_utf8(hexadecimals).unwrap(), format!("{number:x}"));
        }
    }
}
