//! Samples in languages that are run as they stand.

use serde_json::Value;

use super::{Call, CallBody, quote};
use crate::docs::code::{Kind, Tokens};
use crate::docs::json;

pub(super) fn curl(call: &Call) -> Tokens {
    let mut out = Tokens::default();
    out.call("curl");
    match call.method.as_str() {
        "GET" if call.body.is_none() => {}
        "HEAD" => {
            out.name(" --head");
        }
        method => {
            out.name(" -X ").word(&shell_word(method));
        }
    }
    out.name(" ").str(quote::shell(&call.url));
    out.name(" \\\n  -H ")
        .str(format!("\"{}: $API_KEY\"", call.key_header));
    for (name, value) in call.plain_headers() {
        out.name(" \\\n  -H ")
            .str(quote::shell(&format!("{name}: {value}")));
    }
    if let Some(body) = &call.body {
        // `-d` would read a file where the text begins with `@`.
        out.name(" \\\n  --data-raw ").str(quote::shell(&body.text()));
    }
    out
}

/// A method is a token of RFC 9110, in which marks may stand that a shell reads.
fn shell_word(method: &str) -> String {
    if method
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        method.to_owned()
    } else {
        quote::shell(method)
    }
}

pub(super) fn javascript(call: &Call) -> Tokens {
    let mut out = Tokens::default();
    out.word("const")
        .name(" response = ")
        .word("await")
        .name(" ")
        .call("fetch");
    out.name("(").str(quote::javascript(&call.url)).name(", {\n");
    out.name("  method: ")
        .str(quote::javascript(&call.method))
        .name(",\n  headers: {\n");
    out.name("    ")
        .str(quote::javascript(call.key_header))
        .name(": process.env.API_KEY,\n");
    for (name, value) in call.plain_headers() {
        out.name("    ").str(quote::javascript(name));
        out.name(": ").str(quote::javascript(value)).name(",\n");
    }
    out.name("  },\n");
    match &call.body {
        // In an object literal this name would set the prototype.
        Some(CallBody::Json(_, value)) if !value.to_string().contains("__proto__") => {
            out.name("  body: JSON.").call("stringify").name("(");
            literal(value, 1, Literal::JavaScript, &mut out);
            out.name("),\n");
        }
        Some(body) => {
            out.name("  body: ")
                .str(quote::javascript(&body.text()))
                .name(",\n");
        }
        None => {}
    }
    out.name("});\nconsole.").call("log").name("(response.status, ");
    out.word("await").name(" response.").call("text").name("());");
    out
}

pub(super) fn python(call: &Call) -> Tokens {
    let mut out = Tokens::default();
    out.word("import")
        .name(" os\n")
        .word("import")
        .name(" requests\n\nresponse = requests.");
    out.call("request")
        .name("(\n    ")
        .str(quote::python(&call.method))
        .name(",\n    ");
    out.str(quote::python(&call.url))
        .name(",\n    headers={\n        ");
    out.str(quote::python(call.key_header))
        .name(": os.environ[")
        .str("\"API_KEY\"")
        .name("],\n");
    for (name, value) in call.plain_headers() {
        out.name("        ").str(quote::python(name));
        out.name(": ").str(quote::python(value)).name(",\n");
    }
    out.name("    },\n");
    match &call.body {
        Some(CallBody::Json(_, value)) => {
            out.name("    json=");
            literal(value, 2, Literal::Python, &mut out);
            out.name(",\n");
        }
        Some(body) => {
            out.name("    data=")
                .str(quote::python(&body.text()))
                .name(".")
                .call("encode")
                .name("(),\n");
        }
        None => {}
    }
    out.name(")\n")
        .call("print")
        .name("(response.status_code, response.text)");
    out
}

pub(super) fn php(call: &Call) -> Tokens {
    let mut out = Tokens::default();
    out.word("<?php")
        .name("\n$curl = ")
        .call("curl_init")
        .name("(")
        .str(quote::php(&call.url))
        .name(");\n");
    out.call("curl_setopt_array")
        .name("($curl, [\n    CURLOPT_CUSTOMREQUEST => ");
    out.str(quote::php(&call.method))
        .name(",\n    CURLOPT_RETURNTRANSFER => ")
        .word("true");
    out.name(",\n    CURLOPT_HTTPHEADER => [\n        ");
    out.str(quote::php(&format!("{}: ", call.key_header)));
    out.name(" . ")
        .call("getenv")
        .name("(")
        .str("'API_KEY'")
        .name("),\n");
    for (name, value) in call.plain_headers() {
        out.name("        ")
            .str(quote::php(&format!("{name}: {value}")))
            .name(",\n");
    }
    out.name("    ],\n");
    if let Some(body) = &call.body {
        out.name("    CURLOPT_POSTFIELDS => ")
            .str(quote::php(&body.text()))
            .name(",\n");
    }
    out.name("]);\n$answer = ")
        .call("curl_exec")
        .name("($curl);\n")
        .word("echo")
        .name(" ");
    out.call("curl_getinfo")
        .name("($curl, CURLINFO_RESPONSE_CODE), ")
        .str("' '")
        .name(", $answer, PHP_EOL;");
    out
}

#[derive(Clone, Copy)]
enum Literal {
    JavaScript,
    Python,
}

impl Literal {
    const fn indent(self) -> &'static str {
        match self {
            Self::JavaScript => "  ",
            Self::Python => "    ",
        }
    }

    fn word(self, value: &Value) -> String {
        match (self, value) {
            (Self::Python, Value::Null) => "None".to_owned(),
            (Self::Python, Value::Bool(true)) => "True".to_owned(),
            (Self::Python, Value::Bool(false)) => "False".to_owned(),
            (_, other) => other.to_string(),
        }
    }

    fn text(self, text: &str) -> String {
        match self {
            Self::JavaScript => quote::javascript(text),
            Self::Python => quote::python(text),
        }
    }
}

/// JSON as a literal of a language.
fn literal(value: &Value, level: usize, language: Literal, out: &mut Tokens) {
    let line = |level: usize| format!("\n{}", language.indent().repeat(level.min(24)));
    match value {
        Value::Null | Value::Bool(_) => {
            out.put(Kind::Keyword, language.word(value));
        }
        Value::Number(number) => {
            out.put(Kind::Num, number.to_string());
        }
        Value::String(text) => {
            out.str(language.text(text));
        }
        Value::Array(items) if !items.is_empty() => {
            out.name("[");
            for item in items {
                out.name(&line(level + 1));
                literal(item, level + 1, language, out);
                out.name(",");
            }
            out.name(&line(level)).name("]");
        }
        Value::Object(members) if !members.is_empty() => {
            out.name("{");
            for (name, member) in members {
                out.name(&line(level + 1))
                    .put(Kind::Key, language.text(name))
                    .name(": ");
                literal(member, level + 1, language, out);
                out.name(",");
            }
            out.name(&line(level)).name("}");
        }
        empty => {
            out.append(&json::pretty(empty));
        }
    }
}
