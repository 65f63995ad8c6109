//! New connections to upstreams.

use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::io::Stream;
use super::line::Line;
use super::own::OwnListeners;
use super::resolve::{self, Resolver};
use super::target::Origin;
use crate::rejection::Rejection;

/// Why no connection was made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The name has no address.
    #[error(transparent)]
    Unresolved(#[from] resolve::Unresolved),
    /// An address of the name may not be connected to.
    #[error("the address rule forbids {0}")]
    Forbidden(std::net::SocketAddr),
    /// Nobody answered in time.
    #[error("no connection in time")]
    TimedOut,
    /// The other side refused, or its certificate is not valid.
    #[error("{0}")]
    Refused(#[source] io::Error),
}

impl ConnectError {
    /// How it is answered.
    pub(crate) fn rejection(&self) -> Rejection {
        match self {
            Self::TimedOut => Rejection::UpstreamTimeout,
            _ => Rejection::UpstreamUnreachable,
        }
    }
}

/// What a worker makes connections with.
#[derive(Debug)]
pub(crate) struct Connector {
    resolver: Rc<Resolver>,
    own: OwnListeners,
    tls: Arc<ClientConfig>,
}

impl Connector {
    /// `tls` is shared by all workers, so that sessions are resumed across them.
    pub(crate) fn new(own: OwnListeners, tls: Arc<ClientConfig>) -> Self {
        Self {
            resolver: Resolver::new(),
            own,
            tls,
        }
    }

    /// Connects within `limit`, TLS included.
    ///
    /// # Errors
    /// Says why there is no connection.
    pub(crate) async fn connect(&self, origin: &Arc<Origin>, limit: Duration) -> Result<Line, ConnectError> {
        let stream = tokio::time::timeout(limit, self.open(origin))
            .await
            .map_err(|_| ConnectError::TimedOut)??;
        Ok(Line::new(stream, Arc::clone(origin)))
    }

    async fn open(&self, origin: &Origin) -> Result<Stream, ConnectError> {
        let addresses = self.resolver.resolve(origin).await?;
        // One forbidden address spoils the name: what it answers next is up to its owner.
        for address in addresses.iter() {
            let address = resolve::at(*address, origin);
            if !origin.policy.permits(address.ip()) || self.own.holds(address) {
                tracing::warn!(upstream.host = %origin.host, upstream.address = %address, "address refused");
                return Err(ConnectError::Forbidden(address));
            }
        }
        let mut failure = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses.iter() {
            match TcpStream::connect(resolve::at(*address, origin)).await {
                Ok(stream) => return self.secure(stream, origin).await.map_err(ConnectError::Refused),
                Err(error) => failure = error,
            }
        }
        Err(ConnectError::Refused(failure))
    }

    async fn secure(&self, stream: TcpStream, origin: &Origin) -> io::Result<Stream> {
        stream.set_nodelay(true)?;
        let Some(name) = &origin.tls else {
            return Ok(Stream::Plain(stream));
        };
        let stream = TlsConnector::from(Arc::clone(&self.tls))
            .connect(name.clone(), stream)
            .await?;
        Ok(Stream::Tls(Box::new(stream)))
    }
}

/// TLS to upstreams: the roots that browsers trust, and those of the operator.
///
/// # Errors
/// When a root is no certificate, or the crypto provider lacks what TLS needs.
pub(crate) fn tls_config(
    extra_roots: &[CertificateDer<'static>],
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    for root in extra_roots {
        roots.add(root.clone())?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
