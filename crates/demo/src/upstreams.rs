//! Starts and stops the four services.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::catalog::Catalog;
use crate::exchange::{Answer, Call};
use crate::inventory::Inventory;
use crate::orders::Orders;
use crate::payments::Payments;

/// No service takes a larger body.
const LARGEST_BODY: usize = 64 * 1024;
/// No service holds more connections at once.
const MOST_CONNECTIONS: usize = 512;
/// A request head takes no longer.
const HEAD: Duration = Duration::from_secs(10);
/// Calls under way may take this long when the services stop.
pub(crate) const DRAIN: Duration = Duration::from_secs(5);

/// Where the services listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Orders of the shop.
    pub orders: SocketAddr,
    /// Its products, in two versions.
    pub catalog: SocketAddr,
    /// What is in stock.
    pub inventory: SocketAddr,
    /// What was paid.
    pub payments: SocketAddr,
}

/// The ports of an earlier start. Upstream addresses are stored, so a restart
/// takes the same ports again where they are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WantedPorts {
    /// For orders; 0 is any.
    pub orders: u16,
    /// For the catalogue; 0 is any.
    pub catalog: u16,
    /// For the inventory; 0 is any.
    pub inventory: u16,
    /// For payments; 0 is any.
    pub payments: u16,
}

/// The running services.
#[derive(Debug)]
pub struct Upstreams {
    addresses: Addresses,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Upstreams {
    /// Starts all four on loopback.
    ///
    /// # Errors
    /// When loopback has no free port.
    pub async fn start(wanted: WantedPorts) -> io::Result<Self> {
        let orders = listen(wanted.orders).await?;
        let catalog = listen(wanted.catalog).await?;
        let inventory = listen(wanted.inventory).await?;
        let payments = listen(wanted.payments).await?;
        let addresses = Addresses {
            orders: orders.local_addr()?,
            catalog: catalog.local_addr()?,
            inventory: inventory.local_addr()?,
            payments: payments.local_addr()?,
        };
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(orders, Arc::new(Orders::new()), stop.clone()));
        tasks.spawn(serve(catalog, Arc::new(Catalog), stop.clone()));
        tasks.spawn(serve(inventory, Arc::new(Inventory::new()), stop.clone()));
        tasks.spawn(serve(payments, Arc::new(Payments::new()), stop.clone()));
        Ok(Self {
            addresses,
            stop,
            tasks,
        })
    }

    /// Where they listen.
    #[must_use]
    pub const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Takes no new connection, lets calls under way end, and waits for that, at most 5 s.
    pub async fn stop(mut self) {
        self.stop.cancel();
        let ended =
            tokio::time::timeout(DRAIN, async { while self.tasks.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!("calls to the demo services were cut off");
        }
    }
}

/// What the four have in common.
pub(crate) trait Service: Send + Sync + 'static {
    /// Answers one call.
    fn answer(&self, call: &Call<'_>) -> Answer;
}

pub(crate) async fn listen(wanted: u16) -> io::Result<TcpListener> {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, wanted)).await {
        Err(_) if wanted != 0 => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await,
        outcome => outcome,
    }
}

pub(crate) async fn serve<S: Service>(listener: TcpListener, service: Arc<S>, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&service), stop.clone()));
                }
                Err(error) => {
                    tracing::warn!(error = %error, "a demo service cannot accept a connection");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn connection<S: Service>(stream: TcpStream, service: Arc<S>, stop: CancellationToken) {
    let handler = service_fn(move |request| handle(request, Arc::clone(&service)));
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let mut connection = std::pin::pin!(http.serve_connection(TokioIo::new(stream), handler));
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        tracing::debug!(error = %error, "a connection to a demo service broke");
    }
}

async fn handle<S: Service>(
    request: Request<Incoming>,
    service: Arc<S>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let (head, body) = request.into_parts();
    let answer = match Limited::new(body, LARGEST_BODY).collect().await {
        Ok(body) => service.answer(&Call {
            method: &head.method,
            path: head
                .uri
                .path()
                .split('/')
                .filter(|part| !part.is_empty())
                .collect(),
            query: head.uri.query().unwrap_or_default(),
            body: &body.to_bytes(),
        }),
        Err(_) => Answer::problem(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too_large",
            "A body has at most 64 KiB.",
        ),
    };
    Ok(answer.into())
}
