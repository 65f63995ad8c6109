//! A throw-away Redis that can be stopped and started again with its data.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Process, free_port};
use crate::wait::eventually_blocking;

/// A Redis server of the test's own.
pub struct Redis {
    directory: TempDir,
    port: u16,
    process: Option<Process>,
}

impl Redis {
    /// Whether this machine has one to start.
    #[must_use]
    pub fn is_installed() -> bool {
        program().is_some()
    }

    /// Starts one on a free port and waits until it answers.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        let directory = TempDir::with_prefix("gatewright-redis-").expect("a temporary directory");
        let mut redis = Self {
            directory,
            port: free_port(),
            process: None,
        };
        redis.start_again();
        redis
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Sends one command and gives the first line of the answer, as it stands on the wire.
    ///
    /// # Panics
    /// When there is no answer within half a minute.
    #[must_use]
    pub fn ask(&self, command: &[&str]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("Redis accepts");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout can be set");
        let mut wire = format!("*{}\r\n", command.len());
        for word in command {
            wire = format!("{wire}${}\r\n{word}\r\n", word.len());
        }
        stream.write_all(wire.as_bytes()).expect("Redis listens");
        let mut line = String::new();
        BufReader::new(stream)
            .read_line(&mut line)
            .expect("Redis answers");
        line.trim_end().to_owned()
    }

    /// Stops it; what it was told is kept.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal("TERM");
            process.wait(Duration::from_secs(60));
        }
    }

    /// Starts it on the same port and data.
    ///
    /// # Panics
    /// When it does not answer within a minute.
    pub fn start_again(&mut self) {
        let program = program().expect("redis-server is installed (Debian: redis-server)");
        let arguments: Vec<OsString> = vec![
            "--port".into(),
            self.port.to_string().into(),
            "--bind".into(),
            "127.0.0.1".into(),
            "--dir".into(),
            self.directory.path().into(),
            "--appendonly".into(),
            "yes".into(),
            "--appendfsync".into(),
            "always".into(),
            "--save".into(),
            String::new().into(),
        ];
        self.process = Some(Process::spawn(program.as_ref(), &arguments, &[]));
        let port = self.port;
        eventually_blocking(Duration::from_secs(60), "Redis answers", || {
            answers(port).then_some(())
        });
    }
}

fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
        return false;
    };
    let mut answer = [0; 7];
    stream.set_read_timeout(Some(Duration::from_secs(1))).is_ok()
        && stream.write_all(b"PING\r\n").is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer == *b"+PONG\r\n"
}

fn program() -> Option<&'static str> {
    ["/usr/bin/redis-server", "/usr/local/bin/redis-server"]
        .into_iter()
        .find(|path| Path::new(path).exists())
}
