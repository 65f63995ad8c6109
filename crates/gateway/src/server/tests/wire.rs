//! Raw HTTP/1 on both sides: what was sent is what is seen.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A message as it came over the wire.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
    /// Whether the body ended as its framing says.
    pub(super) whole: bool,
}

impl Message {
    pub(super) fn status(&self) -> u16 {
        self.head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0)
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(super) fn values(&self, name: &str) -> Vec<String> {
        self.head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
            .collect()
    }

    pub(super) fn header(&self, name: &str) -> Option<String> {
        self.values(name).into_iter().next()
    }

    pub(super) fn code(&self) -> String {
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// A connection that reads and writes messages.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            buffer: Vec::new(),
        }
    }

    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).await.unwrap())
    }

    pub(super) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    async fn more(&mut self) -> bool {
        let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.buffer))
            .await
            .expect("the other side answers in time");
        matches!(read, Ok(count) if count > 0)
    }

    /// Whether the other side closed without another byte.
    pub(super) async fn is_closed(&mut self) -> bool {
        self.buffer.is_empty() && !self.more().await
    }

    /// The next message; `None` at the end. `bodiless` tells that the answer has no body.
    pub(super) async fn receive(&mut self, bodiless: bool) -> Option<Message> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if !self.more().await {
                return None;
            }
        };
        let head = String::from_utf8_lossy(&self.buffer.drain(..end).collect::<Vec<_>>()).into_owned();
        let mut message = Message {
            head,
            body: Vec::new(),
            whole: true,
        };
        if bodiless || matches!(message.status(), 100..=199 | 204 | 304) {
            return Some(message);
        }
        if message.header("transfer-encoding").is_some() {
            message.whole = self.chunks(&mut message.body).await;
        } else if let Some(length) = message.header("content-length") {
            let length: usize = length.parse().unwrap();
            while self.buffer.len() < length && self.more().await {}
            message.whole = self.buffer.len() >= length;
            message.body = self.buffer.drain(..length.min(self.buffer.len())).collect();
        } else if message.head.starts_with("HTTP/") {
            while self.more().await {}
            message.body = std::mem::take(&mut self.buffer);
        }
        Some(message)
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..at + 2).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    async fn chunks(&mut self, body: &mut Vec<u8>) -> bool {
        loop {
            let Some(line) = self.line().await else {
                return false;
            };
            let size = usize::from_str_radix(line.split(';').next().unwrap_or(""), 16).unwrap();
            if size == 0 {
                while let Some(trailer) = self.line().await {
                    if trailer.is_empty() {
                        return true;
                    }
                    body.extend_from_slice(format!("[{trailer}]").as_bytes());
                }
                return false;
            }
            while self.buffer.len() < size + 2 {
                if !self.more().await {
                    body.append(&mut self.buffer);
                    return false;
                }
            }
            body.extend(self.buffer.drain(..size));
            self.buffer.drain(..2);
        }
    }
}

/// Sends one request on a connection of its own and reads one answer.
pub(super) async fn call(address: SocketAddr, request: &str) -> Message {
    let mut wire = Wire::connect(address).await;
    wire.send(request).await;
    wire.receive(request.starts_with("HEAD"))
        .await
        .expect("an answer")
}

/// A `GET` with further header lines.
pub(super) fn get(path: &str, lines: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: api.example\r\n{lines}\r\n")
}

/// An upstream that does what a test says with each connection.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Upstream {
    /// Each connection is handed to `handle` with the count of requests to raise.
    pub(super) async fn start<F, R>(handle: F) -> Self
    where
        F: Fn(Wire, Arc<AtomicUsize>) -> R + Send + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(AtomicUsize::new(0));
        let (counted, seen) = (Arc::clone(&connections), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(handle(Wire::new(stream), Arc::clone(&seen)));
            }
        });
        Self {
            address,
            connections,
            requests,
            task,
        }
    }

    /// Answers each whole request with its own head and body as text.
    pub(super) async fn echo() -> Self {
        Self::start(|mut wire, seen| async move {
            while let Some(request) = wire.receive(false).await.filter(|request| request.whole) {
                seen.fetch_add(1, Ordering::SeqCst);
                let content = format!("{}{}", request.head, request.text());
                let bodiless = request.head.starts_with("HEAD");
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{}",
                    content.len(),
                    if bodiless { "" } else { &content }
                );
                wire.send(&answer).await;
            }
        })
        .await
    }

    /// Answers each request with these bytes and closes.
    pub(super) async fn saying(answer: impl Into<String>) -> Self {
        let answer: Arc<str> = answer.into().into();
        Self::start(move |mut wire, seen| {
            let answer = Arc::clone(&answer);
            async move {
                if wire.receive(false).await.is_some() {
                    seen.fetch_add(1, Ordering::SeqCst);
                    wire.send(&answer).await;
                }
            }
        })
        .await
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}
