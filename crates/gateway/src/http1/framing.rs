//! Where the body of a request ends (RFC 9112, section 6). Whatever two programs
//! could answer differently is refused (`security.md`, 3.10).

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Version};

/// The rule that a message breaks, in words.
type Broken = &'static str;

/// How the body of a request is framed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Framing {
    /// There is none.
    Empty,
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// Digits of the largest length that is read.
const MAX_DIGITS: usize = 18;

/// The framing that a head announces.
///
/// # Errors
/// Names the rule that it breaks.
pub(crate) fn of(parts: &Parts) -> Result<Framing, Broken> {
    let mut codings = parts.headers.get_all(TRANSFER_ENCODING).iter();
    let mut lengths = parts.headers.get_all(CONTENT_LENGTH).iter();
    let (coding, length) = (codings.next(), lengths.next());
    if codings.next().is_some() {
        return Err("Transfer-Encoding must not be repeated");
    }
    if lengths.next().is_some() {
        return Err("Content-Length must not be repeated");
    }
    match (coding, length) {
        (None, None) => Ok(Framing::Empty),
        (None, Some(length)) => Ok(match read_length(length)? {
            0 => Framing::Empty,
            length => Framing::Length(length),
        }),
        (Some(_), Some(_)) => Err("Content-Length and Transfer-Encoding must not stand together"),
        (Some(_), None) if parts.version < Version::HTTP_11 => Err("Transfer-Encoding needs HTTP/1.1"),
        (Some(coding), None) if coding.as_bytes().eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        (Some(_), None) => Err("Transfer-Encoding must be chunked"),
    }
}

/// A `Content-Length`.
///
/// # Errors
/// When it is no decimal number, or one that nobody can mean.
pub(crate) fn read_length(value: &HeaderValue) -> Result<u64, Broken> {
    let digits = value.as_bytes();
    if digits.is_empty() || digits.len() > MAX_DIGITS || !digits.iter().all(u8::is_ascii_digit) {
        return Err("Content-Length must be a decimal number");
    }
    Ok(digits
        .iter()
        .fold(0, |sum: u64, digit| sum * 10 + u64::from(digit - b'0')))
}

/// Whether the client lets the connection stay open (RFC 9112, section 9.3).
pub(crate) fn keeps_open(parts: &Parts) -> bool {
    if !parts.headers.contains_key(CONNECTION) {
        return parts.version >= Version::HTTP_11;
    }
    let says = |word: &[u8]| names(&parts.headers, &CONNECTION, word);
    !says(b"close") && (parts.version >= Version::HTTP_11 || says(b"keep-alive"))
}

/// Whether a list of words holds this one.
pub(crate) fn names(headers: &HeaderMap, name: &HeaderName, word: &[u8]) -> bool {
    headers.get_all(name).iter().any(|value| {
        value
            .as_bytes()
            .split(|byte| *byte == b',')
            .any(|token| token.trim_ascii().eq_ignore_ascii_case(word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(version: Version, fields: &[(&str, &str)]) -> Parts {
        let mut builder = http::Request::builder().version(version);
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    fn framing(fields: &[(&str, &str)]) -> Result<Framing, Broken> {
        of(&parts(Version::HTTP_11, fields))
    }

    #[test]
    fn a_length_is_one_decimal_number() {
        assert_eq!(framing(&[]), Ok(Framing::Empty));
        assert_eq!(framing(&[("content-length", "0")]), Ok(Framing::Empty));
        assert_eq!(framing(&[("content-length", "007")]), Ok(Framing::Length(7)));
        for wrong in ["", "+1", "-1", "1,1", "1 1", "0x1", "1.0", "9999999999999999999"] {
            assert!(framing(&[("content-length", wrong)]).is_err(), "{wrong:?}");
        }
        assert!(framing(&[("content-length", "3"), ("content-length", "3")]).is_err());
    }

    #[test]
    fn the_transfer_coding_is_chunked_alone() {
        assert_eq!(framing(&[("transfer-encoding", "Chunked")]), Ok(Framing::Chunked));
        for wrong in [
            "",
            "gzip, chunked",
            "chunked, identity",
            "identity",
            "xchunked",
            "chunked;q=1",
            "\"chunked\"",
        ] {
            assert!(framing(&[("transfer-encoding", wrong)]).is_err(), "{wrong:?}");
        }
        let twice = [("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")];
        assert!(framing(&twice).is_err());
        let both = [("transfer-encoding", "chunked"), ("content-length", "3")];
        assert!(framing(&both).is_err());
        assert!(of(&parts(Version::HTTP_10, &[("transfer-encoding", "chunked")])).is_err());
    }

    #[test]
    fn a_connection_stays_open_as_its_version_says() {
        let keeps = |version, value: &str| keeps_open(&parts(version, &[("connection", value)]));
        assert!(keeps_open(&parts(Version::HTTP_11, &[])));
        assert!(!keeps_open(&parts(Version::HTTP_10, &[])));
        assert!(keeps(Version::HTTP_10, "Keep-Alive"));
        assert!(!keeps(Version::HTTP_10, "keep-alive, close"));
        assert!(!keeps(Version::HTTP_11, "te, Close"));
        assert!(keeps(Version::HTTP_11, "closed"));
    }
}
