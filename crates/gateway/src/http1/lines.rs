//! Where a head ends. Looked at once, as the bytes come: a head that drips in
//! costs no more than one that comes whole.

/// Why a head is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It breaks a rule; the sentence names it.
    Malformed(&'static str),
    /// The request line is too long.
    TargetTooLong,
    /// Too many fields, or too large ones.
    HeadTooLarge,
}

/// Longest request target in bytes.
pub(crate) const MAX_TARGET: usize = 8 * 1024;
/// Most header fields.
pub(crate) const MAX_FIELDS: usize = 100;
/// Largest sum of header fields in bytes.
pub(crate) const MAX_HEAD: usize = 32 * 1024;

/// Longest request line: the target, and room for a method, a version and what is between them.
const MAX_LINE: usize = MAX_TARGET + 64;
/// Longest head.
pub(super) const MAX_BYTES: usize = MAX_LINE + MAX_HEAD;

pub(super) const LINES: &str = "lines must end with CRLF";

/// How far a head has been looked at.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    seen: usize,
    lines: usize,
}

impl Scanner {
    /// Looks at what came since the last time. `bytes` begin with the request
    /// line. The length of the head, empty line included, when all of it is there.
    ///
    /// # Errors
    /// As soon as it is clear that no head will come of it; the same error
    /// wherever the bytes were cut.
    pub(crate) fn advance(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        let fresh = bytes.get(self.seen..).unwrap_or_default();
        for found in memchr::memchr_iter(b'\n', fresh) {
            let at = self.seen + found;
            self.check_size(at)?;
            if byte_before(bytes, at, 1) != Some(b'\r') {
                return Err(Fault::Malformed(LINES));
            }
            self.lines += 1;
            if self.lines > 1 && byte_before(bytes, at, 2) == Some(b'\n') {
                return Ok(Some(at + 1));
            }
            // The first line is no field.
            if self.lines > MAX_FIELDS + 1 {
                return Err(Fault::HeadTooLarge);
            }
        }
        self.seen = bytes.len();
        self.check_size(bytes.len())?;
        Ok(None)
    }

    /// `length` bytes without the end of the line that they end in.
    const fn check_size(&self, length: usize) -> Result<(), Fault> {
        if self.lines == 0 && length > MAX_LINE {
            return Err(Fault::TargetTooLong);
        }
        if length > MAX_BYTES {
            return Err(Fault::HeadTooLarge);
        }
        Ok(())
    }
}

/// The length of a trailer section, empty line included, when all of it is there.
///
/// # Errors
/// When a line ends otherwise than with CRLF.
pub(super) fn section_end(bytes: &[u8]) -> Result<Option<usize>, &'static str> {
    for at in memchr::memchr_iter(b'\n', bytes) {
        if byte_before(bytes, at, 1) != Some(b'\r') {
            return Err(LINES);
        }
        if at == 1 || byte_before(bytes, at, 2) == Some(b'\n') {
            return Ok(Some(at + 1));
        }
    }
    Ok(None)
}

fn byte_before(bytes: &[u8], at: usize, back: usize) -> Option<u8> {
    at.checked_sub(back).and_then(|at| bytes.get(at)).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn whole(bytes: &[u8]) -> Result<Option<usize>, Fault> {
        Scanner::default().advance(bytes)
    }

    #[test]
    fn a_head_ends_with_its_empty_line() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(whole(head), Ok(Some(head.len())));
        assert_eq!(whole(b"GET / HTTP/1.1\r\n\r\nGET"), Ok(Some(18)));
        assert_eq!(whole(b"GET / HTTP/1.1\r\nHost: a\r\n"), Ok(None));
        assert_eq!(section_end(b"\r\nx"), Ok(Some(2)));
        assert_eq!(section_end(b"a: b\r\n\r\nx"), Ok(Some(8)));
        assert_eq!(section_end(b"a: b\r\n"), Ok(None));
    }

    #[test]
    fn a_bare_line_feed_is_none_of_an_end() {
        for bare in [
            &b"GET / HTTP/1.1\n"[..],
            b"\n",
            b"GET / HTTP/1.1\r\nHost: a\n",
            b"GET / HTTP/1.1\r\nHost: a\r\n\n",
        ] {
            assert_eq!(whole(bare), Err(Fault::Malformed(LINES)), "{bare:?}");
        }
        assert_eq!(section_end(b"\n"), Err(LINES));
        assert_eq!(section_end(b"a: b\r\n\n"), Err(LINES));
    }

    #[test]
    fn sizes_are_known_before_the_end() {
        let line = [b'a'; MAX_LINE + 1];
        assert_eq!(whole(&line), Err(Fault::TargetTooLong));
        let mut head = b"GET / HTTP/1.1\r\n".to_vec();
        head.resize(MAX_BYTES + 1, b'a');
        assert_eq!(whole(&head), Err(Fault::HeadTooLarge));
        let fields = |count: usize| format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(count));
        assert!(whole(fields(MAX_FIELDS).as_bytes()).is_ok_and(|end| end.is_some()));
        assert_eq!(whole(fields(MAX_FIELDS + 1).as_bytes()), Err(Fault::HeadTooLarge));
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_result(
            text in "[ab:]{0,6}(\r\n|\n|\r|b){0,3}[a]{0,3}(\r\n|\r\n\r\n)?[a:\n]{0,5}",
            cut in 0_usize..24,
        ) {
            let bytes = text.as_bytes();
            let cut = cut.min(bytes.len());
            let mut scanner = Scanner::default();
            let in_two = match scanner.advance(&bytes[..cut]) {
                Ok(None) => scanner.advance(bytes),
                decided => decided,
            };
            prop_assert_eq!(in_two, whole(bytes));
        }
    }
}
