use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};
use serde_json::{Value, json};

use super::{Call, CallBody, KEY_HEADER, Language, quote};

/// What a literal in double quotes says, by the rules that its language has in common with JSON.
fn undone(literal: &str) -> String {
    let mut chars = literal.strip_prefix('"').unwrap().chars().peekable();
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '"' => {
                assert_eq!(chars.next(), None, "the literal ends before its text: {literal}");
                return text;
            }
            '\\' => match chars.next().unwrap() {
                'n' => text.push('\n'),
                'r' => text.push('\r'),
                't' => text.push('\t'),
                'u' if chars.peek() == Some(&'{') => {
                    let digits: String = chars.by_ref().skip(1).take_while(|c| *c != '}').collect();
                    text.push(char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap());
                }
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    text.push(char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap());
                }
                octal @ '0'..='3' => {
                    let digits: String = std::iter::once(octal).chain(chars.by_ref().take(2)).collect();
                    text.push(char::from_u32(u32::from_str_radix(&digits, 8).unwrap()).unwrap());
                }
                other => text.push(other),
            },
            plain => {
                assert!(!plain.is_control(), "{literal:?}");
                text.push(plain);
            }
        }
    }
    panic!("the literal does not end: {literal}");
}

/// What a shell reads as one word of single-quoted pieces and escaped quotes.
fn shell_word(literal: &str) -> String {
    let mut text = String::new();
    let mut rest = literal;
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('\'') {
            let (piece, after) = quoted.split_once('\'').unwrap();
            text.push_str(piece);
            rest = after;
        } else {
            rest = rest.strip_prefix("\\'").unwrap();
            text.push('\'');
        }
    }
    text
}

fn php_text(literal: &str) -> String {
    let inner = literal.strip_prefix('\'').unwrap();
    let mut text = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                assert_eq!(chars.next(), None);
                return text;
            }
            '\\' => text.push(chars.next().unwrap()),
            plain => text.push(plain),
        }
    }
    panic!("the literal does not end");
}

fn hostile() -> impl proptest::strategy::Strategy<Value = String> {
    use proptest::prelude::{Strategy, prop_oneof};
    let pieces = prop_oneof![
        proptest::sample::select(vec![
            "'",
            "\"",
            "\\",
            "`",
            "$(id)",
            "${x}",
            "\n",
            "\r\n",
            "\\u000a",
            "\u{2028}",
            "\u{202e}",
            "\"##",
            "#",
            "EOF",
            "*/",
            "//",
            "<?php",
            "\0",
            "\u{7}",
            "%s",
            "{}",
            "\u{1f600}",
            "@file",
            "!x",
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    proptest::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_literal_says_exactly_its_text(text in hostile()) {
        for quote in [quote::javascript, quote::python, quote::csharp, quote::go, quote::rust, quote::java] {
            prop_assert_eq!(&undone(&quote(&text)), &text);
        }
        prop_assert_eq!(shell_word(&quote::shell(&text)), text.replace('\0', ""));
        prop_assert_eq!(php_text(&quote::php(&text)), &*text);
        if let Some(raw) = quote::go_raw(&text) {
            prop_assert_eq!(raw, format!("`{text}`"));
            prop_assert!(!text.contains('`') && !text.contains('\r'));
        }
        if let Some(raw) = quote::rust_raw(&text) {
            let marks = raw.chars().skip(1).take_while(|c| *c == '#').count();
            let end = format!("\"{}", "#".repeat(marks));
            let inside = marks + "r\"".len();
            prop_assert_eq!(inside + raw[inside..].find(&end).unwrap() + end.len(), raw.len());
        }
        // Java reads these before it reads anything else.
        prop_assert!(text.contains("u000") || !quote::java(&text).contains("\\u000"));
    }

    #[test]
    fn no_sample_holds_a_line_of_the_body_bare(text in hostile()) {
        let call = Call {
            method: "POST".to_owned(),
            url: "https://gw.test/x".to_owned(),
            headers: Vec::new(),
            key_header: KEY_HEADER,
            body: Some(CallBody::Json("application/json".to_owned(), json!({ text.clone(): [text, 1, null] }))),
        };
        for language in Language::ALL {
            let sample = call.sample(language).text();
            prop_assert!(sample.contains("API_KEY"), "{}", sample);
        }
    }
}

fn call() -> Call {
    Call {
        method: "POST".to_owned(),
        url: "https://gw.test/shop/v1/pets?dry=true".to_owned(),
        headers: vec![("X-Trace".to_owned(), "it's".to_owned())],
        key_header: KEY_HEADER,
        body: Some(CallBody::Json(
            "application/json".to_owned(),
            json!({"name": "O'Neill \"Rex\"", "ok": true, "none": null}),
        )),
    }
}

#[test]
fn a_shell_runs_the_sample_as_it_is_meant() {
    let sample = call().sample(Language::Curl).text();
    let script =
        format!("curl() {{ for a in \"$@\"; do printf '%s\\0' \"$a\"; done; }}\nAPI_KEY=k\n{sample}\n");
    let output = std::process::Command::new("sh")
        .arg("-c")
        .arg(script)
        .output()
        .unwrap();
    let words: Vec<&str> = std::str::from_utf8(&output.stdout)
        .unwrap()
        .split_terminator('\0')
        .collect();
    assert_eq!(
        words[..8],
        [
            "-X",
            "POST",
            "https://gw.test/shop/v1/pets?dry=true",
            "-H",
            "X-API-Key: k",
            "-H",
            "X-Trace: it's",
            "-H"
        ]
    );
    assert_eq!(words[8..10], ["Content-Type: application/json", "--data-raw"]);
    let sent: Value = serde_json::from_str(words[10]).unwrap();
    assert_eq!(sent["name"], "O'Neill \"Rex\"");
}

#[test]
fn each_language_says_its_own_words() {
    for (language, words) in [
        (Language::Curl, "-H \"X-API-Key: $API_KEY\""),
        (Language::JavaScript, "\"X-API-Key\": process.env.API_KEY"),
        (Language::Python, "\"none\": None"),
        (Language::Go, "os.Getenv(\"API_KEY\")"),
        (Language::Rust, "std::env::var(\"API_KEY\")?"),
        (Language::Java, "System.getenv(\"API_KEY\")"),
        (
            Language::CSharp,
            "Environment.GetEnvironmentVariable(\"API_KEY\")",
        ),
        (Language::Php, "'X-API-Key: ' . getenv('API_KEY')"),
    ] {
        let sample = call().sample(language).text();
        assert!(sample.contains(words), "{sample}");
    }
}
