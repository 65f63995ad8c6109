//! What two processes say to each other: lines of JSON over a Unix socket, and
//! open descriptors beside one of them.

use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;

/// Which form of this conversation it is.
pub(super) const FORM: u32 = 1;
/// No line is longer.
const LONGEST: usize = 16 * 1024;
/// At most so many descriptors go with a line.
const DESCRIPTORS: usize = 16;
const SPACE: usize = rustix::cmsg_space!(ScmRights(DESCRIPTORS));

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Purpose {
    /// Calls.
    Gateway,
    /// The management API.
    Management,
    /// The portal.
    Portal,
    /// Health and metrics.
    Status,
    /// The service behind the sample API.
    Sample,
}

/// What the new process says first.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Claim {
    /// [`FORM`].
    pub(super) form: u32,
    /// Its number.
    pub(super) pid: u32,
}

/// What the old one answers.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answer {
    /// The descriptors beside the line are the lock on the data directory and these sockets.
    Offered {
        /// Its number.
        pid: u32,
        /// In the order of their descriptors.
        sockets: Vec<Listed>,
    },
    /// It does not hand over now.
    Refused {
        /// A sentence.
        reason: String,
    },
}

/// One socket of an offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Listed {
    /// What it is for.
    pub(super) purpose: Purpose,
    /// The address as it was configured; its port may be 0.
    pub(super) configured: SocketAddr,
}

/// What the new process says when it serves. Whoever leaves without it has not taken over.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Done {
    /// It serves on everything.
    Serving,
}

/// Sends a line, and descriptors beside it.
pub(super) async fn send<T: Serialize>(
    stream: &mut UnixStream,
    message: &T,
    descriptors: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    let sent = stream
        .async_io(Interest::WRITABLE, || send_now(stream, &line, descriptors))
        .await?;
    stream.write_all(line.get(sent..).unwrap_or_default()).await
}

fn send_now(stream: &UnixStream, line: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [const { MaybeUninit::uninit() }; SPACE];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::new(ErrorKind::InvalidInput, "too many descriptors"));
    }
    Ok(sendmsg(
        stream,
        &[IoSlice::new(line)],
        &mut beside,
        SendFlags::NOSIGNAL,
    )?)
}

/// Receives a line and the descriptors that came with it.
pub(super) async fn receive<T: DeserializeOwned>(stream: &UnixStream) -> io::Result<(T, Vec<OwnedFd>)> {
    let (mut line, mut descriptors) = (Vec::new(), Vec::new());
    loop {
        let more = stream
            .async_io(Interest::READABLE, || receive_now(stream, &mut descriptors))
            .await?;
        if more.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        line.extend_from_slice(&more);
        if line.ends_with(b"\n") {
            return Ok((serde_json::from_slice(&line)?, descriptors));
        }
        if line.len() > LONGEST {
            return Err(io::Error::new(ErrorKind::InvalidData, "the line is too long"));
        }
    }
}

fn receive_now(stream: &UnixStream, descriptors: &mut Vec<OwnedFd>) -> io::Result<Vec<u8>> {
    let mut space = [const { MaybeUninit::uninit() }; SPACE];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = vec![0; 4096];
    let received = recvmsg(
        stream,
        &mut [IoSliceMut::new(&mut bytes)],
        &mut beside,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    bytes.truncate(received.bytes);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::fd::AsFd;

    use super::*;

    #[tokio::test]
    async fn a_socket_arrives_open_and_nothing_is_lost_of_a_long_line() {
        let (mut here, there) = UnixStream::pair().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let sockets = vec![
            Listed {
                purpose: Purpose::Gateway,
                configured: address
            };
            100
        ];
        let offer = Answer::Offered { pid: 7, sockets };
        send(&mut here, &offer, &[listener.as_fd()]).await.unwrap();
        drop(listener);
        let (heard, mut descriptors): (Answer, _) = receive(&there).await.unwrap();
        assert_eq!(heard, offer);
        let inherited = TcpListener::from(descriptors.remove(0));
        assert!(descriptors.is_empty());
        assert_eq!(inherited.local_addr().unwrap(), address);
        std::net::TcpStream::connect(address).unwrap();
        inherited.accept().unwrap();
    }

    #[tokio::test]
    async fn what_is_no_line_is_an_error_and_no_wait_for_ever() {
        let (mut here, there) = UnixStream::pair().unwrap();
        here.write_all(&vec![b'x'; LONGEST + 4096]).await.unwrap();
        let error = receive::<Claim>(&there).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidData);
        let (mut here, there) = UnixStream::pair().unwrap();
        here.write_all(b"{\"form\":").await.unwrap();
        drop(here);
        let error = receive::<Claim>(&there).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof);
    }
}
