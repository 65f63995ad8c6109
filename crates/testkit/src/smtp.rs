//! A mail server that keeps what it is given: enough of SMTP (RFC 5321) for a
//! client that sends plain-text letters.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A letter as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// The sender of the envelope.
    pub from: String,
    /// The addressees of the envelope.
    pub to: Vec<String>,
    /// Header and body as they were sent, without the dots of the protocol.
    pub raw: String,
}

impl Received {
    /// A header field, unfolded.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let (head, _) = self.raw.split_once("\r\n\r\n")?;
        let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
        unfolded.lines().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// The body in plain text, whatever it was wrapped in.
    #[must_use]
    pub fn text(&self) -> String {
        let body = self.raw.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let encoding = self.header("Content-Transfer-Encoding").unwrap_or_default();
        let text = if encoding.eq_ignore_ascii_case("quoted-printable") {
            quoted_printable(body)
        } else {
            assert!(
                !encoding.eq_ignore_ascii_case("base64"),
                "letters are expected in words, not in base64"
            );
            body.to_owned()
        };
        text.replace("\r\n", "\n")
    }

    /// The first address of this page in the text, up to the end of its line.
    #[must_use]
    pub fn link(&self, path: &str) -> Option<String> {
        let text = self.text();
        let lines = text.lines().map(str::trim);
        lines
            .filter_map(|line| line.find("http").and_then(|at| line.get(at..)))
            .find(|link| link.contains(path))
            .map(str::to_owned)
    }
}

#[derive(Debug, Default)]
struct Mailbox {
    received: Mutex<Vec<Received>>,
    news: Notify,
    /// Letters that are refused for now before the next one is taken.
    refuse: AtomicUsize,
}

/// A running mail server. It ends when it is dropped.
#[derive(Debug)]
pub struct SmtpSink {
    address: SocketAddr,
    mailbox: Arc<Mailbox>,
    task: JoinHandle<()>,
}

impl SmtpSink {
    /// Starts on a free port of the loopback.
    ///
    /// # Panics
    /// When no port can be bound.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let mailbox = Arc::new(Mailbox::default());
        let shared = Arc::clone(&mailbox);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let mailbox = Arc::clone(&shared);
                tokio::spawn(async move {
                    // A client that hangs up in the middle is no fault of the server.
                    let _gone = converse(stream, &mailbox).await;
                });
            }
        });
        Self {
            address,
            mailbox,
            task,
        }
    }

    /// The value of `--smtp-url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Refuses so many letters for now (451) before it takes one again.
    pub fn refuse_next(&self, letters: usize) {
        self.mailbox.refuse.store(letters, Ordering::SeqCst);
    }

    /// Everything that has arrived so far.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        let received = self.mailbox.received.lock();
        received.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits for the next letter to an address after the first `seen` ones to it.
    ///
    /// # Panics
    /// When none comes within a minute.
    pub async fn letter_to(&self, address: &str, seen: usize) -> Received {
        let arrived = async {
            loop {
                let news = self.mailbox.news.notified();
                let theirs = |letter: &Received| letter.to.iter().any(|to| to == address);
                if let Some(letter) = self.received().into_iter().filter(theirs).nth(seen) {
                    return letter;
                }
                news.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), arrived)
            .await
            .unwrap_or_else(|_| panic!("no letter to {address} has come"))
    }
}

impl Drop for SmtpSink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn converse(stream: TcpStream, mailbox: &Mailbox) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let (mut from, mut to) = (String::new(), Vec::new());
    write.write_all(b"220 sink ready\r\n").await?;
    while let Some(line) = lines.next_line().await? {
        let verb = line.split([' ', ':']).next().unwrap_or("").to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-sink\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN\r\n",
            "AUTH" => "235 come in\r\n",
            "MAIL" => {
                from = envelope(&line);
                "250 sender\r\n"
            }
            "RCPT" => {
                to.push(envelope(&line));
                "250 addressee\r\n"
            }
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let raw = data(&mut lines).await?;
                if refused(mailbox) {
                    "451 not now\r\n"
                } else {
                    let letter = Received {
                        from: std::mem::take(&mut from),
                        to: std::mem::take(&mut to),
                        raw,
                    };
                    let mut received = mailbox.received.lock().unwrap_or_else(PoisonError::into_inner);
                    received.push(letter);
                    drop(received);
                    mailbox.news.notify_waiters();
                    "250 taken\r\n"
                }
            }
            "RSET" => {
                from.clear();
                to.clear();
                "250 forgotten\r\n"
            }
            "QUIT" => {
                write.write_all(b"221 goodbye\r\n").await?;
                return Ok(());
            }
            "NOOP" => "250 nothing\r\n",
            _ => "502 not here\r\n",
        };
        write.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}

fn refused(mailbox: &Mailbox) -> bool {
    let less = |left: usize| left.checked_sub(1);
    let counted = mailbox
        .refuse
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
    counted.is_ok()
}

async fn data(
    lines: &mut tokio::io::Lines<BufReader<tokio::net::tcp::OwnedReadHalf>>,
) -> std::io::Result<String> {
    let mut raw = String::new();
    while let Some(line) = lines.next_line().await? {
        if line == "." {
            break;
        }
        raw.push_str(line.strip_prefix('.').unwrap_or(&line));
        raw.push_str("\r\n");
    }
    Ok(raw)
}

/// `MAIL FROM:<a@b> SIZE=1` names `a@b`.
fn envelope(line: &str) -> String {
    let inside = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or("", |(address, _)| address).to_owned()
}

/// RFC 2045, section 6.7.
fn quoted_printable(body: &str) -> String {
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((before, after)) = rest.split_once('=') {
        bytes.extend_from_slice(before.as_bytes());
        rest = after;
        if let Some(next) = rest.strip_prefix("\r\n") {
            rest = next;
        } else if let Some((code, next)) = rest.split_at_checked(2)
            && let Ok(byte) = u8::from_str_radix(code, 16)
        {
            bytes.push(byte);
            rest = next;
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_whatever_they_are_wrapped_in() {
        let letter = Received {
            from: "a@b.example".to_owned(),
            to: vec!["c@d.example".to_owned()],
            raw: "Subject: Hello\r\n there\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
                  See https://p.example/reset/=\r\nab?x=3D1 now\r\nGr=C3=BC=C3=9Fe\r\n"
                .to_owned(),
        };
        assert_eq!(letter.header("subject").unwrap(), "Hello there");
        assert_eq!(letter.text(), "See https://p.example/reset/ab?x=1 now\nGrüße\n");
        assert!(
            letter
                .link("/reset/")
                .unwrap()
                .starts_with("https://p.example/reset/ab")
        );
    }
}
