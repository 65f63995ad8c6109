//! Names of upstreams to addresses. A name that was resolved once never makes a
//! call wait again while it is in use: after [`FRESH`] it is looked up in the
//! background and the last good answer serves meanwhile (`security.md`, R23).

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, watch};

use super::target::Origin;

/// How long an answer is used without asking again.
const FRESH: Duration = Duration::from_secs(5);
/// How long an answer serves while a new one is sought. Beyond it the call
/// waits, and takes the old one only when there is no other.
const STALE: Duration = Duration::from_secs(30);
/// How long a call waits for a look-up before it takes an older answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// Look-ups at the same time.
const PARALLEL: usize = 8;
/// Names that are remembered.
const MAX_NAMES: usize = 4_096;
/// Addresses of one name that are considered.
const MAX_ADDRESSES: usize = 8;

type Addresses = Arc<[IpAddr]>;

/// The names that one worker knows.
#[derive(Debug)]
pub(crate) struct Resolver {
    names: RefCell<HashMap<Box<str>, Name>>,
    slots: Arc<Semaphore>,
}

#[derive(Debug)]
struct Name {
    known: Option<(Addresses, Instant)>,
    /// Present while a look-up is under way; it changes when that ends.
    running: Option<watch::Receiver<()>>,
}

/// The name has no address, or nobody could be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name of the upstream cannot be resolved")]
pub(crate) struct Unresolved;

impl Resolver {
    /// Knows no name yet.
    pub(crate) fn new() -> Rc<Self> {
        Rc::new(Self {
            names: RefCell::default(),
            slots: Arc::new(Semaphore::new(PARALLEL)),
        })
    }

    /// The addresses of an origin, at least one.
    ///
    /// # Errors
    /// When there is none, or none is known within [`PATIENCE`].
    pub(crate) async fn resolve(self: &Rc<Self>, origin: &Origin) -> Result<Addresses, Unresolved> {
        if let Some(literal) = origin.literal {
            return Ok(Arc::from([literal]));
        }
        if let Some((known, age)) = self.known(&origin.host) {
            if age <= FRESH {
                return Ok(known);
            }
            if age <= STALE {
                self.start(&origin.host);
                return Ok(known);
            }
        }
        let mut ended = self.start(&origin.host);
        // An error says that the look-up ended before anybody waited: its result is there.
        let waited = tokio::time::timeout(PATIENCE, ended.changed()).await;
        tracing::trace!(upstream.host = %origin.host, timed_out = waited.is_err(), "name looked up");
        self.known(&origin.host).map(|(known, _)| known).ok_or(Unresolved)
    }

    fn known(&self, host: &str) -> Option<(Addresses, Duration)> {
        let names = self.names.borrow();
        let (addresses, at) = names.get(host)?.known.as_ref()?;
        Some((Arc::clone(addresses), at.elapsed()))
    }

    /// Looks a name up unless that is under way.
    fn start(self: &Rc<Self>, host: &str) -> watch::Receiver<()> {
        let mut names = self.names.borrow_mut();
        if let Some(running) = names.get(host).and_then(|name| name.running.clone()) {
            return running;
        }
        if names.len() >= MAX_NAMES {
            names.retain(|_, name| {
                name.running.is_some() || name.known.as_ref().is_some_and(|(_, at)| at.elapsed() <= STALE)
            });
        }
        let (done, running) = watch::channel(());
        let name = names.entry(host.into()).or_insert(Name {
            known: None,
            running: None,
        });
        name.running = Some(running.clone());
        // The task ends with its look-up, which the system's resolver bounds.
        tokio::task::spawn_local(Rc::clone(self).look_up(host.into(), done));
        running
    }

    async fn look_up(self: Rc<Self>, host: Box<str>, done: watch::Sender<()>) {
        let found = match self.slots.acquire().await {
            Ok(_slot) => tokio::net::lookup_host((&*host, 0)).await,
            Err(closed) => Err(std::io::Error::other(closed)),
        };
        let mut names = self.names.borrow_mut();
        let Some(name) = names.get_mut(&*host) else { return };
        name.running = None;
        match found {
            Ok(found) => {
                let addresses: Addresses = found.map(|found| found.ip()).take(MAX_ADDRESSES).collect();
                if !addresses.is_empty() {
                    name.known = Some((addresses, Instant::now()));
                }
            }
            Err(error) => tracing::warn!(upstream.host = %host, %error, "name not resolved"),
        }
        if name.known.is_none() {
            names.remove(&*host);
        }
        drop(names);
        done.send_replace(());
    }
}

/// The address with the origin's port.
pub(crate) fn at(address: IpAddr, origin: &Origin) -> SocketAddr {
    SocketAddr::new(address, origin.port)
}
