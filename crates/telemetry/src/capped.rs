//! Texts of bounded length that cannot forge a line or steer a terminal.

use std::fmt::{self, Write};

/// What stands at the end of a text that was cut.
const CUT: char = '…';

/// Collects what is written up to a number of bytes and drops the rest, so that
/// a huge `Debug` costs no memory.
#[derive(Debug)]
pub(crate) struct Capped {
    text: String,
    room: usize,
    cut: bool,
}

impl Capped {
    pub(crate) const fn new(room: usize) -> Self {
        Self {
            text: String::new(),
            room,
            cut: false,
        }
    }

    pub(crate) fn of(value: &dyn fmt::Display, room: usize) -> String {
        let mut capped = Self::new(room);
        // The writer itself never fails; a value whose own formatting fails keeps what it wrote.
        let failed = write!(capped, "{value}").is_err();
        capped.cut |= failed;
        capped.into_text()
    }

    pub(crate) fn into_text(mut self) -> String {
        if self.cut {
            self.text.push(CUT);
        }
        self.text
    }
}

impl Write for Capped {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        if self.cut {
            return Ok(());
        }
        let left = self.room - self.text.len();
        if part.len() <= left {
            self.text.push_str(part);
        } else {
            let end = (0..=left)
                .rev()
                .find(|end| part.is_char_boundary(*end))
                .unwrap_or(0);
            self.text.push_str(part.get(..end).unwrap_or(""));
            self.cut = true;
        }
        Ok(())
    }
}

/// Characters that end a line, steer a terminal or reorder what is read:
/// C0, DEL, C1, line and paragraph separators, and the bidirectional controls
/// ("Trojan Source", CVE-2021-42574).
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{feff}'
        )
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Appends the text with every unsafe character spelt out.
pub(crate) fn push_escaped(line: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\t' => line.push_str("\\t"),
            '\r' => line.push_str("\\r"),
            c if is_unsafe(c) => line.extend(c.escape_unicode()),
            c => line.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn never_longer_than_its_room(parts in proptest::collection::vec(".{0,20}", 0..8), room in 0_usize..64) {
            let mut capped = Capped::new(room);
            for part in &parts {
                capped.write_str(part).unwrap();
            }
            let text = capped.into_text();
            let whole = parts.concat();
            if whole.len() <= room {
                prop_assert_eq!(text, whole);
            } else {
                prop_assert!(text.len() <= room + CUT.len_utf8());
                prop_assert!(whole.starts_with(text.trim_end_matches(CUT)));
            }
        }

        #[test]
        fn escaped_text_has_nothing_unsafe(text in any::<String>()) {
            let mut line = String::new();
            push_escaped(&mut line, &text);
            prop_assert!(!line.chars().any(is_unsafe));
        }
    }
}
