//! Upstreams that misbehave in one way each.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::process::free_port;

/// What such an upstream does with a connection once a request has begun.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// Reads and never answers.
    Silent,
    /// Answers what is not HTTP.
    Garbage,
    /// Promises a longer body than it sends, then closes.
    Truncated,
    /// Closes without an answer.
    Closes,
}

/// Starts one; it lives as long as the test's process.
///
/// # Panics
/// When loopback has no free port.
#[must_use]
pub fn upstream(fault: Fault) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let address: SocketAddr = listener.local_addr().expect("a bound socket has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || misbehave(fault, stream));
        }
    });
    format!("http://{address}")
}

/// Starts one that gives these bytes as its answer to every request without a
/// body, over connections that it keeps; it lives as long as the test's process.
///
/// # Panics
/// When loopback has no free port.
#[must_use]
pub fn saying(answer: &[u8]) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let address: SocketAddr = listener.local_addr().expect("a bound socket has an address");
    let answer: std::sync::Arc<[u8]> = answer.into();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = std::sync::Arc::clone(&answer);
            std::thread::spawn(move || repeat(&answer, stream));
        }
    });
    format!("http://{address}")
}

fn repeat(answer: &[u8], mut stream: TcpStream) {
    let (mut head, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        head.extend(piece.iter().take(read));
        if head.ends_with(b"\r\n\r\n") {
            head.clear();
            if stream.write_all(answer).is_err() {
                return;
            }
        }
    }
}

/// An address at which nobody listens.
#[must_use]
pub fn nobody() -> String {
    format!("http://127.0.0.1:{}", free_port())
}

fn misbehave(fault: Fault, mut stream: TcpStream) {
    let mut head = [0; 4096];
    if stream.read(&mut head).is_err() {
        return;
    }
    let answer: &[u8] = match fault {
        Fault::Silent => {
            while stream.read(&mut head).is_ok_and(|read| read > 0) {}
            return;
        }
        Fault::Garbage => b"\x00\x01 this is no HTTP at all\r\n\r\n",
        Fault::Truncated => b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nonly a little",
        Fault::Closes => return,
    };
    stream.write_all(answer).ok();
}
