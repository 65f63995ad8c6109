//! The loop that serves a router on a listener: HTTP/1.1 and HTTP/2 without
//! TLS, bounded connections, bounded heads, and a drain at the end.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceExt;

use crate::peer::Peer;

/// The bounds of a listener.
#[derive(Debug, Clone, Copy)]
pub struct ServeBounds {
    /// Connections at once; more wait in the listener's backlog.
    pub connections: usize,
    /// From the start of a connection or the last answer to the end of a head.
    pub head_timeout: Duration,
    /// How long answers under way may take once the end has begun.
    pub drain: Duration,
}

impl Default for ServeBounds {
    fn default() -> Self {
        Self {
            connections: 4_096,
            head_timeout: Duration::from_secs(10),
            drain: Duration::from_secs(30),
        }
    }
}

/// The largest head of a request and the most fields in it (security, section 3.10).
const MAX_HEAD: usize = 32 * 1024;
const MAX_FIELDS: usize = 100;
const MAX_STREAMS: u32 = 100;
/// What a failing `accept` waits: it fails when descriptors run out, and they come back.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long the request of a connection that was accepted last may be on its way.
const LATE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` ends, then lets answers under way finish.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    bounds: ServeBounds,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(Semaphore::new(bounds.connections));
    let server = server(bounds);
    tokio::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        let Some((stream, peer, slot)) = accepted else {
            continue;
        };
        let told = router.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request
        });
        let service = TowerToHyperService::new(told);
        let connection = server
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        let watched = graceful.watch(connection);
        // The task ends with its connection, and the drain below waits for it.
        tokio::spawn(async move {
            let _slot = slot;
            if let Err(error) = watched.await {
                tracing::debug!(error = %error, "a connection ended early");
            }
        });
    }
    drop(listener);
    // Who was accepted last has hardly sent anything yet, and shall not be told to go before that.
    tokio::time::sleep(LATE).await;
    if tokio::time::timeout(bounds.drain, graceful.shutdown())
        .await
        .is_err()
    {
        let seconds = bounds.drain.as_secs();
        tracing::warn!("connections were still busy after {seconds} s of draining and are cut");
    }
}

fn server(bounds: ServeBounds) -> Builder<TokioExecutor> {
    let mut server = Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.head_timeout)
        .max_headers(MAX_FIELDS)
        .max_buf_size(MAX_HEAD);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .keep_alive_interval(Duration::from_secs(30));
    server
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> Option<(TcpStream, Peer, OwnedSemaphorePermit)> {
    // The semaphore is never closed.
    let slot = Arc::clone(slots).acquire_owned().await.ok()?;
    match listener
        .accept()
        .await
        .and_then(|(stream, peer)| stream.set_nodelay(true).map(|()| (stream, peer)))
    {
        Ok((stream, peer)) => Some((stream, Peer(peer), slot)),
        Err(error) => {
            tracing::warn!(error = %error, "a connection could not be accepted");
            tokio::time::sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::*;

    async fn start(
        router: Router,
        bounds: ServeBounds,
    ) -> (
        std::net::SocketAddr,
        oneshot::Sender<()>,
        tokio::task::JoinHandle<()>,
    ) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(serve(listener, router, bounds, async {
            stopped.await.unwrap_or(());
        }));
        (address, stop, task)
    }

    #[tokio::test]
    async fn an_answer_under_way_is_finished_before_the_end() {
        let (entered, mut is_entered) = tokio::sync::mpsc::channel(1);
        let (release, released) = oneshot::channel::<()>();
        let released = Arc::new(tokio::sync::Mutex::new(Some(released)));
        let router = Router::new().route(
            "/",
            get(move || {
                let (entered, released) = (entered.clone(), Arc::clone(&released));
                async move {
                    entered.send(()).await.unwrap();
                    let wait = released.lock().await.take().unwrap();
                    wait.await.unwrap();
                    "done"
                }
            }),
        );
        let (address, stop, task) = start(router, ServeBounds::default()).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            .await
            .unwrap();
        is_entered.recv().await.unwrap();
        stop.send(()).unwrap();
        release.send(()).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("done"),
            "{answer}"
        );
        task.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }

    #[tokio::test]
    async fn a_request_knows_where_it_comes_from() {
        let tell = |request: axum::extract::Request| async move {
            request.extensions().get::<Peer>().unwrap().0.to_string()
        };
        let (address, _stop, _task) =
            start(Router::new().route("/", get(tell)), ServeBounds::default()).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        let here = client.local_addr().unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with(&here.to_string()), "{answer}");
    }

    #[tokio::test]
    async fn a_head_that_never_ends_is_cut_off() {
        let bounds = ServeBounds {
            head_timeout: Duration::from_millis(200),
            ..ServeBounds::default()
        };
        let (address, _stop, _task) = start(Router::new(), bounds).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        let mut answer = Vec::new();
        let closed = tokio::time::timeout(Duration::from_secs(30), client.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "the connection was left open");
    }
}
