//! What whoever gets hold of a store has: everything that it keeps, as the
//! database's own tools write it out.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use gatewright_testkit::process;
use gatewright_testkit::server::Setup;

use crate::stores;

/// 32 bytes of 9: not the key that the store was made under.
const ANOTHER_KEY: &str = "CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk=";
const LONGEST: Duration = Duration::from_secs(120);

fn tool(program: &str, arguments: &[&str]) -> String {
    let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
    let exit = process::run(program.as_ref(), &arguments, &[], LONGEST);
    assert_eq!(exit.code, 0, "{program}: {}", exit.stderr);
    exit.stdout
}

/// Every row of a Postgres database.
pub(crate) fn of_postgres(url: &str) -> String {
    tool("pg_dump", &["--inserts", "--no-owner", url])
}

/// Every row of the SQLite files of a data directory.
pub(crate) fn of_sqlite(folder: &Path) -> String {
    ["control.db", "traffic.db"]
        .map(|file| tool("sqlite3", &[folder.join(file).to_str().unwrap(), ".dump"]))
        .concat()
}

/// A store of somebody who got hold of a dump, and of no key that belongs to it.
pub(crate) struct Stolen {
    setup: Setup,
    _database: Option<stores::Database>,
}

impl Stolen {
    /// The dump of a Postgres database, in another database.
    pub(crate) fn postgres(dump: &str) -> Self {
        let database = stores::database().unwrap();
        let setup = Setup::cluster(&database.url, "")
            .without_env("GATEWRIGHT_REDIS_URL")
            .env("GATEWRIGHT_MASTER_KEY", ANOTHER_KEY);
        let file = setup.data_dir().join("dump.sql");
        std::fs::write(&file, dump).unwrap();
        tool(
            "psql",
            &[
                "-X",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-d",
                &database.url,
                "-f",
                file.to_str().unwrap(),
            ],
        );
        Self {
            setup,
            _database: Some(database),
        }
    }

    /// The files of an embedded store, in another data directory.
    pub(crate) fn sqlite(folder: &Path) -> Self {
        let setup = Setup::embedded().env("GATEWRIGHT_MASTER_KEY", ANOTHER_KEY);
        for file in ["control.db", "traffic.db"] {
            std::fs::copy(folder.join(file), setup.data_dir().join(file)).unwrap();
        }
        Self {
            setup,
            _database: None,
        }
    }

    /// Starting a server on it, and every command that would read it: what they say.
    pub(crate) fn tried(&self) -> Vec<(&'static str, String)> {
        let setup = &self.setup;
        let Err(started) = setup.try_start() else {
            panic!("a server starts on a store that was made under another key")
        };
        assert_eq!(started.code, 64, "{}", started.stderr);
        let said = &started.stderr;
        assert!(said.contains("master key") && said.contains("fix:"), "{said}");
        assert!(!said.contains("panicked"), "{said}");
        let token = setup.command(&[
            "token",
            "create",
            "--user",
            "admin@example.com",
            "--name",
            "thief",
        ]);
        assert_ne!(token.code, 0, "{}", token.stdout);
        assert!(token.stderr.contains("master key"), "{}", token.stderr);
        let doctor = setup.command(&["doctor"]);
        assert_eq!(doctor.code, 1, "{}", doctor.stdout);
        assert!(
            doctor.stdout.contains("master_key is not the one"),
            "{}",
            doctor.stdout
        );
        vec![
            (
                "the start under another key",
                format!("{}{}", started.stdout, started.stderr),
            ),
            (
                "a command under another key",
                format!("{}{}", token.stdout, token.stderr),
            ),
            (
                "doctor under another key",
                format!("{}{}", doctor.stdout, doctor.stderr),
            ),
        ]
    }
}
