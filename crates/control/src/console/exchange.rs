//! One call to the gateway and its answer. The address is the operator's, so no
//! address rule is asked; redirects are handed on and never followed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use gatewright_model::secret::SecretText;
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use url::Url;

use super::headers::API_KEY;
use super::{Call, CallHeaders};
use crate::fetch::Fetcher;

/// How long a call may take, from the connection to the end of its answer.
/// Shorter than what the pages' own requests may take, so that a call that
/// hangs still gets its page.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The largest body that can be sent: 10 MB.
pub const MAX_BODY: usize = 10_000_000;
/// How much of an answer is shown: 256 KiB.
pub const SHOWN: usize = 256 * 1024;
/// Where the gateway says how long the upstream took, in microseconds.
const UPSTREAM_TIME: HeaderName = HeaderName::from_static("gatewright-upstream-time");
const AGENT: HeaderValue =
    HeaderValue::from_static(concat!("gatewright-console/", env!("CARGO_PKG_VERSION")));

/// Where a call goes.
pub(super) struct Target<'a> {
    /// The gateway's public address.
    pub(super) public: &'a str,
    /// Where the gateway of this process listens.
    pub(super) local: Option<SocketAddr>,
    /// What stands behind the address, encoded.
    pub(super) below: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub headers: HeaderMap,
    /// Its body, at most [`SHOWN`] bytes of it.
    pub body: Bytes,
    /// How the reading of the body ended.
    pub ended: Ended,
    /// From the connection to the last byte that was read.
    pub took: Duration,
    /// Until the upstream answered, as the gateway saw it; only it knows.
    pub upstream: Option<Duration>,
}

/// How the reading of an answer's body ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// At its end.
    Whole,
    /// Where no more of it is shown.
    Cut,
    /// When the time was over.
    TimedOut,
    /// The connection broke.
    Broken,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The gateway's address cannot be called.
    #[error("the gateway's address {0} cannot be called from the portal")]
    Address(String),
    /// Its name has no address.
    #[error("the gateway's name {0} could not be resolved")]
    Unresolved(String),
    /// Nobody listens there.
    #[error("the gateway at {0} did not accept a connection")]
    Refused(String),
    /// No TLS connection.
    #[error("the gateway at {0} could not be verified: its certificate is not trusted by the portal")]
    Untrusted(String),
    /// The connection ended before the answer.
    #[error("the gateway at {0} closed the connection before it answered")]
    Broken(String),
    /// It took too long.
    #[error("no answer within 60 seconds")]
    TimedOut,
}

/// Sends a call.
pub(super) async fn send(
    fetcher: &Fetcher,
    target: &Target<'_>,
    method: &str,
    call: Call,
    key: &SecretText,
) -> Result<Answer, Failure> {
    let started = Instant::now();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let public = Url::parse(target.public).map_err(|_| Failure::Address(target.public.to_owned()))?;
    let request = request(&public, target, method, call, key)
        .ok_or_else(|| Failure::Address(target.public.to_owned()))?;
    let exchange = exchange(fetcher, &public, target.local, request);
    let response = timeout_at(deadline, exchange)
        .await
        .map_err(|_| Failure::TimedOut)??;
    let (parts, body) = response.into_parts();
    let (body, ended) = read(body, deadline).await;
    let mut headers = parts.headers;
    let upstream = headers.remove(&UPSTREAM_TIME).and_then(|value| micros(&value));
    Ok(Answer {
        status: parts.status,
        headers,
        body,
        ended,
        took: started.elapsed(),
        upstream,
    })
}

fn micros(value: &HeaderValue) -> Option<Duration> {
    Some(Duration::from_micros(value.to_str().ok()?.parse().ok()?))
}

fn request(
    public: &Url,
    target: &Target<'_>,
    method: &str,
    call: Call,
    key: &SecretText,
) -> Option<Request<Full<Bytes>>> {
    // A gateway of this process stands below the path that a proxy in front of it would take off.
    let prefix = match target.local {
        Some(_) => "",
        None => public.path().trim_end_matches('/'),
    };
    let mark = if call.query.is_empty() { "" } else { "?" };
    let uri = [prefix, &target.below, mark, &call.query].concat();
    let mut headers = defaults(call.headers).into_map();
    headers.insert(HOST, HeaderValue::from_str(&authority(public)?).ok()?);
    let mut value = HeaderValue::from_str(key.expose().trim()).ok()?;
    value.set_sensitive(true);
    headers.insert(API_KEY, value);
    let mut request = Request::new(Full::new(call.body));
    *request.method_mut() = Method::from_bytes(method.as_bytes()).ok()?;
    *request.uri_mut() = uri.parse().ok()?;
    *request.headers_mut() = headers;
    Some(request)
}

fn defaults(mut headers: CallHeaders) -> CallHeaders {
    headers.or_add(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
    headers.or_add(USER_AGENT, AGENT);
    headers
}

fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(
        url.port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
    )
}

async fn exchange(
    fetcher: &Fetcher,
    public: &Url,
    local: Option<SocketAddr>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>, Failure> {
    let shown = public.as_str().trim_end_matches('/').to_owned();
    if let Some(local) = local {
        let stream = connect(&[reachable(local)], &shown).await?;
        return over(stream, request, shown).await;
    }
    let address = || Failure::Address(shown.clone());
    let host = public.host_str().ok_or_else(address)?;
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let port = public.port_or_known_default().ok_or_else(address)?;
    let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), port))
        .await
        .map_err(|_| Failure::Unresolved(name.clone()))?
        .collect();
    let stream = connect(&found, &shown).await?;
    if public.scheme() != "https" {
        return over(stream, request, shown).await;
    }
    let server = ServerName::try_from(name).map_err(|_| address())?;
    let secured = fetcher.tls().connect(server, stream).await;
    let secured = secured.map_err(|_| Failure::Untrusted(shown.clone()))?;
    over(secured, request, shown).await
}

async fn connect(addresses: &[SocketAddr], shown: &str) -> Result<TcpStream, Failure> {
    TcpStream::connect(addresses)
        .await
        .map_err(|_| Failure::Refused(shown.to_owned()))
}

/// A listener on every address is reached on this machine's own.
fn reachable(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, listening.port())
}

async fn over<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    shown: String,
) -> Result<Response<Incoming>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken = |_: hyper::Error| Failure::Broken(shown.clone());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    // The connection ends with its only exchange: when the answer is read or dropped.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "the connection of a tried call ended early");
        }
    });
    sender.send_request(request).await.map_err(broken)
}

async fn read(mut body: Incoming, deadline: tokio::time::Instant) -> (Bytes, Ended) {
    let mut shown = BytesMut::new();
    let ended = loop {
        match timeout_at(deadline, body.frame()).await {
            Err(_) => break Ended::TimedOut,
            Ok(None) => break Ended::Whole,
            Ok(Some(Err(_))) => break Ended::Broken,
            Ok(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    shown.extend_from_slice(&data);
                }
                if shown.len() > SHOWN {
                    shown.truncate(SHOWN);
                    break Ended::Cut;
                }
            }
        }
    };
    (shown.freeze(), ended)
}

#[cfg(test)]
mod tests {
    use gatewright_model::address::AddressPolicy;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::console::Proof;

    /// Answers one request with this text and gives back what was asked.
    async fn gateway(answer: Vec<u8>) -> (SocketAddr, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = vec![0_u8; 8192];
            let read = stream.read(&mut head).await.unwrap();
            stream.write_all(&answer).await.unwrap();
            stream.shutdown().await.unwrap();
            String::from_utf8_lossy(&head[..read]).into_owned()
        });
        (address, asked)
    }

    fn call() -> Call {
        Call {
            path: "/items/a%2Fb".to_owned(),
            query: "q=1".to_owned(),
            headers: CallHeaders::default(),
            body: Bytes::new(),
            proof: Proof::Nothing,
        }
    }

    async fn tried(public: &str, local: Option<SocketAddr>) -> Result<Answer, Failure> {
        let fetcher = Fetcher::new(AddressPolicy::default());
        let target = Target {
            public,
            local,
            below: "/shop/v1/items/a%2Fb".to_owned(),
        };
        let key = SecretText::new("gwc_token".to_owned());
        send(&fetcher, &target, "GET", call(), &key).await
    }

    #[tokio::test]
    async fn the_local_gateway_is_asked_under_its_public_name() {
        let answer = "HTTP/1.1 302 Found\r\nlocation: http://elsewhere/\r\ngatewright-upstream-time: 1500\r\ncontent-length: 2\r\n\r\nhi";
        let (address, asked) = gateway(answer.into()).await;
        let answer = tried("https://api.example.com/gw", Some(address)).await.unwrap();
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (302, &b"hi"[..]));
        assert_eq!(answer.upstream, Some(Duration::from_micros(1500)));
        assert_eq!(answer.ended, Ended::Whole);
        assert!(!answer.headers.contains_key(&UPSTREAM_TIME));
        let asked = asked.await.unwrap();
        assert!(
            asked.starts_with("GET /shop/v1/items/a%2Fb?q=1 HTTP/1.1\r\n"),
            "{asked}"
        );
        let asked = asked.to_lowercase();
        assert!(asked.contains("host: api.example.com\r\n"), "{asked}");
        assert!(asked.contains("x-api-key: gwc_token\r\n"), "{asked}");
        assert!(!asked.contains("cookie"), "{asked}");
    }

    #[tokio::test]
    async fn a_gateway_elsewhere_keeps_the_path_of_its_address() {
        let (address, asked) = gateway(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()).await;
        let answer = tried(&format!("http://{address}/gw"), None).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.upstream), (204, None));
        assert!(
            asked
                .await
                .unwrap()
                .starts_with("GET /gw/shop/v1/items/a%2Fb?q=1 ")
        );
    }

    #[tokio::test]
    async fn a_long_answer_is_cut_and_a_broken_one_says_so() {
        let mut long = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", SHOWN + 10).into_bytes();
        long.resize(long.len() + SHOWN + 10, b'x');
        let (address, _asked) = gateway(long).await;
        let answer = tried("http://gw.test", Some(address)).await.unwrap();
        assert_eq!((answer.body.len(), answer.ended), (SHOWN, Ended::Cut));
        let (address, _asked) = gateway(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec()).await;
        let answer = tried("http://gw.test", Some(address)).await.unwrap();
        assert_eq!((&answer.body[..], answer.ended), (&b"half"[..], Ended::Broken));
    }

    #[tokio::test]
    async fn failures_say_what_is_wrong_with_the_gateway() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = listener.local_addr().unwrap();
        drop(listener);
        let refused = tried("http://gw.test/", Some(closed)).await.unwrap_err();
        assert_eq!(refused, Failure::Refused("http://gw.test".to_owned()));
        let unresolved = tried("http://no-such-host.invalid", None).await.unwrap_err();
        assert_eq!(unresolved, Failure::Unresolved("no-such-host.invalid".to_owned()));
        let (address, _asked) = gateway(Vec::new()).await;
        let broken = tried("http://gw.test", Some(address)).await.unwrap_err();
        assert!(matches!(broken, Failure::Broken(_)), "{broken}");
    }
}
