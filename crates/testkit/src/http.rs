//! A small HTTP client that shows everything: every status, every field, raw bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;

/// Nothing that a test asks for may take longer.
const LONGEST: Duration = Duration::from_secs(120);
/// A raw answer that has not ended ends with this silence.
const SILENCE: Duration = Duration::from_secs(30);

/// Which protocol the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Http1,
    Http2,
}

/// Sends requests to one address, each on a connection of its own.
#[derive(Debug, Clone)]
pub struct Client {
    authority: String,
    prefix: String,
    headers: HeaderMap,
    protocol: Protocol,
}

/// Why there was no answer.
#[derive(Debug)]
pub struct NoAnswer(pub String);

impl Client {
    /// A client for `http://host:port` with an optional path that all requests share.
    ///
    /// # Panics
    /// When `base` is not an `http` URL.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let rest = base.strip_prefix("http://").expect("an http:// address");
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let path = path.trim_end_matches('/');
        let prefix = if path.is_empty() {
            String::new()
        } else {
            format!("/{path}")
        };
        Self {
            authority: authority.to_owned(),
            prefix,
            headers: HeaderMap::new(),
            protocol: Protocol::Http1,
        }
    }

    /// The same, with a field on every request; it replaces one of that name.
    ///
    /// # Panics
    /// When the field is not valid HTTP.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        let name = HeaderName::try_from(name).expect("a field name");
        client
            .headers
            .insert(name, HeaderValue::from_str(value).expect("a field value"));
        client
    }

    /// The same, with a bearer token.
    #[must_use]
    pub fn bearer(&self, token: &str) -> Self {
        self.with(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// The same over cleartext HTTP/2 with prior knowledge.
    #[must_use]
    pub fn http2(&self) -> Self {
        Self {
            protocol: Protocol::Http2,
            ..self.clone()
        }
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// POST with JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.json().send(Method::POST, path, body.to_string()).await
    }

    /// POST without a body.
    pub async fn verb(&self, path: &str) -> Reply {
        self.send(Method::POST, path, Bytes::new()).await
    }

    /// PUT with JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.json().send(Method::PUT, path, body.to_string()).await
    }

    /// The same, saying that bodies are JSON.
    #[must_use]
    pub fn json(&self) -> Self {
        self.with(CONTENT_TYPE.as_str(), "application/json")
    }

    /// Any request.
    ///
    /// # Panics
    /// When there is no answer.
    pub async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Reply {
        let what = format!("{method} {path}");
        match self.attempt(method, path, body).await {
            Ok(reply) => reply,
            Err(NoAnswer(why)) => panic!("{what} on {}: {why}", self.authority),
        }
    }

    /// Any request, where no answer is an outcome too.
    ///
    /// # Errors
    /// When the connection or the exchange fails, or takes over two minutes.
    pub async fn attempt(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Reply, NoAnswer> {
        let what = format!("{method} {}{path}", self.prefix);
        let exchange = async {
            let stream = tokio::net::TcpStream::connect(&self.authority)
                .await
                .map_err(no_answer)?;
            let io = TokioIo::new(stream);
            let request = self.request(method, path, body.into());
            let response = match self.protocol {
                Protocol::Http1 => {
                    let (mut sender, connection) = hyper::client::conn::http1::handshake(io)
                        .await
                        .map_err(no_answer)?;
                    tokio::spawn(connection);
                    sender.send_request(request).await
                }
                Protocol::Http2 => {
                    let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), io);
                    let (mut sender, connection) = handshake.await.map_err(no_answer)?;
                    tokio::spawn(connection);
                    sender.send_request(request).await
                }
            };
            let (head, body) = response.map_err(no_answer)?.into_parts();
            let body = body.collect().await.map_err(no_answer)?.to_bytes();
            Ok(Reply {
                what,
                status: head.status.as_u16(),
                headers: head.headers,
                body,
            })
        };
        tokio::time::timeout(LONGEST, exchange)
            .await
            .unwrap_or_else(|_| Err(NoAnswer(format!("no answer within {LONGEST:?}"))))
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Request<Full<Bytes>> {
        let target = match self.protocol {
            Protocol::Http1 => format!("{}{path}", self.prefix),
            Protocol::Http2 => format!("http://{}{}{path}", self.authority, self.prefix),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = target.parse().unwrap_or_else(|error| panic!("{target}: {error}"));
        request.headers_mut().extend(self.headers.clone());
        if self.protocol == Protocol::Http1 && !request.headers().contains_key(HOST) {
            let host = HeaderValue::from_str(&self.authority).expect("an authority is a field value");
            request.headers_mut().insert(HOST, host);
        }
        request
    }

    /// Sends bytes as they are and reads until the other side closes or is
    /// silent for half a minute.
    ///
    /// # Panics
    /// When the address does not accept a connection.
    #[must_use]
    pub fn raw(&self, bytes: &[u8]) -> String {
        let address: SocketAddr = self.authority.parse().expect("an address and port");
        let mut stream = TcpStream::connect(address).expect("the address accepts");
        stream
            .set_read_timeout(Some(SILENCE))
            .expect("a timeout can be set");
        stream.write_all(bytes).ok();
        let mut answer = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(read) = stream.read(&mut buffer) {
            if read == 0 {
                break;
            }
            answer.extend(buffer.iter().take(read));
        }
        String::from_utf8_lossy(&answer).into_owned()
    }
}

fn no_answer(error: impl std::fmt::Display) -> NoAnswer {
    NoAnswer(error.to_string())
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Reply {
    what: String,
    /// The status code.
    pub status: u16,
    /// All fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// The first value of a field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The first value of a field that must be there.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    #[track_caller]
    pub fn must_have(&self, name: &str) -> &str {
        self.header(name).unwrap_or_else(|| panic!("no {name} in {self}"))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The body of an answer with this status.
    ///
    /// # Panics
    /// When the status is another.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        self.json()
    }

    /// The body of a refusal with this status and code, after RFC 9457.
    ///
    /// # Panics
    /// When any of it is another.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, code: &str) -> Value {
        let problem = self.expect(status);
        assert_eq!(text(&problem, "code"), code, "{self}");
        assert_eq!(
            text(&problem, "type"),
            format!("urn:gatewright:problem:{code}"),
            "{self}"
        );
        assert_eq!(
            problem.get("status").and_then(Value::as_u64),
            Some(u64::from(status)),
            "{self}"
        );
        assert!(!text(&problem, "title").is_empty(), "{self}");
        let kind = self.must_have("content-type");
        assert!(kind.starts_with("application/problem+json"), "{self}");
        problem
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body: String = self.text().chars().take(2_000).collect();
        write!(
            f,
            "{} answered {} {:?}\n{body}",
            self.what, self.status, self.headers
        )
    }
}

/// A text member; empty when there is none.
#[must_use]
pub fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}
