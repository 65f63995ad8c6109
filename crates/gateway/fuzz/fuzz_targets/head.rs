//! Any bytes as the head of a request: what is accepted has one reading, and it
//! does not matter in which pieces it came.
#![no_main]

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use libfuzzer_sys::fuzz_target;

#[allow(dead_code, unreachable_pub)]
#[path = "../../src/http1"]
mod http1 {
    pub(crate) mod framing;
    pub(crate) mod head;
    pub(crate) mod lines;
}

use http1::framing::Framing;
use http1::lines::Scanner;
use http1::{framing, head};

fuzz_target!(|input: (u16, &[u8])| {
    let (cut, bytes) = input;
    let whole = Scanner::default().advance(bytes);
    let mut scanner = Scanner::default();
    let first = &bytes[..usize::from(cut).min(bytes.len())];
    let in_two = match scanner.advance(first) {
        Ok(None) => scanner.advance(bytes),
        decided => decided,
    };
    assert_eq!(whole, in_two);
    // The sketch of a broken head is for its record: it must not stumble.
    drop(head::sketch(bytes));
    let Ok(Some(length)) = whole else { return };
    let text = Bytes::copy_from_slice(&bytes[..length]);
    let Ok(read) = head::read(&text) else { return };
    let fields = &read.parts.headers;
    assert!(text.ends_with(b"\r\n\r\n"));
    let feeds = text.iter().filter(|byte| **byte == b'\n').count();
    assert_eq!(feeds, text.windows(2).filter(|pair| *pair == b"\r\n").count());
    assert_eq!(feeds, fields.len() + 2, "a line is a field");
    assert!(fields.values().all(|value| {
        value
            .as_bytes()
            .iter()
            .all(|byte| !matches!(byte, b'\r' | b'\n' | 0))
    }));
    let lengths = fields.get_all(CONTENT_LENGTH).iter().count();
    let codings = fields.get_all(TRANSFER_ENCODING).iter().count();
    match read.framing {
        Framing::Empty => assert!(codings == 0 && lengths <= 1),
        Framing::Length(_) => assert!(codings == 0 && lengths == 1),
        Framing::Chunked => assert!(codings == 1 && lengths == 0),
    }
    let _ = framing::keeps_open(&read.parts);
});
