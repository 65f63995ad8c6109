//! The lines of pointers in JSON text that is known to be well formed.

use std::borrow::Cow;

use super::Wanted;

/// Looks for the wanted pointers in one pass. In text that is not well formed
/// it stops early; it never looks deeper than the pointers are long.
pub(super) fn find(raw: &[u8], wanted: &mut Wanted) {
    let mut scanner = Scanner { rest: raw, line: 1 };
    if scanner.rest.starts_with(b"\xef\xbb\xbf") {
        scanner.skip(3);
    }
    scanner.value(wanted);
}

struct Scanner<'r> {
    rest: &'r [u8],
    line: u32,
}

impl<'r> Scanner<'r> {
    fn skip(&mut self, count: usize) {
        let (gone, rest) = self.rest.split_at(count.min(self.rest.len()));
        let lines = gone.iter().filter(|byte| **byte == b'\n').count();
        self.line = self.line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        self.rest = rest;
    }

    /// The next byte that is not white space, not consumed.
    fn peek(&mut self) -> Option<u8> {
        let blank = self
            .rest
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        self.skip(blank);
        self.rest.first().copied()
    }

    fn value(&mut self, wanted: &mut Wanted) -> Option<()> {
        match self.peek()? {
            b'{' if !wanted.below.is_empty() => self.object(wanted),
            b'[' if !wanted.below.is_empty() => self.array(wanted),
            _ => self.unwanted(),
        }
    }

    fn object(&mut self, wanted: &mut Wanted) -> Option<()> {
        self.skip(1);
        loop {
            match self.peek()? {
                b'"' => {
                    let line = self.line;
                    let name = self.string()?;
                    if self.peek()? != b':' {
                        return None;
                    }
                    self.skip(1);
                    let decoded = decode(name);
                    if let Some(below) = wanted.below.get_mut(decoded.as_ref()) {
                        below.found_at(line);
                        self.value(below)?;
                    } else {
                        self.unwanted()?;
                    }
                }
                b',' => self.skip(1),
                _ => {
                    self.skip(1);
                    return Some(());
                }
            }
        }
    }

    fn array(&mut self, wanted: &mut Wanted) -> Option<()> {
        self.skip(1);
        let mut index = 0_usize;
        loop {
            match self.peek()? {
                b',' => {
                    self.skip(1);
                    index += 1;
                }
                b']' => {
                    self.skip(1);
                    return Some(());
                }
                _ => match wanted.below.get_mut(&index.to_string()) {
                    Some(below) => {
                        below.found_at(self.line);
                        self.value(below)?;
                    }
                    None => self.unwanted()?,
                },
            }
        }
    }

    /// Passes over a value by counting brackets.
    fn unwanted(&mut self) -> Option<()> {
        let mut open = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' => {
                    open += 1;
                    self.skip(1);
                }
                b'}' | b']' => {
                    open = open.checked_sub(1)?;
                    self.skip(1);
                }
                b',' | b':' if open > 0 => self.skip(1),
                b',' | b':' => return None,
                _ => {
                    let ends = |byte: &&u8| !b"\",:{}[] \t\r\n".contains(byte);
                    let length = self.rest.iter().take_while(ends).count();
                    self.skip(length);
                }
            }
            if open == 0 {
                return Some(());
            }
        }
    }

    /// Passes over a string and gives it with its quotes.
    fn string(&mut self) -> Option<&'r [u8]> {
        let mut escaped = false;
        let inside = self.rest.get(1..)?.iter().position(|byte| {
            let ends = *byte == b'"' && !escaped;
            escaped = *byte == b'\\' && !escaped;
            ends
        })?;
        let text = self.rest.get(..inside + 2)?;
        self.skip(inside + 2);
        Some(text)
    }
}

fn decode(quoted: &[u8]) -> Cow<'_, str> {
    let inside = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
    if inside.contains(&b'\\') {
        serde_json::from_slice::<String>(quoted).map_or(Cow::Borrowed(""), Cow::Owned)
    } else {
        String::from_utf8_lossy(inside)
    }
}
