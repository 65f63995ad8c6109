//! A TCP proxy between two parts of an installation that does to bytes what a
//! bad network, a dying peer or a full machine does, and stops when told.
//!
//! Start one with the address behind it, give its own address to the part in
//! front, then [`Proxy::set`] faults at any time: they hold for new
//! connections and for those that are open. [`fault`] lists what there is;
//! `relay` does it.

pub mod fault;
mod relay;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};

use crate::proxy::fault::{Door, Faults};
use crate::wait::eventually_blocking;

/// A running proxy. It ends with everything it carries when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    faults: watch::Sender<Faults>,
    /// Each new value closes every connection that is open.
    cuts: watch::Sender<u64>,
    stop: Option<oneshot::Sender<()>>,
}

#[derive(Debug)]
struct Shared {
    target: Mutex<String>,
    /// Whether the door is as the faults want it: a listener or none.
    listening: watch::Sender<bool>,
    accepted: AtomicUsize,
    open: AtomicUsize,
}

impl Proxy {
    /// Starts one in front of `target` (`host:port`), on a thread of its own.
    ///
    /// # Panics
    /// When loopback has no free port.
    #[must_use]
    pub fn start(target: &str) -> Self {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        listener
            .set_nonblocking(true)
            .expect("a socket can be non-blocking");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            target: Mutex::new(target.to_owned()),
            listening: watch::Sender::new(true),
            accepted: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        });
        let (faults, heard) = watch::channel(Faults::default());
        let (cuts, cut) = watch::channel(0);
        let (stop, stopped) = oneshot::channel();
        let behind = Behind {
            shared: Arc::clone(&shared),
            faults: heard,
            cuts: cut,
        };
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime starts").block_on(async move {
                tokio::select! {
                    () = behind.serve(listener, address) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            shared,
            faults,
            cuts,
            stop: Some(stop),
        }
    }

    /// The same in front of a URL's host: the proxy, and the URL with the proxy in it.
    ///
    /// # Panics
    /// When the URL has no host and port.
    #[must_use]
    pub fn before(url: &str) -> (Self, String) {
        let (scheme, rest) = url.split_once("://").expect("a URL with a scheme");
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (format!("{user}@"), host),
            None => (String::new(), authority),
        };
        let proxy = Self::start(host);
        let through = format!("{scheme}://{user}{}{path}", proxy.address);
        (proxy, through)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as a base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends connections that come from now on to another address.
    pub fn retarget(&self, target: &str) {
        target.clone_into(&mut self.shared.target.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Does this from now on, in place of what it did.
    ///
    /// # Panics
    /// When the door cannot be opened or shut: its port is taken.
    pub fn set(&self, faults: Faults) {
        let wanted = faults.door == Door::Open;
        self.faults.send_replace(faults);
        let mut listening = self.shared.listening.subscribe();
        eventually_blocking(std::time::Duration::from_secs(10), "the door moves", || {
            (*listening.borrow_and_update() == wanted).then_some(())
        });
    }

    /// No fault from now on. What was stalled goes on; what was cut stays cut.
    pub fn heal(&self) {
        self.set(Faults::default());
    }

    /// Closes every connection that is open.
    pub fn cut(&self) {
        self.cuts.send_modify(|cut| *cut += 1);
    }

    /// As a stopped server looks: connections are refused, open ones are closed.
    pub fn down(&self) {
        self.set(Faults::refusing());
        self.cut();
    }

    /// As a frozen server looks: connections are taken and nothing moves on any.
    pub fn freeze(&self) {
        self.set(Faults::frozen());
    }

    /// How many connections came so far.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }

    /// How many are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop.send(()).ok();
        }
    }
}

/// The proxy as its own thread sees it.
#[derive(Clone)]
struct Behind {
    shared: Arc<Shared>,
    faults: watch::Receiver<Faults>,
    cuts: watch::Receiver<u64>,
}

impl Behind {
    async fn serve(mut self, first: std::net::TcpListener, address: SocketAddr) {
        let mut listener = Some(TcpListener::from_std(first).expect("the runtime takes the socket"));
        loop {
            let door = self.faults.borrow_and_update().door;
            match door {
                Door::Refused => listener = None,
                Door::Open if listener.is_none() => listener = Some(rebind(address).await),
                Door::Open => {}
            }
            self.shared.listening.send_replace(listener.is_some());
            tokio::select! {
                changed = self.faults.changed() => if changed.is_err() { return },
                stream = accept(listener.as_ref()) => self.carry(stream),
            }
        }
    }

    fn carry(&self, client: TcpStream) {
        let mut behind = self.clone();
        self.shared.accepted.fetch_add(1, Ordering::SeqCst);
        self.shared.open.fetch_add(1, Ordering::SeqCst);
        // Cuts that came before this connection do not concern it.
        behind.cuts.mark_unchanged();
        tokio::spawn(async move {
            let target = behind
                .shared
                .target
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            if let Ok(server) = TcpStream::connect(target).await {
                tokio::select! {
                    () = relay::carry(client, server, behind.faults.clone()) => {}
                    _ = behind.cuts.changed() => {}
                }
            }
            behind.shared.open.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            return stream;
        }
    }
}

/// The old connections of the port may still be there; a listener may come beside them.
async fn rebind(address: SocketAddr) -> TcpListener {
    loop {
        if let Ok(listener) = TcpListener::bind(address).await {
            return listener;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
