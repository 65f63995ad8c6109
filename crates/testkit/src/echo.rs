//! An upstream that records what reaches it and answers as the query says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const KEPT: usize = 10_000;

/// One request as the upstream saw it.
#[derive(Debug, Clone)]
pub struct Received {
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// All fields, in order, with lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Received {
    /// The first value of a field.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// How often a field came.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.headers.iter().filter(|(known, _)| known == name).count()
    }
}

/// The running upstream. Its query parameters rule its answers:
/// `echo_status=503`, `echo_delay_ms=200`, `echo_header=name:value` (repeatable),
/// `echo_bytes=100000` (a body of that size in place of the JSON).
pub struct Echo {
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    stop: Option<oneshot::Sender<()>>,
}

impl Echo {
    /// Starts it on a thread of its own, so that it outlives single tests.
    ///
    /// # Panics
    /// When loopback has no free port.
    #[must_use]
    pub fn start() -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        listener
            .set_nonblocking(true)
            .expect("a socket can be non-blocking");
        let address = listener.local_addr().expect("a bound socket has an address");
        let received = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = oneshot::channel();
        let kept = Arc::clone(&received);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime starts").block_on(async move {
                tokio::select! {
                    () = serve(listener, kept) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            received,
            stop: Some(stop),
        }
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Everything that came so far (at most 10,000 requests are kept).
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Those requests whose target contains `part`: tests that share an echo mark theirs.
    #[must_use]
    pub fn received_with(&self, part: &str) -> Vec<Received> {
        let mut all = self.received();
        all.retain(|request| request.target.contains(part));
        all
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
    }
}

async fn serve(listener: std::net::TcpListener, kept: Arc<Mutex<Vec<Received>>>) {
    let listener = TcpListener::from_std(listener).expect("the runtime takes the socket");
    while let Ok((stream, _)) = listener.accept().await {
        let kept = Arc::clone(&kept);
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, Arc::clone(&kept)));
            let connection = hyper::server::conn::http1::Builder::new();
            connection
                .serve_connection(TokioIo::new(stream), service)
                .await
                .ok();
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    kept: Arc<Mutex<Vec<Received>>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect();
    let received = Received {
        method: head.method.to_string(),
        target: head.uri.to_string(),
        headers,
        body,
    };
    let answer = describe(&received);
    let delay = parameters(&received.target, "echo_delay_ms")
        .next()
        .and_then(|text| text.parse().ok());
    {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(received);
        }
    }
    if let Some(delay) = delay {
        tokio::time::sleep(Duration::from_millis(delay)).await;
    }
    Ok(answer)
}

fn describe(received: &Received) -> Response<Full<Bytes>> {
    let status = parameters(&received.target, "echo_status").next();
    let mut response = Response::builder()
        .status(status.and_then(|text| text.parse::<u16>().ok()).unwrap_or(200))
        .header("content-type", "application/json");
    for field in parameters(&received.target, "echo_header") {
        if let Some((name, value)) = field.split_once(':') {
            response = response.header(name, value);
        }
    }
    let size = parameters(&received.target, "echo_bytes")
        .next()
        .and_then(|text| text.parse().ok());
    let body = size.map_or_else(
        || Bytes::from(as_json(received).to_string()),
        |size| Bytes::from(vec![b'x'; size]),
    );
    response
        .body(Full::new(body))
        .expect("the test asked for a valid answer")
}

fn as_json(received: &Received) -> Value {
    let headers: serde_json::Map<String, Value> = received
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), Value::from(value.as_str())))
        .collect();
    json!({
        "method": received.method,
        "target": received.target,
        "headers": headers,
        "body": String::from_utf8_lossy(&received.body),
    })
}

fn parameters<'a>(target: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    query.split('&').filter_map(move |pair| {
        pair.split_once('=')
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
    })
}
