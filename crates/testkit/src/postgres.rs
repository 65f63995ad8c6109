//! Throw-away Postgres: a database of its own in a shared server, or a server
//! of its own for tests that stop it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Process, free_port, run};
use crate::wait::eventually_blocking;

const USER: &str = "postgres";
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// A Postgres server of the test's own.
pub struct Postgres {
    directory: TempDir,
    binaries: PathBuf,
    port: u16,
    /// Beside those of every test: `work_mem=8MB`.
    settings: &'static [&'static str],
    process: Option<Process>,
}

impl Postgres {
    /// Whether this machine has one to start.
    #[must_use]
    pub fn is_installed() -> bool {
        binaries().is_some()
    }

    /// Makes a cluster on a free port and waits until it answers.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// The same with settings of the caller's.
    ///
    /// # Panics
    /// As [`Postgres::start`].
    #[must_use]
    pub fn with(settings: &'static [&'static str]) -> Self {
        let binaries = binaries().expect("Postgres is installed (Debian: postgresql)");
        let directory = TempDir::with_prefix("gatewright-postgres-").expect("a temporary directory");
        if is_root() {
            std::os::unix::fs::chown(directory.path(), Some(id("-u")), Some(id("-g")))
                .expect("the directory can be given to postgres");
        }
        let mut postgres = Self {
            directory,
            binaries,
            port: free_port(),
            settings,
            process: None,
        };
        let data = postgres.data().into_os_string();
        let rest = [
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--no-sync",
            "-D",
        ];
        let mut arguments: Vec<OsString> = rest.iter().map(OsString::from).collect();
        arguments.push(data);
        let (program, arguments) = as_postgres(&postgres.binaries.join("initdb"), arguments);
        let exit = run(&program, &arguments, &[], Duration::from_secs(120));
        assert_eq!(exit.code, 0, "initdb: {}", exit.stderr);
        postgres.start_again();
        postgres
    }

    /// A new, empty database in it.
    #[must_use]
    pub fn database(&self) -> String {
        create_database(&format!("postgres://{USER}@127.0.0.1:{}/postgres", self.port))
    }

    /// Stops it; its data is kept.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal("INT");
            process.wait(Duration::from_secs(60));
        }
    }

    /// Starts it on the same port and data.
    ///
    /// # Panics
    /// When it does not answer within a minute.
    pub fn start_again(&mut self) {
        let settings = [
            format!("port={}", self.port),
            "listen_addresses=127.0.0.1".to_owned(),
            format!("unix_socket_directories={}", self.directory.path().display()),
            "max_connections=200".to_owned(),
            "shared_buffers=64MB".to_owned(),
        ];
        let mut arguments = vec![OsString::from("-D"), self.data().into_os_string()];
        let more = self.settings.iter().map(|setting| (*setting).to_owned());
        for setting in settings.into_iter().chain(more) {
            arguments.extend(["-c".into(), setting.into()]);
        }
        let (program, arguments) = as_postgres(&self.binaries.join("postgres"), arguments);
        self.process = Some(Process::spawn(&program, &arguments, &[]));
        let ready = self.binaries.join("pg_isready");
        let port = self.port.to_string();
        eventually_blocking(Duration::from_secs(60), "Postgres answers", || {
            let mut command = Command::new(&ready);
            let answer = command.args(["-q", "-h", "127.0.0.1", "-p", &port]).status();
            answer.is_ok_and(|status| status.success()).then_some(())
        });
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }
}

/// A new, empty database in the server of `url`; its address.
///
/// # Panics
/// When the server refuses.
#[must_use]
pub fn create_database(url: &str) -> String {
    let (server, _) = url.rsplit_once('/').expect("the address names a database");
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let name = format!("gatewright_test_{}_{number}", std::process::id());
    let psql = binaries().map_or_else(|| PathBuf::from("psql"), |path| path.join("psql"));
    let statement = format!("CREATE DATABASE {name}");
    let arguments: Vec<OsString> = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", &statement]
        .iter()
        .map(OsString::from)
        .collect();
    let exit = run(psql.as_os_str(), &arguments, &[], Duration::from_secs(60));
    assert_eq!(exit.code, 0, "{statement}: {}", exit.stderr);
    format!("{server}/{name}")
}

fn binaries() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| {
            entries
                .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
                .collect()
        })
        .unwrap_or_default();
    found.sort();
    found.push(PathBuf::from("/usr/local/pgsql/bin"));
    found.push(PathBuf::from("/usr/bin"));
    found.into_iter().rev().find(|path| path.join("initdb").exists())
}

/// Postgres refuses to run as root, so root lends it the account of its package.
fn as_postgres(program: &Path, arguments: Vec<OsString>) -> (OsString, Vec<OsString>) {
    if !is_root() {
        return (program.as_os_str().to_owned(), arguments);
    }
    let mut all: Vec<OsString> = ["--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
        .iter()
        .map(OsString::from)
        .collect();
    all.push(program.as_os_str().to_owned());
    all.extend(arguments);
    ("setpriv".into(), all)
}

fn is_root() -> bool {
    number(&["-u"]) == 0
}

fn id(what: &str) -> u32 {
    number(&[what, USER])
}

fn number(arguments: &[&str]) -> u32 {
    let output = Command::new("id").args(arguments).output().expect("`id` runs");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim()
        .parse()
        .unwrap_or_else(|_| panic!("id {arguments:?}: {text}"))
}
