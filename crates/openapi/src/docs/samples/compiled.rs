//! Samples in languages that are compiled first.

use super::{Call, CallBody, quote};
use crate::docs::code::Tokens;

pub(super) fn go(call: &Call) -> Tokens {
    let mut out = Tokens::default();
    out.word("package").name(" main\n\n").word("import").name(" (\n");
    let strings = call.body.as_ref().map(|_| "strings");
    for package in ["fmt", "io", "net/http", "os"].into_iter().chain(strings) {
        out.name("\t").str(format!("\"{package}\"")).name("\n");
    }
    out.name(")\n\n")
        .word("func")
        .name(" ")
        .call("main")
        .name("() {\n");
    if let Some(body) = &call.body {
        let text = body.text();
        let literal = quote::go_raw(&text).unwrap_or_else(|| quote::go(&text));
        out.name("\tbody := strings.")
            .call("NewReader")
            .name("(")
            .str(literal)
            .name(")\n");
    }
    go_request(call, &mut out);
    out.name("\tresponse, err := http.DefaultClient.")
        .call("Do")
        .name("(request)\n");
    stop_on_error(&mut out);
    out.name("\t").word("defer").name(" response.Body.Close()\n");
    out.name("\tanswer, err := io.")
        .call("ReadAll")
        .name("(response.Body)\n");
    stop_on_error(&mut out);
    out.name("\tfmt.")
        .call("Println")
        .name("(response.Status, ")
        .word("string")
        .name("(answer))\n}");
    out
}

fn go_request(call: &Call, out: &mut Tokens) {
    out.name("\trequest, err := http.").call("NewRequest").name("(");
    out.str(quote::go(&call.method))
        .name(", ")
        .str(quote::go(&call.url))
        .name(", ");
    if call.body.is_some() {
        out.name("body)\n");
    } else {
        out.word("nil").name(")\n");
    }
    stop_on_error(out);
    out.name("\trequest.Header.")
        .call("Set")
        .name("(")
        .str(quote::go(call.key_header));
    out.name(", os.")
        .call("Getenv")
        .name("(")
        .str("\"API_KEY\"")
        .name("))\n");
    for (name, value) in call.plain_headers() {
        out.name("\trequest.Header.")
            .call("Set")
            .name("(")
            .str(quote::go(name));
        out.name(", ").str(quote::go(value)).name(")\n");
    }
}

fn stop_on_error(out: &mut Tokens) {
    out.name("\t")
        .word("if")
        .name(" err != ")
        .word("nil")
        .name(" {\n\t\t");
    out.call("panic").name("(err)\n\t}\n");
}

pub(super) fn rust(call: &Call) -> Tokens {
    let mut out = Tokens::default();
    out.word("let")
        .name(" response = reqwest::Client::")
        .call("new")
        .name("()\n    .")
        .call("request");
    out.name("(reqwest::Method::")
        .call("from_bytes")
        .name("(b")
        .str(quote::rust(&call.method))
        .name(")?, ");
    out.str(quote::rust(&call.url))
        .name(")\n    .")
        .call("header")
        .name("(");
    out.str(quote::rust(call.key_header))
        .name(", std::env::")
        .call("var")
        .name("(");
    out.str("\"API_KEY\"").name(")?)\n");
    for (name, value) in call.plain_headers() {
        out.name("    .").call("header").name("(").str(quote::rust(name));
        out.name(", ").str(quote::rust(value)).name(")\n");
    }
    if let Some(body) = &call.body {
        let text = body.text();
        let literal = quote::rust_raw(&text).unwrap_or_else(|| quote::rust(&text));
        out.name("    .").call("body").name("(").str(literal).name(")\n");
    }
    out.name("    .")
        .call("send")
        .name("()\n    .")
        .word("await")
        .name("?;\n")
        .call("println!")
        .name("(");
    out.str("\"{} {}\"")
        .name(", response.")
        .call("status")
        .name("(), response.")
        .call("text");
    out.name("().").word("await").name("?);");
    out
}

pub(super) fn java(call: &Call) -> Tokens {
    let mut out = Tokens::default();
    out.word("var")
        .name(" request = HttpRequest.")
        .call("newBuilder")
        .name("(URI.")
        .call("create")
        .name("(");
    out.str(quote::java(&call.url))
        .name("))\n    .")
        .call("header")
        .name("(");
    out.str(quote::java(call.key_header))
        .name(", System.")
        .call("getenv")
        .name("(");
    out.str("\"API_KEY\"").name("))\n");
    for (name, value) in call.plain_headers() {
        out.name("    .").call("header").name("(").str(quote::java(name));
        out.name(", ").str(quote::java(value)).name(")\n");
    }
    out.name("    .")
        .call("method")
        .name("(")
        .str(quote::java(&call.method));
    out.name(", HttpRequest.BodyPublishers.");
    match &call.body {
        Some(body) => {
            out.call("ofString").name("(");
            lines(body, quote::java, &mut out);
            out.name("))\n");
        }
        None => {
            out.call("noBody").name("())\n");
        }
    }
    out.name("    .")
        .call("build")
        .name("();\n")
        .word("var")
        .name(" response = HttpClient.");
    out.call("newHttpClient")
        .name("()\n    .")
        .call("send")
        .name("(request, HttpResponse.BodyHandlers.");
    out.call("ofString")
        .name("());\nSystem.out.")
        .call("println")
        .name("(response.");
    out.call("statusCode")
        .name("() + ")
        .str("\" \"")
        .name(" + response.")
        .call("body")
        .name("());");
    out
}

pub(super) fn csharp(call: &Call) -> Tokens {
    let mut out = Tokens::default();
    out.word("using var")
        .name(" client = ")
        .word("new")
        .name(" ")
        .call("HttpClient")
        .name("();\n");
    out.word("using var")
        .name(" request = ")
        .word("new")
        .name(" ")
        .call("HttpRequestMessage")
        .name("(");
    out.word("new")
        .name(" ")
        .call("HttpMethod")
        .name("(")
        .str(quote::csharp(&call.method))
        .name("), ");
    out.str(quote::csharp(&call.url)).name(");\n");
    out.name("request.Headers.")
        .call("TryAddWithoutValidation")
        .name("(");
    out.str(quote::csharp(call.key_header))
        .name(", Environment.")
        .call("GetEnvironmentVariable")
        .name("(");
    out.str("\"API_KEY\"").name("));\n");
    csharp_content(call, &mut out);
    out.word("using var")
        .name(" response = ")
        .word("await")
        .name(" client.")
        .call("SendAsync");
    out.name("(request);\nConsole.")
        .call("WriteLine")
        .name("((")
        .word("int")
        .name(")response.StatusCode + ");
    out.str("\" \"")
        .name(" + ")
        .word("await")
        .name(" response.Content.")
        .call("ReadAsStringAsync");
    out.name("());");
    out
}

fn csharp_content(call: &Call, out: &mut Tokens) {
    for (name, value) in &call.headers {
        out.name("request.Headers.")
            .call("TryAddWithoutValidation")
            .name("(");
        out.str(quote::csharp(name))
            .name(", ")
            .str(quote::csharp(value))
            .name(");\n");
    }
    if let Some(body) = &call.body {
        out.name("request.Content = ")
            .word("new")
            .name(" ")
            .call("StringContent")
            .name("(");
        lines(body, quote::csharp, out);
        out.name(
            ");\nrequest.Content.Headers.ContentType =\n    System.Net.Http.Headers.MediaTypeHeaderValue.",
        );
        out.call("Parse")
            .name("(")
            .str(quote::csharp(body.media_type()))
            .name(");\n");
    }
}

/// A text of several lines as literals that are put together.
fn lines(body: &CallBody, quote: fn(&str) -> String, out: &mut Tokens) {
    let text = body.text();
    let mut first = true;
    for line in text.split_inclusive('\n') {
        if !first {
            out.name("\n        + ");
        }
        first = false;
        out.str(quote(line));
    }
    if first {
        out.str(quote(""));
    }
}
