//! Any bytes as an upstream's answer: the same head and body wherever the bytes
//! were cut, and never more in memory than came.
#![no_main]

use bytes::BytesMut;
use http::Method;
use libfuzzer_sys::fuzz_target;

#[allow(dead_code, unreachable_pub, unused_imports)]
#[path = "../../src/http1"]
mod http1 {
    pub(crate) mod chunked;
    pub(crate) mod framing;
    pub(crate) mod lines;
}

#[allow(dead_code, unreachable_pub)]
#[path = "../../src/upstream"]
mod upstream {
    pub(crate) mod answer;
}

use http1::chunked::Piece;
use upstream::answer::HeadReader;

#[derive(Debug, PartialEq)]
enum End {
    Whole,
    Refused,
    Missing,
}

fn read(pieces: &[&[u8]]) -> (Option<u16>, Vec<u8>, End) {
    let mut reader = HeadReader::for_answer_to(&Method::GET);
    let mut buffer = BytesMut::new();
    let mut found = None;
    let mut status = None;
    let mut body = Vec::new();
    for piece in pieces {
        buffer.extend_from_slice(piece);
        if found.is_none() {
            match reader.next(&mut buffer) {
                Ok(next) => found = next,
                Err(_) => return (status, body, End::Refused),
            }
        }
        let Some((head, content)) = &mut found else { continue };
        status = Some(head.status.as_u16());
        loop {
            match content.next(&mut buffer) {
                Ok(Some(Piece::Data(data))) => body.extend_from_slice(&data),
                Ok(Some(Piece::End | Piece::Trailers(_))) => return (status, body, End::Whole),
                Ok(None) => break,
                Err(_) => return (status, body, End::Refused),
            }
        }
    }
    (status, body, End::Missing)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (cut, bytes) = input;
    let cut = usize::from(cut).min(bytes.len());
    let whole = read(&[bytes]);
    assert!(whole.1.len() <= bytes.len());
    assert_eq!(whole, read(&[&bytes[..cut], &bytes[cut..]]));
});
