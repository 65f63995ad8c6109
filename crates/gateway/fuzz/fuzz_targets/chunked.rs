//! Any bytes as a body in chunks: the same content, end and rest wherever the
//! bytes were cut.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;

#[allow(dead_code, unreachable_pub)]
#[path = "../../src/http1"]
mod http1 {
    pub(crate) mod chunked;
    pub(crate) mod lines;
}

use http1::chunked::{Chunked, Decoder, Piece};

#[derive(Debug, PartialEq)]
enum End {
    Whole(Vec<u8>),
    Broken(&'static str),
    Missing,
}

fn decode(pieces: &[&[u8]]) -> (Vec<u8>, End) {
    let mut decoder = Decoder::Chunked(Chunked::default());
    let mut buffer = BytesMut::new();
    let mut data = Vec::new();
    let mut ended = false;
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while !ended {
            match decoder.next(&mut buffer) {
                Ok(None) => break,
                Ok(Some(Piece::Data(bytes))) => {
                    assert!(!bytes.is_empty());
                    data.extend_from_slice(&bytes);
                }
                Ok(Some(Piece::End | Piece::Trailers(_))) => ended = true,
                Err(rule) => return (data, End::Broken(rule)),
            }
        }
    }
    assert_eq!(ended, decoder.is_done());
    let end = if ended {
        End::Whole(buffer.to_vec())
    } else {
        End::Missing
    };
    (data, end)
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (first, second, bytes) = input;
    let first = usize::from(first).min(bytes.len());
    let second = (first + usize::from(second)).min(bytes.len());
    let whole = decode(&[bytes]);
    let pieces = decode(&[&bytes[..first], &bytes[first..second], &bytes[second..]]);
    assert_eq!(whole, pieces);
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(whole, decode(&single));
});
