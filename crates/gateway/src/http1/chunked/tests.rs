use proptest::prelude::*;

use super::*;

/// What a body came to.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Ended {
        data: Vec<u8>,
        trailers: Vec<(String, String)>,
        rest: Vec<u8>,
    },
    Broken(Broken),
    Unfinished(Vec<u8>),
}

/// Decodes what comes in these pieces.
fn decode(mut decoder: Decoder, pieces: &[&[u8]]) -> Told {
    let mut buffer = BytesMut::new();
    let mut data = Vec::new();
    let mut trailers = Vec::new();
    let mut ended = false;
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while !ended {
            match decoder.next(&mut buffer) {
                Err(rule) => return Told::Broken(rule),
                Ok(None) => break,
                Ok(Some(Piece::Data(bytes))) => {
                    assert!(!bytes.is_empty());
                    data.extend_from_slice(&bytes);
                }
                Ok(Some(Piece::Trailers(fields))) => {
                    trailers = fields
                        .iter()
                        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
                        .collect();
                    ended = true;
                }
                Ok(Some(Piece::End)) => ended = true,
            }
        }
    }
    if !ended {
        return Told::Unfinished(data);
    }
    assert!(decoder.is_done());
    Told::Ended {
        data,
        trailers,
        rest: buffer.to_vec(),
    }
}

fn chunked(text: &[u8]) -> Told {
    decode(Decoder::Chunked(Chunked::default()), &[text])
}

fn ended(data: &str, rest: &str) -> Told {
    Told::Ended {
        data: data.into(),
        trailers: vec![],
        rest: rest.into(),
    }
}

#[test]
fn chunks_become_content_and_what_follows_stays() {
    assert_eq!(
        chunked(b"3\r\nhel\r\n02\r\nlo\r\n0\r\n\r\nGET"),
        ended("hello", "GET")
    );
    assert_eq!(chunked(b"00\r\n\r\n"), ended("", ""));
    assert_eq!(
        chunked(b"A;x=\"y\" ; z\r\n0123456789\r\n0\r\n\r\n"),
        ended("0123456789", "")
    );
    assert_eq!(chunked(b"3\r\nhel\r\n2\r\nl"), Told::Unfinished(b"hell".to_vec()));
    let with_trailers = chunked(b"1\r\na\r\n0\r\nX-Sum: 7\r\n\r\n");
    let Told::Ended { trailers, .. } = with_trailers else {
        panic!("{with_trailers:?}");
    };
    assert_eq!(trailers, [("x-sum".to_owned(), "7".to_owned())]);
}

#[test]
fn a_length_takes_so_many_bytes() {
    assert_eq!(decode(Decoder::Length(5), &[b"hel", b"lo!"]), ended("hello", "!"));
    assert_eq!(
        decode(Decoder::Length(5), &[b"hel"]),
        Told::Unfinished(b"hel".to_vec())
    );
}

#[test]
fn sizes_are_plain_hexadecimal_digits() {
    for wrong in [
        "\r\n",
        " 1\r\n",
        "0x1\r\n",
        "+1\r\n",
        "-1\r\n",
        "1 \r\n",
        "1_0\r\n",
        "g\r\n",
        "1,1\r\n",
        "1\n",
        "1\r\r\n",
        "1;a\n",
        "1;\0\r\n",
        "1;a\rb\r\n",
        "1 a\r\n",
        "00000000000000001\r\n",
        "ffffffffffffffff\r\n",
    ] {
        let told = chunked(format!("{wrong}a\r\n0\r\n\r\n").as_bytes());
        assert!(matches!(told, Told::Broken(_)), "{wrong:?}: {told:?}");
    }
    assert!(matches!(chunked(b"1\r\nab\r\n"), Told::Broken(_)));
    assert!(matches!(chunked(b"1\r\na\n0\r\n\r\n"), Told::Broken(_)));
    assert!(matches!(chunked(b"1\r\na0\r\n\r\n"), Told::Broken(_)));
}

#[test]
fn extensions_and_trailers_are_bounded() {
    let extension = |length: usize| format!("1;{}\r\na\r\n", "x".repeat(length - 1));
    let whole = |text: String| chunked(format!("{text}0\r\n\r\n").as_bytes());
    assert_eq!(whole(extension(MAX_EXTENSION)), ended("a", ""));
    assert!(matches!(whole(extension(MAX_EXTENSION + 1)), Told::Broken(_)));
    let many = extension(MAX_EXTENSION).repeat(MAX_EXTENSIONS / MAX_EXTENSION + 1);
    assert!(matches!(whole(many), Told::Broken(_)));
    let large = format!("0\r\nx: {}\r\n\r\n", "x".repeat(MAX_TRAILERS));
    assert_eq!(chunked(large.as_bytes()), Told::Broken(TRAILERS_TOO_LARGE));
    let many = format!("0\r\n{}\r\n", "x: 1\r\n".repeat(MAX_TRAILER_FIELDS + 1));
    assert_eq!(chunked(many.as_bytes()), Told::Broken(TRAILERS_TOO_LARGE));
}

#[test]
fn trailers_neither_frame_nor_authorise() {
    for wrong in [
        "Content-Length: 1",
        "Transfer-Encoding: chunked",
        "Host: a",
        "Authorization: Bearer x",
        "X-API-Key: x",
        "Cookie: a=b",
        "a : b",
        " folded",
        "no colon",
        ": nothing",
        "x: a\0b",
    ] {
        let told = chunked(format!("0\r\n{wrong}\r\n\r\n").as_bytes());
        assert!(matches!(told, Told::Broken(_)), "{wrong:?}: {told:?}");
    }
    assert!(matches!(chunked(b"0\r\na: b\n\r\n"), Told::Broken(_)));
    assert!(matches!(chunked(b"0\r\n\n"), Told::Broken(_)));
}

/// Text that is a body now and then, and nearly one mostly.
fn nearly_a_body() -> impl Strategy<Value = String> {
    let size = prop_oneof![
        8 => Just("3\r\nabc\r\n"),
        4 => Just("1;x=y\r\na\r\n"),
        1 => Just("3\r\nab\r\n"),
        1 => Just("3\nabc\r\n"),
        1 => Just("z\r\n"),
        1 => Just("\r"),
        1 => Just("\n"),
    ];
    let end = prop_oneof![
        6 => Just("0\r\n\r\n"),
        2 => Just("0\r\nx: y\r\n\r\nrest"),
        1 => Just("0\r\nhost: y\r\n\r\n"),
        1 => Just("0\r\n\n"),
        1 => Just(""),
    ];
    (proptest::collection::vec(size, 0..5), end).prop_map(|(chunks, end)| chunks.concat() + end)
}

proptest! {
    #[test]
    fn any_split_gives_the_same_result(body in nearly_a_body(), cuts in proptest::collection::vec(0_usize..40, 0..4)) {
        let bytes = body.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.push(0);
        cuts.push(bytes.len());
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let in_pieces = decode(Decoder::Chunked(Chunked::default()), &pieces);
        prop_assert_eq!(in_pieces, chunked(bytes));
    }

    #[test]
    fn what_is_put_into_chunks_comes_out(parts in proptest::collection::vec("[a-z\r\n]{1,40}", 0..6)) {
        let mut body: String = parts.iter().map(|part| format!("{:x}\r\n{part}\r\n", part.len())).collect();
        body.push_str("0\r\n\r\nrest");
        prop_assert_eq!(chunked(body.as_bytes()), ended(&parts.concat(), "rest"));
    }

    #[test]
    fn nothing_makes_it_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        // An answer of any kind is fine; a panic is not.
        let _ = chunked(&bytes);
    }
}
