//! Taking over from a running process without losing a connection (ADR 0010).
//!
//! The process that serves a data directory has a [`Desk`] there, a Unix
//! socket. Who takes over asks at it ([`claim`]) and is given the listening
//! sockets and the lock on the directory. Both serve the same sockets until the
//! new one says that it serves; only then the old one drains. When the new one
//! ends before that, the old one goes on as if nothing had been.

pub(crate) mod successor;
mod wire;

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use gatewright_config::DataDirLock;
use tokio::net::{UnixListener, UnixStream};
use tokio::time::timeout;

pub(crate) use self::wire::Purpose;
use self::wire::{Answer, Claim, Done, FORM, Listed, receive, send};
use crate::failure::Failure;
use crate::serve::listeners::no_copies;

/// The socket of the desk, in the data directory.
const SOCKET: &str = "take-over.sock";
/// How long a process that came to the desk may take to say what it wants.
const HELLO: Duration = Duration::from_secs(5);
/// How long the running process may take to make its offer.
const OFFER: Duration = Duration::from_secs(60);
/// After an error at the desk.
const PAUSE: Duration = Duration::from_secs(1);

/// A listening socket and what it is for.
#[derive(Debug)]
pub(crate) struct Socket {
    /// What it is for.
    pub(crate) purpose: Purpose,
    /// The address as it was configured; its port may be 0.
    pub(crate) configured: SocketAddr,
    /// Another descriptor of the socket that is served.
    pub(crate) listener: TcpListener,
}

impl Socket {
    /// One more descriptor.
    pub(crate) fn copy(&self) -> Result<Self, Failure> {
        let listener = self.listener.try_clone().map_err(|error| no_copies(&error))?;
        Ok(Self { listener, ..*self })
    }

    /// The socket of the sample service, whose address no setting names.
    pub(crate) const fn of_sample(listener: TcpListener) -> Self {
        Self {
            purpose: Purpose::Sample,
            configured: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0),
            listener,
        }
    }
}

/// What the process before left to this one, which may be nothing.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    sockets: Vec<Socket>,
    lock: Option<OwnedFd>,
    link: Option<Link>,
}

/// The conversation with the process before.
#[derive(Debug)]
pub(crate) struct Link {
    stream: UnixStream,
    pid: u32,
}

impl Inherited {
    /// The socket for this purpose, when the one before was configured alike.
    pub(crate) fn socket(&mut self, purpose: Purpose, configured: SocketAddr) -> Option<TcpListener> {
        let wanted = |socket: &Socket| socket.purpose == purpose && socket.configured == configured;
        let place = self.sockets.iter().position(wanted)?;
        Some(self.sockets.swap_remove(place).listener)
    }

    /// The first socket for this purpose, wherever it listens.
    pub(crate) fn any_socket(&mut self, purpose: Purpose) -> Option<TcpListener> {
        let place = self.sockets.iter().position(|socket| socket.purpose == purpose)?;
        Some(self.sockets.swap_remove(place).listener)
    }

    /// The lock on the data directory: the one that was handed over, else a new one.
    ///
    /// # Errors
    /// When somebody else has it, or the directory cannot be used.
    pub(crate) fn lock(&mut self, data_dir: &Path) -> Result<DataDirLock, Failure> {
        Ok(match self.lock.take() {
            Some(lock) => DataDirLock::inherit(lock, data_dir)?,
            None => DataDirLock::acquire(data_dir)?,
        })
    }

    /// The conversation, when there is a process to take over from. What has
    /// not been asked for by now is closed.
    pub(crate) fn into_link(self) -> Option<Link> {
        self.link
    }
}

impl Link {
    /// Tells the process before that this one serves, so that it drains.
    pub(crate) async fn serving(mut self) {
        match send(&mut self.stream, &Done::Serving, &[]).await {
            Ok(()) => tracing::info!({ "process.id" } = self.pid, "took over from the process before"),
            // It has ended by itself, and everything is here already.
            Err(error) => tracing::debug!(%error, "the process before did not wait"),
        }
    }
}

/// Asks the process that serves this data directory to hand over. Nothing when nobody serves it.
///
/// # Errors
/// When it refuses, or the conversation fails.
pub(crate) async fn claim(data_dir: &Path) -> Result<Inherited, Failure> {
    let mut stream = match UnixStream::connect(data_dir.join(SOCKET)).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
            tracing::info!("there is no process to take over from: this is a start like any other");
            return Ok(Inherited::default());
        }
        Err(error) => return Err(failed(data_dir, &error)),
    };
    let claim = Claim {
        form: FORM,
        pid: std::process::id(),
    };
    let asked = async {
        send(&mut stream, &claim, &[]).await?;
        receive::<Answer>(&stream).await
    };
    let answered = timeout(OFFER, asked).await;
    let answered = answered.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
    match answered.map_err(|error| failed(data_dir, &error))? {
        (Answer::Offered { pid, sockets }, descriptors) => {
            let (lock, sockets) = sorted(&sockets, descriptors).map_err(|error| failed(data_dir, &error))?;
            Ok(Inherited {
                sockets,
                lock: Some(lock),
                link: Some(Link { stream, pid }),
            })
        }
        (Answer::Refused { reason }, _) => Err(Failure::taken(format!(
            "the process that serves {data_dir:?} does not hand over: {reason}"
        ))),
    }
}

/// The lock and the sockets of an offer.
fn sorted(listed: &[Listed], descriptors: Vec<OwnedFd>) -> io::Result<(OwnedFd, Vec<Socket>)> {
    if descriptors.len() != listed.len() + 1 {
        let text = "the number of descriptors is not the one that was announced";
        return Err(io::Error::new(ErrorKind::InvalidData, text));
    }
    let mut descriptors = descriptors.into_iter();
    let lock = descriptors.next().ok_or(ErrorKind::InvalidData)?;
    let sockets = listed.iter().zip(descriptors).map(|(listed, descriptor)| Socket {
        purpose: listed.purpose,
        configured: listed.configured,
        listener: TcpListener::from(descriptor),
    });
    Ok((lock, sockets.collect()))
}

fn failed(data_dir: &Path, error: &io::Error) -> Failure {
    Failure::taken(format!(
        "nothing could be taken over from the process that serves {data_dir:?}: {error}; fix: stop it, and start without --take-over"
    ))
}

/// Where the running process hears of one that takes over.
#[derive(Debug)]
pub(crate) struct Desk(UnixListener);

/// A process that wants to take over.
#[derive(Debug)]
pub(crate) struct Claimant {
    stream: UnixStream,
    pid: u32,
}

/// How a hand-over ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The other process serves.
    TakenOver,
    /// It left before that.
    GivenUp,
}

impl Desk {
    /// Opens the desk; whoever had one here before has it no more.
    ///
    /// # Errors
    /// When the system refuses, for example because the path is too long for a socket.
    pub(crate) fn open(data_dir: &Path) -> io::Result<Self> {
        let draft = data_dir.join(SOCKET).with_extension("new");
        match fs::remove_file(&draft) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&draft)?;
        // Who may connect may take everything over: nobody but this user.
        fs::set_permissions(&draft, Permissions::from_mode(0o600))?;
        fs::rename(&draft, data_dir.join(SOCKET))?;
        Ok(Self(listener))
    }

    /// Waits for a process that wants to take over.
    pub(crate) async fn claimant(&self) -> Claimant {
        loop {
            match self.0.accept().await {
                Ok((stream, _)) => match greeted(stream).await {
                    Ok(claimant) => return claimant,
                    Err(error) => tracing::debug!(%error, "somebody came to take over and left"),
                },
                Err(error) => {
                    tracing::warn!(%error, "processes that want to take over are not heard");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// Gives the claimant the lock and the sockets, and waits until it serves
    /// or leaves. Others are turned away meanwhile.
    pub(crate) async fn give(
        &self,
        claimant: &mut Claimant,
        lock: &DataDirLock,
        sockets: &[Socket],
    ) -> Outcome {
        let pid = claimant.pid;
        tracing::info!({ "process.id" } = pid, "another process takes over");
        let taken = claimant.take(lock, sockets);
        tokio::pin!(taken);
        loop {
            tokio::select! {
                taken = &mut taken => match taken {
                    Ok(()) => return Outcome::TakenOver,
                    Err(error) => {
                        tracing::warn!({ "process.id" } = pid, %error, "the process that wanted to take over ended before it served: this one goes on");
                        return Outcome::GivenUp;
                    }
                },
                other = self.claimant() => {
                    other.refuse(format!("process {pid} is taking over already")).await;
                }
            }
        }
    }
}

impl Claimant {
    async fn take(&mut self, lock: &DataDirLock, sockets: &[Socket]) -> io::Result<()> {
        let listed = sockets.iter().map(|socket| Listed {
            purpose: socket.purpose,
            configured: socket.configured,
        });
        let offer = Answer::Offered {
            pid: std::process::id(),
            sockets: listed.collect(),
        };
        let sockets = sockets.iter().map(|socket| socket.listener.as_fd());
        let descriptors: Vec<_> = std::iter::once(lock.as_fd()).chain(sockets).collect();
        send(&mut self.stream, &offer, &descriptors).await?;
        let (Done::Serving, _) = receive(&self.stream).await?;
        Ok(())
    }

    /// Turns it away.
    pub(crate) async fn refuse(mut self, reason: String) {
        if let Err(error) = send(&mut self.stream, &Answer::Refused { reason }, &[]).await {
            tracing::debug!(%error, "a refusal was not heard");
        }
    }
}

async fn greeted(stream: UnixStream) -> io::Result<Claimant> {
    let hello = timeout(HELLO, receive::<Claim>(&stream)).await;
    let (claim, _) = hello.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))?;
    let claimant = Claimant {
        stream,
        pid: claim.pid,
    };
    if claim.form == FORM {
        return Ok(claimant);
    }
    claimant
        .refuse("its version and the new one do not understand each other; restart it instead".to_owned())
        .await;
    Err(io::Error::new(
        ErrorKind::InvalidData,
        "another form of the conversation",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(purpose: Purpose) -> Socket {
        Socket {
            purpose,
            configured: SocketAddr::from(([127, 0, 0, 1], 0)),
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
        }
    }

    #[tokio::test]
    async fn lock_and_sockets_go_over_and_the_giver_hears_of_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().to_owned();
        assert!(
            claim(&path).await.unwrap().into_link().is_none(),
            "nobody is here"
        );
        let held = DataDirLock::acquire(&path).unwrap();
        let sockets = [socket(Purpose::Gateway), socket(Purpose::Status)];
        let desk = Desk::open(&path).unwrap();
        let giving = async {
            let mut claimant = desk.claimant().await;
            desk.give(&mut claimant, &held, &sockets).await
        };
        let taking = async {
            let mut inherited = claim(&path).await.unwrap();
            let refused = claim(&path).await.unwrap_err();
            assert!(
                refused.to_string().contains("is taking over already"),
                "{refused}"
            );
            let lock = inherited.lock(&path).unwrap();
            let gateway = inherited.socket(Purpose::Gateway, sockets[0].configured).unwrap();
            assert!(
                inherited
                    .socket(Purpose::Gateway, sockets[0].configured)
                    .is_none()
            );
            let elsewhere = SocketAddr::from(([127, 0, 0, 1], 9));
            assert!(
                inherited.socket(Purpose::Status, elsewhere).is_none(),
                "another address"
            );
            inherited.into_link().unwrap().serving().await;
            (lock, gateway)
        };
        let (outcome, (lock, gateway)) = tokio::join!(giving, taking);
        assert!(matches!(outcome, Outcome::TakenOver));
        let address = sockets[0].listener.local_addr().unwrap();
        assert_eq!(gateway.local_addr().unwrap(), address);
        drop(sockets);
        std::net::TcpStream::connect(address).unwrap();
        drop(held);
        assert!(DataDirLock::acquire(&path).is_err(), "it is held by the new one");
        drop(lock);
        DataDirLock::acquire(&path).unwrap();
    }

    #[tokio::test]
    async fn who_leaves_before_it_serves_has_taken_nothing() {
        let home = tempfile::tempdir().unwrap();
        let held = DataDirLock::acquire(home.path()).unwrap();
        let desk = Desk::open(home.path()).unwrap();
        let giving = async {
            let mut claimant = desk.claimant().await;
            desk.give(&mut claimant, &held, &[]).await
        };
        let taking = async { drop(claim(home.path()).await.unwrap()) };
        let (outcome, ()) = tokio::join!(giving, taking);
        assert!(matches!(outcome, Outcome::GivenUp));
        assert!(DataDirLock::acquire(home.path()).is_err(), "it is still held");
    }
}
