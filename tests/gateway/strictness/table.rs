//! Raw requests and what becomes of them, written from RFC 9110 and RFC 9112;
//! where these leave a choice, ours (`docs/adr/0008`): what two programs could
//! read differently is refused.

use self::Fate::{Answered, Forwarded, Last, Refused};

/// What becomes of what was sent over one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// So many requests reach the upstream, and the next one is understood.
    Forwarded(usize),
    /// So many requests reach the upstream, and the connection ends.
    Last(usize),
    /// None does, this is the status of the only answer, and the connection ends.
    Refused(u16),
    /// None does, this is the status of the answer, and the next one is understood.
    Answered(u16),
}

/// A row: which rule it is about, the bytes, and their fate. `{p}` stands for
/// the path of the API with the row's mark in the query, `{h}` for the host.
pub(super) type Row = (&'static str, &'static str, Fate);

/// RFC 9112, sections 2 and 3; RFC 9110, sections 7.1, 7.2 and 9.
pub(super) const REQUEST_LINES: &[Row] = &[
    ("plain", "GET {p} HTTP/1.1\r\nHost: {h}\r\n\r\n", Forwarded(1)),
    (
        "empty line before",
        "\r\nGET {p} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Forwarded(1),
    ),
    (
        "two blanks",
        "GET  {p} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    ("a tab", "GET\t{p} HTTP/1.1\r\nHost: {h}\r\n\r\n", Refused(400)),
    (
        "blank at the end",
        "GET {p} HTTP/1.1 \r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    (
        "blank before",
        " GET {p} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    (
        "blank in the target",
        "GET {p} x HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    ("no version", "GET {p}\r\nHost: {h}\r\n\r\n", Refused(400)),
    ("HTTP/0.9", "GET {p}\r\n\r\n", Refused(400)),
    ("HTTP/1.2", "GET {p} HTTP/1.2\r\nHost: {h}\r\n\r\n", Refused(400)),
    ("HTTP/2.0", "GET {p} HTTP/2.0\r\nHost: {h}\r\n\r\n", Refused(400)),
    (
        "version in lower case",
        "GET {p} http/1.1\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    (
        "version with zeros",
        "GET {p} HTTP/01.1\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    (
        "method with a bracket",
        "G(T {p} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    ("no method", "{p} HTTP/1.1\r\nHost: {h}\r\n\r\n", Refused(400)),
    (
        "bytes beyond ASCII",
        "GET {p}\u{e9} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    (
        "a control character",
        "GET {p}\u{1} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    (
        "a fragment",
        "GET {p}#x HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    (
        "target without a slash",
        "GET x{p} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    (
        "absolute target",
        "GET http://{h}{p} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Forwarded(1),
    ),
    (
        "other host in the target",
        "GET http://other{p} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    (
        "user in the target",
        "GET http://u@{h}{p} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    (
        "other scheme",
        "GET ftp://{h}{p} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    ("asterisk", "GET * HTTP/1.1\r\nHost: {h}\r\n\r\n", Refused(400)),
    (
        "options of the server",
        "OPTIONS * HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Answered(204),
    ),
    (
        "connect",
        "CONNECT {h} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    (
        "connect with a path",
        "CONNECT {p} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    (
        "no line at all",
        "\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n",
        Refused(400),
    ),
    ("another protocol", "\u{16}\u{3}\u{1}\u{2}", Refused(400)),
];

/// RFC 9112, section 5; RFC 9110, sections 5 and 7.2.
pub(super) const FIELDS: &[Row] = &[
    (
        "no blank behind the colon",
        "GET {p} HTTP/1.1\r\nHost:{h}\r\n\r\n",
        Forwarded(1),
    ),
    (
        "blanks around the value",
        "GET {p} HTTP/1.1\r\nHost: \t{h}\t \r\n\r\n",
        Forwarded(1),
    ),
    (
        "bytes beyond ASCII in a value",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\nX: \u{e9}\r\n\r\n",
        Forwarded(1),
    ),
    (
        "an empty value",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\nX:\r\n\r\n",
        Forwarded(1),
    ),
    (
        "blank before the colon",
        "GET {p} HTTP/1.1\r\nHost : {h}\r\n\r\n",
        Refused(400),
    ),
    (
        "tab before the colon",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\nX\t: 1\r\n\r\n",
        Refused(400),
    ),
    (
        "a folded line",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\nX: 1\r\n 2\r\n\r\n",
        Refused(400),
    ),
    (
        "a folded first line",
        "GET {p} HTTP/1.1\r\n Host: {h}\r\n\r\n",
        Refused(400),
    ),
    (
        "no colon",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\nX\r\n\r\n",
        Refused(400),
    ),
    (
        "no name",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\n: 1\r\n\r\n",
        Refused(400),
    ),
    (
        "a bracket in the name",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\nX(: 1\r\n\r\n",
        Refused(400),
    ),
    (
        "a zero",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\nX: a\0b\r\n\r\n",
        Refused(400),
    ),
    (
        "an escape",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\nX: \u{1b}[0m\r\n\r\n",
        Refused(400),
    ),
    (
        "a bare carriage return",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\nX: a\rb\r\n\r\n",
        Refused(400),
    ),
    ("bare line feeds", "GET {p} HTTP/1.1\nHost: {h}\n\n", Refused(400)),
    (
        "one bare line feed",
        "GET {p} HTTP/1.1\r\nHost: {h}\nX: 1\r\n\r\n",
        Refused(400),
    ),
    (
        "a bare line feed at the end",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\n\n",
        Refused(400),
    ),
    (
        "two carriage returns",
        "GET {p} HTTP/1.1\r\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    ("no host", "GET {p} HTTP/1.1\r\n\r\n", Refused(400)),
    (
        "two hosts",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\nHost: {h}\r\n\r\n",
        Refused(400),
    ),
    ("an empty host", "GET {p} HTTP/1.1\r\nHost:\r\n\r\n", Refused(400)),
    (
        "a host with a user",
        "GET {p} HTTP/1.1\r\nHost: u@{h}\r\n\r\n",
        Refused(400),
    ),
    (
        "a host with a path",
        "GET {p} HTTP/1.1\r\nHost: {h}/x\r\n\r\n",
        Refused(400),
    ),
    (
        "a host with a list",
        "GET {p} HTTP/1.1\r\nHost: {h}, {h}\r\n\r\n",
        Refused(400),
    ),
    (
        "a strange expectation",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\nExpect: miracles\r\n\r\n",
        Refused(417),
    ),
    (
        "an upgrade",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        Forwarded(1),
    ),
];

/// RFC 9112, sections 6 and 7.
pub(super) const FRAMING: &[Row] = &[
    (
        "a length",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nContent-Length: 2\r\n\r\nhi",
        Forwarded(1),
    ),
    (
        "a length of zero",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nContent-Length: 0\r\n\r\n",
        Forwarded(1),
    ),
    (
        "chunks",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        Forwarded(1),
    ),
    (
        "chunks in capitals",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n",
        Forwarded(1),
    ),
    (
        "a chunk extension",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n2;a=\"b\"\r\nhi\r\n0\r\n\r\n",
        Forwarded(1),
    ),
    (
        "a trailer",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n\r\n",
        Forwarded(1),
    ),
    (
        "a body that looks like a request",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nContent-Length: 18\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        Forwarded(1),
    ),
    (
        "two requests",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\n\r\nGET {p} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Forwarded(2),
    ),
    (
        "two with bodies",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\nPOST {p} HTTP/1.1\r\nHost: {h}\r\nContent-Length: 1\r\n\r\na",
        Forwarded(2),
    ),
    (
        "nothing behind a close",
        "GET {p} HTTP/1.1\r\nHost: {h}\r\nConnection: close\r\n\r\nGET {p} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Last(1),
    ),
    (
        "nothing behind HTTP/1.0",
        "GET {p} HTTP/1.0\r\nHost: {h}\r\n\r\nGET {p} HTTP/1.1\r\nHost: {h}\r\n\r\n",
        Last(1),
    ),
    (
        "both lengths",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG",
        Refused(400),
    ),
    (
        "both the other way round",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "two equal lengths",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nhi",
        Refused(400),
    ),
    (
        "two lengths",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
        Refused(400),
    ),
    (
        "a list of lengths",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nContent-Length: 2, 2\r\n\r\nhi",
        Refused(400),
    ),
    (
        "a signed length",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nContent-Length: +2\r\n\r\nhi",
        Refused(400),
    ),
    (
        "a negative length",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nContent-Length: -2\r\n\r\nhi",
        Refused(400),
    ),
    (
        "a hexadecimal length",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nContent-Length: 0x2\r\n\r\nhi",
        Refused(400),
    ),
    (
        "an empty length",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nContent-Length:\r\n\r\n",
        Refused(400),
    ),
    (
        "a length beyond counting",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nContent-Length: 99999999999999999999\r\n\r\nhi",
        Refused(400),
    ),
    (
        "two codings",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "chunked and identity",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "chunked twice",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "an unknown coding",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "an empty coding",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding:\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a vertical tab",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a blank before the colon",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "chunks in HTTP/1.0",
        "POST {p} HTTP/1.0\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a size with a prefix",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a signed size",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\nhi\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a blank before a size",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n 2\r\nhi\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a blank behind a size",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nhi\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a size beyond counting",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000002\r\nhi\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a size that overflows",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhi\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a chunk that is longer",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi!\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a chunk without its end",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi0\r\n\r\n",
        Refused(400),
    ),
    (
        "a line feed behind a size",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n2\nhi\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a line feed in an extension",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n2;a\nhi\r\n0\r\n\r\n",
        Refused(400),
    ),
    (
        "a line feed at the end",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\n",
        Refused(400),
    ),
    (
        "a trailer that frames",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n",
        Refused(400),
    ),
    (
        "a trailer that routes",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: other\r\n\r\n",
        Refused(400),
    ),
    (
        "a trailer that authorises",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nAuthorization: x\r\n\r\n",
        Refused(400),
    ),
    (
        "a trailer without a colon",
        "POST {p} HTTP/1.1\r\nHost: {h}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX\r\n\r\n",
        Refused(400),
    ),
];
