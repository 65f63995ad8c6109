//! Rules about the head as it came over the wire. The parser behind us forgives
//! what makes two programs see different messages (`security.md`, 0.1): bare
//! line feeds, and a length next to a transfer coding, of which it drops one.

use super::Fault;

const LINES: Fault = "lines must end with CRLF";
const FRAGMENT: Fault = "the target must not hold a fragment (#)";
const LENGTH_TWICE: Fault = "Content-Length must not be repeated";
const BOTH: Fault = "Content-Length and Transfer-Encoding must not stand together";
const UNSEEN: Fault = "a message with a transfer coding must not be pipelined";

/// Checks the bytes of one head. `raw` is what was read since the connection
/// was idle; when the head did not begin there, because the client sent it
/// before the answer to the one before, it is judged by what the parser kept.
///
/// # Errors
/// Names the broken rule.
pub(super) fn check(raw: &[u8], method: &http::Method, has_coding: bool) -> Result<(), Fault> {
    let head = skip_empty_lines(raw);
    let begins_here = head
        .strip_prefix(method.as_str().as_bytes())
        .is_some_and(|rest| rest.first() == Some(&b' '));
    if !begins_here {
        return if has_coding { Err(UNSEEN) } else { Ok(()) };
    }
    // The parser behind us cuts it off, so nothing later sees it.
    let target = head.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if target.contains(&b'#') {
        return Err(FRAGMENT);
    }
    let (mut lengths, mut codings) = (0, 0);
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r\n").ok_or(LINES)?;
        if line.contains(&b'\r') {
            return Err(LINES);
        }
        if line.is_empty() {
            break;
        }
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        lengths += u32::from(name.eq_ignore_ascii_case(b"content-length"));
        codings += u32::from(name.eq_ignore_ascii_case(b"transfer-encoding"));
    }
    match (lengths, codings) {
        (0 | 1, 0) | (0, _) => Ok(()),
        (_, 0) => Err(LENGTH_TWICE),
        _ => Err(BOTH),
    }
}

/// A server ignores empty lines before a request (RFC 9112, section 2.2).
fn skip_empty_lines(mut raw: &[u8]) -> &[u8] {
    while let Some(rest) = raw.strip_prefix(b"\r\n") {
        raw = rest;
    }
    raw
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn post(raw: &str) -> Result<(), Fault> {
        check(raw.as_bytes(), &Method::POST, raw.contains("ransfer-"))
    }

    #[test]
    fn a_sound_head_passes_whatever_follows_it() {
        assert_eq!(post("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\na\nb"), Ok(()));
        assert_eq!(
            post("\r\n\r\nPOST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na"),
            Ok(())
        );
    }

    #[test]
    fn two_ways_to_end_a_message_are_refused() {
        let both = "POST / HTTP/1.1\r\ncontent-LENGTH: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(post(both), Err(BOTH));
        let twice = "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(post(twice), Err(LENGTH_TWICE));
        for bare in [
            "POST / HTTP/1.1\nHost: a\n\n",
            "POST / HTTP/1.1\r\nHost: a\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\rb\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\n\n",
        ] {
            assert_eq!(post(bare), Err(LINES), "{bare:?}");
        }
    }

    #[test]
    fn a_target_has_no_fragment() {
        assert_eq!(post("POST /a#b HTTP/1.1\r\nHost: a\r\n\r\n"), Err(FRAGMENT));
        assert_eq!(post("POST /a HTTP/1.1\r\nReferer: /a#b\r\n\r\n"), Ok(()));
    }

    #[test]
    fn a_pipelined_message_may_only_have_a_length() {
        assert_eq!(check(b"rest of something", &Method::POST, false), Ok(()));
        assert_eq!(check(b"", &Method::POST, true), Err(UNSEEN));
    }
}
