//! One spelling for each path. The gateway routes, authorises and forwards the
//! same text, so nothing that two programs could read differently may pass
//! (`security.md`, T15).

use std::borrow::Cow;

/// What is wrong with a path: the rule in words, for the answer.
pub(crate) type Fault = &'static str;

const EMPTY: Fault = "the path must start with /";
const DOTS: Fault = "the path must not hold . or .. segments";
const DOUBLE: Fault = "the path must not hold empty segments (//)";
const ESCAPE: Fault = "the path holds a broken percent escape";
const HIDDEN: Fault = "the path must not hold an encoded slash, backslash or control character";
const RAW: Fault = "the path must not hold a backslash or characters beyond ASCII";

/// The one spelling of a path: escapes of unreserved characters are undone,
/// the others are written in upper case, and what must be escaped is.
///
/// # Errors
/// When the path could be read in two ways.
pub(crate) fn normalise(path: &str) -> Result<Cow<'_, str>, Fault> {
    if !path.starts_with('/') {
        return Err(EMPTY);
    }
    let spelled = if path.bytes().all(is_plain) {
        Cow::Borrowed(path)
    } else {
        Cow::Owned(respell(path)?)
    };
    check_segments(&spelled)?;
    Ok(spelled)
}

/// Characters of a path that stand for themselves (RFC 3986, `pchar` and `/`).
const fn is_plain(byte: u8) -> bool {
    is_unreserved(byte)
        || matches!(
            byte,
            b'/' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@'
        )
}

const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

fn respell(path: &str) -> Result<String, Fault> {
    let mut spelled = String::with_capacity(path.len() + 8);
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = bytes.next().and_then(hex_value).ok_or(ESCAPE)?;
                let low = bytes.next().and_then(hex_value).ok_or(ESCAPE)?;
                let decoded = high << 4 | low;
                match decoded {
                    b'/' | b'\\' | 0x00..=0x1f | 0x7f => return Err(HIDDEN),
                    _ if is_unreserved(decoded) => spelled.push(char::from(decoded)),
                    _ => push_escape(&mut spelled, decoded),
                }
            }
            _ if is_plain(byte) => spelled.push(char::from(byte)),
            b'\\' | 0x00..=0x20 | 0x7f.. => return Err(RAW),
            _ => push_escape(&mut spelled, byte),
        }
    }
    Ok(spelled)
}

fn check_segments(path: &str) -> Result<(), Fault> {
    if path.contains("//") {
        return Err(DOUBLE);
    }
    // `..;x` is `..` for servers that cut path parameters off.
    let dots = path.contains("/.")
        && path
            .split('/')
            .filter_map(|segment| segment.split(';').next())
            .any(|name| name == "." || name == "..");
    if dots { Err(DOTS) } else { Ok(()) }
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn push_escape(spelled: &mut String, byte: u8) {
    spelled.push('%');
    for nibble in [byte >> 4, byte & 15] {
        let digit = char::from_digit(u32::from(nibble), 16).unwrap_or('0');
        spelled.push(digit.to_ascii_uppercase());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equal_paths_get_one_spelling() {
        for (given, spelled) in [
            ("/", "/"),
            ("/shop/v1/pets/7", "/shop/v1/pets/7"),
            ("/%73hop/%7Eana", "/shop/~ana"),
            ("/a%3ab", "/a%3Ab"),
            ("/caf%c3%a9", "/caf%C3%A9"),
            ("/a;b=c/d", "/a;b=c/d"),
            ("/{x}|\"^`", "/%7Bx%7D%7C%22%5E%60"),
            ("/a%252fb", "/a%252fb"),
            ("/.well-known/x", "/.well-known/x"),
            ("/a/...", "/a/..."),
        ] {
            assert_eq!(normalise(given).unwrap(), spelled, "{given}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        for path in [
            "",
            "a",
            "//",
            "/a//b",
            "/a//",
            "/.",
            "/..",
            "/a/./b",
            "/a/../b",
            "/a/..",
            "/%2e%2e/b",
            "/a/%2E/b",
            "/a/.%2e",
            "/a/..;x/b",
            "/a/.;/b",
            "/a%2fb",
            "/a%2Fb",
            "/a%5cb",
            "/a\\b",
            "/a%00",
            "/a%0d%0a",
            "/a%7f",
            "/a%",
            "/a%2",
            "/a%zz",
            "/a%+1",
            "/é",
        ] {
            assert!(normalise(path).is_err(), "{path}");
        }
    }

    proptest! {
        #[test]
        fn the_spelling_is_stable_and_unambiguous(path in "/[a-zA-Z0-9%./;{}~:@ é\\\\_-]{0,40}") {
            if let Ok(once) = normalise(&path) {
                prop_assert_eq!(normalise(&once).unwrap(), once.clone());
                prop_assert!(!once.contains("//") && !once.contains('\\'));
                let decoded = percent_encoding::percent_decode_str(&once).collect::<Vec<u8>>();
                prop_assert_eq!(
                    decoded.split(|byte| *byte == b'/').count(),
                    once.split('/').count(),
                    "decoding makes no new segment"
                );
                prop_assert!(decoded.split(|byte| *byte == b'/').all(|name| name != b"." && name != b".."));
                prop_assert!(http::uri::PathAndQuery::try_from(once.as_bytes()).is_ok());
            }
        }
    }
}
