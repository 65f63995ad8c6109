//! The real binary: its processes and its commands.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::http::Client;
use crate::process::{Exit, Process, run};
use crate::wait::eventually_blocking;

/// The first administrator of every test store.
pub const ADMIN_EMAIL: &str = "admin@example.com";
/// The password that goes with it.
pub const ADMIN_PASSWORD: &str = "correct-horse-battery-staple-42";
/// The master key of stores that are shared by several nodes: 32 bytes of 7.
pub const MASTER_KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

const START: Duration = Duration::from_secs(90);
const COMMAND: Duration = Duration::from_secs(90);
const DRAIN: Duration = Duration::from_secs(60);

/// Where a process finds its things; start it as often as needed.
#[derive(Debug, Clone)]
pub struct Setup {
    data: Arc<TempDir>,
    program: Option<PathBuf>,
    subcommand: &'static str,
    arguments: Vec<OsString>,
    environment: Vec<(String, OsString)>,
}

impl Setup {
    /// The embedded default: SQLite in a fresh data directory.
    ///
    /// # Panics
    /// When there is no temporary directory.
    #[must_use]
    pub fn embedded() -> Self {
        let data = TempDir::with_prefix("gatewright-data-").expect("a temporary directory");
        let environment = vec![
            ("GATEWRIGHT_ADMIN_EMAIL".to_owned(), ADMIN_EMAIL.into()),
            ("GATEWRIGHT_ADMIN_PASSWORD".to_owned(), ADMIN_PASSWORD.into()),
        ];
        Self {
            data: Arc::new(data),
            program: None,
            subcommand: "serve",
            arguments: Vec::new(),
            environment,
        }
    }

    /// Postgres and Redis.
    #[must_use]
    pub fn cluster(database_url: &str, redis_url: &str) -> Self {
        Self::embedded()
            .env("GATEWRIGHT_DATABASE_URL", database_url)
            .env("GATEWRIGHT_REDIS_URL", redis_url)
            .env("GATEWRIGHT_MASTER_KEY", MASTER_KEY)
    }

    /// Another node on the same stores: its data directory is its own.
    #[must_use]
    pub fn another_node(&self, roles: &str) -> Self {
        let mut node = self.clone().arg("--roles").arg(roles);
        node.data = Self::embedded().data;
        node
    }

    /// Another build of the binary than the one under test.
    #[must_use]
    pub fn program(mut self, path: &Path) -> Self {
        self.program = Some(path.to_owned());
        self
    }

    fn path(&self) -> PathBuf {
        self.program.clone().unwrap_or_else(binary)
    }

    /// `demo` in place of `serve`.
    #[must_use]
    pub const fn demo(mut self) -> Self {
        self.subcommand = "demo";
        self
    }

    /// `serve` again.
    #[must_use]
    pub const fn serve(mut self) -> Self {
        self.subcommand = "serve";
        self
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// One more environment variable; it replaces one of that name.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// What an environment variable is set to.
    #[must_use]
    pub fn variable(&self, name: &str) -> Option<&std::ffi::OsStr> {
        let found = self.environment.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_os_str())
    }

    /// Without an environment variable.
    #[must_use]
    pub fn without_env(mut self, name: &str) -> Self {
        self.environment.retain(|(known, _)| known != name);
        self
    }

    /// The data directory.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        self.data.path()
    }

    /// Starts the server and waits for its ready line.
    ///
    /// # Panics
    /// When it ends before, or is not ready in time; with what it logged.
    #[must_use]
    pub fn start(&self) -> Server {
        match self.try_start() {
            Ok(server) => server,
            Err(exit) => panic!(
                "the server ended with {}:\n{}{}",
                exit.code, exit.stdout, exit.stderr
            ),
        }
    }

    /// Starts the server; gives how it ended when it did not get ready.
    ///
    /// # Errors
    /// When it ended before it was ready.
    ///
    /// # Panics
    /// When it is neither ready nor ended in time.
    pub fn try_start(&self) -> Result<Server, Exit> {
        self.spawn().settle()
    }

    /// Starts the server without waiting for its ready line.
    #[must_use]
    pub fn spawn(&self) -> Starting {
        let mut arguments: Vec<OsString> = vec![self.subcommand.into()];
        arguments.extend(["--data-dir".into(), self.data_dir().into()]);
        for listener in ["gateway", "management", "portal", "status"] {
            let flag = OsString::from(format!("--{listener}-listen"));
            if !self.arguments.contains(&flag) {
                arguments.extend([flag, "127.0.0.1:0".into()]);
            }
        }
        arguments.extend(self.arguments.iter().cloned());
        Starting {
            setup: self.clone(),
            process: Process::spawn(self.path().as_os_str(), &arguments, &self.environment),
        }
    }

    /// Runs a command on the same stores, beside running servers.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Exit {
        let mut all: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        all.extend(["--data-dir".into(), self.data_dir().into()]);
        run(self.path().as_os_str(), &all, &self.environment, COMMAND)
    }

    /// A management token of the administrator with all their rights.
    ///
    /// # Panics
    /// When the command fails.
    #[must_use]
    pub fn token(&self) -> String {
        let exit = self.command(&["token", "create", "--user", ADMIN_EMAIL, "--name", "tests"]);
        assert_eq!(exit.code, 0, "token create: {}", exit.stderr);
        exit.stdout.trim().to_owned()
    }
}

/// A server that is not ready yet.
pub struct Starting {
    setup: Setup,
    process: Process,
}

impl Starting {
    /// The link of the first run, as the log prints it.
    ///
    /// # Panics
    /// When it is not printed in time.
    #[must_use]
    pub fn first_run(&self) -> String {
        eventually_blocking(START, "the log prints the link of the first run", || {
            let log = self.process.stderr();
            let words = log.split(|c: char| c.is_whitespace() || c == '"');
            let mut links = words.filter(|word| word.contains("/setup?secret="));
            links.next_back().map(str::to_owned)
        })
    }

    /// Ends it as a power cut does.
    pub fn kill(mut self) {
        self.process.signal("KILL");
        self.process.wait(DRAIN);
    }

    /// Waits for the ready line; gives how the server ended when it did not get ready.
    ///
    /// # Errors
    /// When it ended before it was ready.
    ///
    /// # Panics
    /// When it is neither ready nor ended in time.
    pub fn settle(mut self) -> Result<Server, Exit> {
        let mut said = String::new();
        let process = &mut self.process;
        let outcome = eventually_blocking(START, "the server is ready or ends", || {
            while let Some(line) = process.next_line() {
                if let Some(ready) = ready(&line) {
                    return Some(Ok(ready));
                }
                said.push_str(&line);
                said.push('\n');
            }
            process.ended().map(Err)
        });
        match outcome {
            Ok(ready) => Ok(Server {
                setup: self.setup,
                process: self.process,
                ready,
            }),
            Err(code) => Err(Exit {
                code,
                stdout: said,
                stderr: self.process.last_words(),
            }),
        }
    }
}

/// A running server.
pub struct Server {
    setup: Setup,
    process: Process,
    ready: Value,
}

impl Server {
    /// How it was started.
    #[must_use]
    pub const fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Says how the next one is started, where that is another way.
    pub fn set_setup(&mut self, setup: Setup) {
        self.setup = setup;
    }

    /// The ready line.
    #[must_use]
    pub const fn ready(&self) -> &Value {
        &self.ready
    }

    /// The address of a role, as the ready line says it.
    ///
    /// # Panics
    /// When this server does not have that role.
    #[must_use]
    pub fn address(&self, role: &str) -> &str {
        let address = self.ready.get(role).and_then(Value::as_str);
        address.unwrap_or_else(|| panic!("no {role} in {}", self.ready))
    }

    /// Speaks to the gateway.
    #[must_use]
    pub fn gateway(&self) -> Client {
        Client::new(self.address("gateway"))
    }

    /// Speaks to the management API below `/api/v1`.
    #[must_use]
    pub fn management(&self) -> Client {
        Client::new(&format!("{}/api/v1", self.address("management")))
    }

    /// Speaks to the status listener.
    #[must_use]
    pub fn status(&self) -> Client {
        Client::new(self.address("status"))
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.stderr()
    }

    /// Its process id.
    #[must_use]
    pub const fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// How much memory it holds, in KiB.
    ///
    /// # Panics
    /// When it is gone, or the system does not say.
    #[must_use]
    pub fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid());
        let status = std::fs::read_to_string(&path).expect("the process is there");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or_else(|| panic!("no VmRSS in {path}"))
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Asks it to drain and waits for its end.
    pub fn stop(self) -> Exit {
        self.signal("TERM");
        self.wait()
    }

    /// Waits for its end.
    #[must_use]
    pub fn wait(mut self) -> Exit {
        let code = self.process.wait(DRAIN);
        Exit {
            code,
            stdout: String::new(),
            stderr: self.process.last_words(),
        }
    }

    /// Ends it as a power cut does.
    pub fn kill(mut self) {
        self.process.signal("KILL");
        self.process.wait(DRAIN);
    }
}

fn ready(line: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line).ok()?;
    (value.get("event").and_then(Value::as_str) == Some("ready")).then_some(value)
}

/// The binary under test: `GATEWRIGHT_BIN`, else the one of this build.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("GATEWRIGHT_BIN") {
        return path.into();
    }
    let test = std::env::current_exe().expect("a test has a path");
    let profile = test
        .parent()
        .and_then(Path::parent)
        .expect("tests lie in <profile>/deps");
    let path = profile.join("gatewright");
    assert!(
        path.exists(),
        "{} is missing: cargo build -p gatewright",
        path.display()
    );
    path
}
