//! The one client for addresses that a user names: import URLs and external
//! references. Every hop is resolved, checked against the address rule, and
//! connected to exactly the address that was checked, so that a second DNS
//! answer cannot lead elsewhere. It knows no proxy and follows at most three
//! redirects, each checked anew.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright_model::address::AddressPolicy;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

/// The most bytes that are read from one address.
pub const MAX_BYTES: usize = 24 * 1024 * 1024;
const MAX_REDIRECTS: usize = 3;
const WITHIN: Duration = Duration::from_secs(20);

/// Why an address could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// Not `http` or `https`, or it carries a user name.
    #[error("only http and https addresses without a user name can be fetched")]
    Address,
    /// The address rule forbids it.
    #[error("{0} is at a private or reserved address, which this installation does not fetch from")]
    Forbidden(String),
    /// The name has no address.
    #[error("{0} could not be resolved")]
    Unresolved(String),
    /// No connection, or no valid answer.
    #[error("{0} could not be reached")]
    Unreachable(String),
    /// An answer other than 200.
    #[error("{url} answered {status}")]
    Status {
        /// The address that answered.
        url: String,
        /// What it answered.
        status: u16,
    },
    /// More bytes than the bound.
    #[error("the answer is larger than 24 MiB")]
    TooLarge,
    /// It did not end in time.
    #[error("the answer did not arrive within 20 seconds")]
    TimedOut,
    /// More than three redirects.
    #[error("more than three redirects")]
    Redirects,
}

/// Reads documents from addresses that users name.
#[derive(Clone)]
pub struct Fetcher {
    policy: Arc<AddressPolicy>,
    tls: TlsConnector,
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

enum Hop {
    Done(Bytes),
    Redirect(Url),
}

impl Fetcher {
    /// A fetcher that reaches what the policy permits.
    #[must_use]
    pub fn new(policy: AddressPolicy) -> Self {
        let roots = rustls::RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        };
        let config = rustls::ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            policy: Arc::new(policy),
            tls: TlsConnector::from(Arc::new(config)),
        }
    }

    /// Opens TLS connections to servers whose certificates the public authorities vouch for.
    pub(crate) const fn tls(&self) -> &TlsConnector {
        &self.tls
    }

    /// Reads what stands at an address.
    ///
    /// # Errors
    /// [`FetchError`] says what to mend.
    pub async fn get(&self, url: &Url) -> Result<Bytes, FetchError> {
        self.get_within(url, MAX_BYTES).await.map(|(_, body)| body)
    }

    /// The same with a bound of the caller's; also says where it was in the end, after redirects.
    ///
    /// # Errors
    /// As [`Fetcher::get`].
    pub async fn get_within(&self, url: &Url, max_bytes: usize) -> Result<(Url, Bytes), FetchError> {
        let follow = self.follow(url.clone(), max_bytes);
        tokio::time::timeout(WITHIN, follow)
            .await
            .map_err(|_| FetchError::TimedOut)?
    }

    async fn follow(&self, mut url: Url, max_bytes: usize) -> Result<(Url, Bytes), FetchError> {
        for _ in 0..=MAX_REDIRECTS {
            match self.hop(&url, max_bytes).await? {
                Hop::Done(bytes) => return Ok((url, bytes)),
                Hop::Redirect(next) => url = next,
            }
        }
        Err(FetchError::Redirects)
    }

    async fn hop(&self, url: &Url, max_bytes: usize) -> Result<Hop, FetchError> {
        let unreachable = || FetchError::Unreachable(shown(url));
        let answer = self.send(url).await?;
        match answer.status() {
            StatusCode::OK => read(answer, max_bytes).await.map(Hop::Done),
            status if status.is_redirection() => {
                let target = answer
                    .headers()
                    .get(header::LOCATION)
                    .and_then(|value| value.to_str().ok());
                let next = target.and_then(|target| url.join(target).ok());
                next.map(Hop::Redirect).ok_or_else(unreachable)
            }
            status => Err(FetchError::Status {
                url: shown(url),
                status: status.as_u16(),
            }),
        }
    }

    async fn send(&self, url: &Url) -> Result<Response<Incoming>, FetchError> {
        let unreachable = || FetchError::Unreachable(shown(url));
        let (address, host) = self.resolve(url).await?;
        let stream = TcpStream::connect(address).await.map_err(|_| unreachable())?;
        let request = request(url).ok_or(FetchError::Address)?;
        if url.scheme() == "https" {
            let name = ServerName::try_from(host).map_err(|_| FetchError::Address)?;
            let stream = self.tls.connect(name, stream).await.map_err(|_| unreachable())?;
            exchange(stream, request).await.map_err(|_| unreachable())
        } else {
            exchange(stream, request).await.map_err(|_| unreachable())
        }
    }

    async fn resolve(&self, url: &Url) -> Result<(SocketAddr, String), FetchError> {
        let plain =
            matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none();
        let (Some(host), Some(port), true) = (url.host(), url.port_or_known_default(), plain) else {
            return Err(FetchError::Address);
        };
        let name = match host {
            Host::Domain(name) => name.trim_end_matches('.').to_owned(),
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
        };
        let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), port))
            .await
            .map_err(|_| FetchError::Unresolved(name.clone()))?
            .collect();
        // One bad address among good ones is an attempt to slip through: refuse the name as a whole.
        if !found.iter().all(|address| self.policy.permits(address.ip())) {
            return Err(FetchError::Forbidden(name));
        }
        let first = found
            .first()
            .copied()
            .ok_or_else(|| FetchError::Unresolved(name.clone()))?;
        Ok((first, name))
    }
}

/// The address without its query, which may hold a secret.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

fn request(url: &Url) -> Option<Request<Empty<Bytes>>> {
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let host = match url.port() {
        Some(port) => format!("{}:{port}", url.host_str()?),
        None => url.host_str()?.to_owned(),
    };
    Request::get(target)
        .header(header::HOST, host)
        .header(
            header::ACCEPT,
            "application/json, application/yaml, text/yaml, */*;q=0.5",
        )
        .header(
            header::USER_AGENT,
            concat!("gatewright/", env!("CARGO_PKG_VERSION")),
        )
        .body(Empty::new())
        .ok()
}

async fn exchange<S>(stream: S, request: Request<Empty<Bytes>>) -> hyper::Result<Response<Incoming>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // The connection ends with its only exchange: when the answer is read or dropped.
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = %error, "a fetched connection ended early");
        }
    });
    sender.send_request(request).await
}

async fn read(answer: Response<Incoming>, max_bytes: usize) -> Result<Bytes, FetchError> {
    match Limited::new(answer.into_body(), max_bytes).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(FetchError::TooLarge),
        Err(_) => Err(FetchError::Unreachable("the answer's end".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn serve(answers: Vec<String>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = [0_u8; 4096];
                let read = stream.read(&mut head).await.unwrap();
                assert!(head[..read].starts_with(b"GET "));
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        address
    }

    fn local() -> Fetcher {
        Fetcher::new(AddressPolicy {
            private: false,
            allow: vec!["127.0.0.0/8".parse().unwrap()],
        })
    }

    fn url(address: SocketAddr) -> Url {
        format!("http://{address}/openapi.json?token=hush")
            .parse()
            .unwrap()
    }

    #[tokio::test]
    async fn reads_a_document_and_follows_a_redirect() {
        let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned();
        let moved = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n".to_owned();
        let address = serve(vec![moved, ok]).await;
        assert_eq!(local().get(&url(address)).await.unwrap(), "{}");
    }

    #[tokio::test]
    async fn private_places_and_redirects_to_them_are_refused() {
        let closed = Fetcher::new(AddressPolicy::default());
        for text in [
            "http://127.0.0.1/",
            "http://[::1]/",
            "http://0x7f.1/",
            "http://2130706433/",
            "http://localhost/",
        ] {
            let refused = closed.get(&text.parse().unwrap()).await.unwrap_err();
            assert!(matches!(refused, FetchError::Forbidden(_)), "{text}: {refused}");
        }
        let metadata =
            "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest\r\ncontent-length: 0\r\n\r\n";
        let address = serve(vec![metadata.to_owned()]).await;
        let refused = local().get(&url(address)).await.unwrap_err();
        assert_eq!(refused, FetchError::Forbidden("169.254.169.254".to_owned()));
        assert_eq!(
            closed.get(&"file:///etc/passwd".parse().unwrap()).await,
            Err(FetchError::Address)
        );
        assert_eq!(
            closed.get(&"http://a:b@example.com/".parse().unwrap()).await,
            Err(FetchError::Address)
        );
    }

    #[tokio::test]
    async fn errors_name_the_place_without_its_query() {
        let missing = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned();
        let address = serve(vec![missing]).await;
        let refused = local().get(&url(address)).await.unwrap_err().to_string();
        assert_eq!(refused, format!("http://{address}/openapi.json answered 404"));
    }

    #[tokio::test]
    async fn a_redirect_loop_ends() {
        let again = "HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n".to_owned();
        let address = serve(vec![again; 4]).await;
        assert_eq!(local().get(&url(address)).await, Err(FetchError::Redirects));
    }
}
